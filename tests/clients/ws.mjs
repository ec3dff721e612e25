// Subscriptions over a WebSocket: the graphql-ws client, then a bare socket that tries what the protocol forbids.
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { collect, judge } from './events.mjs';
import { report } from './report.mjs';
import { SUBSCRIPTION, writing } from './writes.mjs';

const [url] = process.argv.slice(2);
const address = url.replace(/^http/, 'ws');
const checks = report('ws');
const { variables, stop } = await writing(url);
const payload = { query: SUBSCRIPTION, variables };
const open = () => createClient({ url: address, webSocketImpl: WebSocket, retryAttempts: 0, lazy: true });

{
  const client = open();
  const { holds, note } = judge(await collect(client, payload));
  checks.check(holds, 'events come', note);
  const many = await Promise.all([1, 2, 3].map(() => collect(client, payload, { take: 1 })));
  checks.check(
    many.every((one) => judge(one, 1).holds),
    'three operations share a socket',
    many.map((one) => one.failure).join(' '),
  );
  const query = await collect(client, { query: '{ __typename }' });
  checks.check(
    query.events[0]?.data?.__typename === 'Query' && query.isComplete,
    'a query gives one result, and completes',
    query.failure,
  );
  const invalid = await collect(client, { query: 'subscription { noSuchField }' });
  checks.check(
    /noSuchField/.test(invalid.failure),
    'an invalid document is answered with an error, and the socket stays',
    invalid.failure,
  );
  await client.dispose();
}

/** Say `opening` on a bare socket, answer the acknowledgement with `then`, and wait for the end, or for `until`. */
function speak({ opening = [], then = [], until = '', protocol = 'graphql-transport-ws', seconds = 8 }) {
  return new Promise((resolve) => {
    const socket = new WebSocket(address, [protocol]);
    const done = (what) => {
      clearTimeout(timer);
      socket.terminate();
      resolve(what);
    };
    const timer = setTimeout(() => done('nothing'), seconds * 1_000);
    const say = (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message));
    socket.on('open', () => opening.forEach(say));
    socket.on('message', (raw) => {
      const { type } = JSON.parse(String(raw));
      if (type === until) done(type);
      else if (type === 'connection_ack') then.forEach(say);
    });
    socket.on('close', done);
    socket.on('error', () => {});
    socket.on('unexpected-response', (_, response) => done(`HTTP ${response.statusCode}`));
  });
}
const init = { type: 'connection_init' };
const subscribe = { id: 'one', type: 'subscribe', payload };
const forbidden = {
  'subscribing before connection_init': [4401, { opening: [subscribe] }],
  'a second connection_init': [4429, { opening: [init, init] }],
  'text that is not JSON': [4400, { opening: ['{nope'] }],
  'an unknown type of message': [4400, { opening: [{ type: 'zap' }] }],
  'two live operations of one id': [4409, { opening: [init], then: [subscribe, subscribe] }],
};
for (const [what, [code, script]] of Object.entries(forbidden)) {
  const got = await speak(script);
  checks.check(got === code, `${what} closes with ${code}`, got === code ? '' : `got ${got}`);
}
const pong = await speak({ opening: [init], then: [{ type: 'ping' }], until: 'pong' });
checks.check(pong === 'pong', 'a ping is answered', `got ${pong}`);
const other = await speak({ opening: [init], protocol: 'no-such-protocol', until: 'connection_ack', seconds: 4 });
checks.check(other !== 'connection_ack', 'an unknown protocol is not spoken', `got ${other}`);
stop();
checks.end();
