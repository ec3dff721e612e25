// Hive gateway: npx @graphql-hive/gateway@2.15.1 --config-path gateway.config.mjs supergraph
import { readFileSync } from 'node:fs';

const file = process.env.SUPERGRAPH ?? new URL('supergraph.graphql', import.meta.url);

/**
 * Read the supergraph, and leave each of the gateway's entities one key.
 *
 * Hive gateway 2.15.1 gives null for what an `@interfaceObject` adds where any entity of the interface's own subgraph
 * has two keys; once that is mended, they may stay. It still gives null for it where it is asked of a concrete type, or
 * of another interface: `definition { wikiUrl }` is whole, `skin { wikiUrl }` and `node(...) { ... on ItemDefinition
 * { wikiUrl } }` are not. Apollo's routers have neither limit.
 */
const supergraph = () =>
  readFileSync(file, 'utf8').replaceAll(
    /@join__type\(graph: INVENTORY, key: "id"\)\s+(?=@join__type\(graph: INVENTORY, key:)/g,
    '',
  );

/** Say whether a header of the caller's is for the inventories. */
const isCredential = (name) => name === 'authorization' || name.startsWith('x-credential-');

export const gatewayConfig = {
  supergraph,
  host: '127.0.0.1',
  port: 4000,
  graphiql: false,
  landingPage: false,
  disableIntrospection: { disableIf: () => true },
  maxTokens: 5_000,
  maxDepth: 40,
  // Of subscriptions it asks by GET otherwise, which the gateway keeps for queries.
  transportEntries: {
    inventory: { options: { subscriptions: { kind: 'http', options: { method: 'POST' } } } },
  },
  propagateHeaders: {
    // To other subgraphs nothing of the caller's is passed on.
    fromClientToSubgraphs({ request, subgraphName }) {
      if (subgraphName !== 'inventory') return {};
      return Object.fromEntries([...request.headers].filter(([name]) => isCredential(name)));
    },
  },
};
