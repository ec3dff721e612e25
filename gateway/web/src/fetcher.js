// How operations travel: by POST, answered whole or in parts, and subscriptions over a WebSocket at the same address.
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { createClient } from "graphql-ws";
import { headers } from "./credentials.jsx";

// Without query and fragment, wherever a proxy has put the gateway.
const url = location.origin + location.pathname;

const wsClient = createClient({
  url: url.replace(/^http/, "ws"),
  // Connected for as long as something is watched, so that each time the credentials are those of that moment.
  lazy: true,
  connectionParams: headers,
  // A connection that ends is told; to watch again is the person's to ask.
  retryAttempts: 0,
});

export const fetcher = createGraphiQLFetcher({
  url,
  wsClient,
  fetch: (address, options) => fetch(address, { ...options, headers: { ...options.headers, ...headers() } }),
});
