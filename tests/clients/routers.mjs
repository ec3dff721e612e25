// Two routers of two makers, each started over a supergraph on a port of its own.
import { spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { ApolloGateway, RemoteGraphQLDataSource } from '@apollo/gateway';
import { ApolloServer } from '@apollo/server';
import { startStandaloneServer } from '@apollo/server/standalone';
import { ask, freePort, pause } from './report.mjs';

const host = '127.0.0.1';
const started = [];

/** Start what `@apollo/gateway` makes of a supergraph; `prepare` sees each request to a subgraph. */
export async function apolloGateway(supergraphSdl, prepare = () => {}) {
  const gateway = new ApolloGateway({
    supergraphSdl,
    buildService: ({ name, url }) =>
      Object.assign(new RemoteGraphQLDataSource({ url }), {
        willSendRequest: ({ request, context }) => prepare(name, request, context),
      }),
  });
  const server = new ApolloServer({ gateway });
  const context = async ({ req }) => ({ headers: req.headers });
  const { url } = await startStandaloneServer(server, { context, listen: { host, port: await freePort() } });
  started.push(() => server.stop());
  return url;
}

/** Start Hive gateway over a file with a supergraph, or with a configuration that reads that file itself. */
export async function hiveGateway(file, config) {
  const port = await freePort();
  const log = `${file}.hive.log`;
  const output = openSync(log, 'w');
  const child = spawn(
    'node_modules/.bin/hive-gateway',
    [
      ...(config ? ['--config-path', config] : []),
      '--host',
      host,
      '--port',
      String(port),
      'supergraph',
      ...(config ? [] : [file]),
    ],
    { stdio: ['ignore', output, output], env: { ...process.env, NODE_ENV: 'production', SUPERGRAPH: file } },
  );
  started.push(() => stop(child));
  const url = `http://${host}:${port}/graphql`;
  if (await answers(url, child)) return url;
  throw new Error(readFileSync(log, 'utf8').slice(-400));
}

/** Wait until an endpoint answers; give up when its process has ended, or after half a minute. */
export async function answers(url, child) {
  for (let tries = 0; tries < 150 && child.exitCode === null; tries++) {
    const { status } = await ask(url, '{ __typename }').catch(() => ({}));
    if (status === 200) return true;
    await pause(200);
  }
  return false;
}

/** End a process, gently at first. */
export function stop(child) {
  if (child.exitCode !== null) return undefined;
  return new Promise((ended) => {
    child.once('exit', ended);
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), 2_500).unref();
  });
}

/** End every router. */
export const stopRouters = () => Promise.all(started.map((end) => Promise.race([end(), pause(3_000)]).catch(() => {})));
