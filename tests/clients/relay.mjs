// Relay: its compiler over a program that uses every Node type and every connection, its runtime over what that makes,
// and a walk through the pages of each connection.
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import relay from 'relay-runtime';
import { plain } from './plain.mjs';
import { writeProgram } from './program.mjs';
import { ask, data, faults, report } from './report.mjs';
import { world } from './world.mjs';

const [url] = process.argv.slice(2);
const checks = report('relay');
const folder = resolve('work/relay');
const plan = writeProgram(plain((await data(url, '{ _service { sdl } }'))._service.sdl), folder);
checks.check(!plan.lacking.length, 'every connection takes first and after', plan.lacking.join(', '));
const compiled = await promisify(execFile)(resolve('node_modules/.bin/relay-compiler'), ['relay.config.json'], {
  cwd: folder,
}).then(
  () => '',
  (error) => `${error.stdout}${error.stderr}`,
);
const size = `${plan.nodes.length} Node types, ${plan.connections.length} connections, ${plan.documents} documents`;
if (!checks.check(!compiled, `relay-compiler compiles ${size}`)) {
  console.log(compiled.split('\n').slice(0, 40).join('\n'));
  checks.end();
}

const { Environment, Network, RecordSource, Store, fetchQuery } = relay;
const store = new Store(new RecordSource());
const environment = new Environment({
  network: Network.create(async ({ text }, variables) => ask(url, text, variables)),
  store,
});
const require = createRequire(`${folder}/src/check.js`);
const run = (name, variables) =>
  fetchQuery(environment, require(`./__generated__/${name}.graphql.js`), variables).toPromise();
const demo = await world(url);

for (const type of plan.nodes) {
  const [thing] = demo.of(type);
  if (!checks.check(thing, `${type} is in the demo`)) continue;
  const { node } = await run(`checkNode${type}Query`, { id: thing.id });
  checks.check(node?.id === thing.id && node.__typename === type, `node brings a ${type} back under its id`);
  const again = await run(`checkRefetch${type}Query`, { id: thing.id });
  checks.check(again.node, `a ${type} is refetched`);
}
for (const id of ['no-id', Buffer.from('["owner","x"]').toString('base64url'), demo.of('Slot')[0].id.slice(0, -4)]) {
  const answer = await ask(url, 'query ($id: ID!) { node(id: $id) { id } }', { id });
  checks.check(
    answer.status < 500 && answer.data?.node === null,
    'an id that names nothing gives null',
    faults(answer),
  );
}

/** Ask one page of a connection of one thing. */
async function page(connection, at, paging) {
  const given = { ...at, ...paging };
  const extra = connection.required.map(({ name, type }) => [name, type]);
  const types = {
    id: 'ID!',
    first: 'Int',
    last: 'Int',
    after: 'String',
    before: 'String',
    ...Object.fromEntries(extra),
  };
  const declared = Object.keys(given)
    .map((name) => `$${name}: ${types[name]}`)
    .join(', ');
  const passed = Object.keys(given)
    .filter((name) => name !== 'id')
    .map((name) => `${name}: $${name}`)
    .join(', ');
  const selection = `connection: ${connection.field}(${passed}) {
    edges { cursor node { __typename ${connection.id} } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }`;
  const query = connection.atRoot ? selection : `node(id: $id) { ... on ${connection.parent} { ${selection} } }`;
  const answer = await ask(url, `query (${declared}) { ${query} }`, given);
  return { ...((connection.atRoot ? answer.data : answer.data?.node)?.connection ?? {}), refusal: faults(answer) };
}

/** Find the thing of a connection's type that holds most in it, and what it holds. */
async function fullest(connection) {
  const places = connection.atRoot ? [{ owners: demo.owners }] : demo.of(connection.parent).map(({ id }) => ({ id }));
  const found = [];
  for (const at of places.slice(0, 60)) {
    const whole = await page(connection, at, { first: 100 });
    if (whole.edges) found.push({ at, whole });
  }
  return found.sort((one, other) => other.whole.edges.length - one.whole.edges.length)[0];
}

const ids = (edges) => JSON.stringify(edges.map((edge) => edge.node?.id ?? edge.cursor));
for (const connection of plan.connections) {
  const { where } = connection;
  if (!connection.paging) {
    checks.skip(where, 'compiled; its parent has no id to find it by');
    continue;
  }
  const { at, whole } = (await fullest(connection)) ?? {};
  if (!at) {
    checks.skip(where, 'compiled; the demo has none that can be read');
    continue;
  }
  const total = whole.edges.length;
  for (const [what, paging] of Object.entries({
    'first: 0': { first: 0 },
    'first: -1': { first: -1 },
    'a made-up cursor': { first: 2, after: 'no-cursor' },
  })) {
    const { edges, refusal } = await page(connection, at, paging);
    checks.check(refusal && !edges, `${where}: ${what} is refused`, refusal);
  }
  if (total < 2) {
    checks.skip(where, `compiled; ${total} rows at most, nothing to page`);
    continue;
  }

  // In pages of a third, so that there are three or more where that can be.
  const first = Math.max(1, Math.floor(total / 3));
  const walked = [];
  let after,
    info,
    isTidy = true,
    isLinked = true;
  do {
    const one = await page(connection, at, { first, ...(after && { after }) });
    isTidy &&=
      one.edges.length <= first &&
      one.pageInfo.startCursor === one.edges[0]?.cursor &&
      one.pageInfo.endCursor === one.edges.at(-1)?.cursor;
    isLinked &&= one.pageInfo.hasNextPage === walked.length + one.edges.length < total;
    walked.push(...one.edges);
    info = one.pageInfo;
    after = info.endCursor;
  } while (info.hasNextPage && walked.length < 2 * total);
  checks.check(isTidy, `${where}: startCursor and endCursor are the edges' own`);
  checks.check(isLinked, `${where}: hasNextPage tells whether there is more`);
  checks.check(
    ids(walked) === ids(whole.edges),
    `${where}: pages joined are the whole list`,
    `${total} rows by ${first}`,
  );
  checks.check(new Set(walked.map((edge) => edge.cursor)).size === total, `${where}: no cursor twice`);
  if (connection.backwards && total > 2) {
    const before = whole.edges[2].cursor;
    const back = await page(connection, at, { last: 2, before });
    checks.check(
      ids(back.edges) === ids(whole.edges.slice(0, 2)),
      `${where}: last and before give the two rows before the third`,
    );
  }
  // Two pages through Relay's own store: its handler of connections has to have joined them.
  await run(connection.paging, { ...at, count: 1, cursor: null });
  const cursor = whole.edges[0].cursor;
  await run(connection.paging, { ...at, count: 2, cursor });
  const key = `__Check${connection.parent}_${connection.field}_connection`;
  const records = store.getSource();
  const joined = records
    .getRecordIDs()
    .filter((id) => id.includes(key) && (connection.atRoot || id.includes(at.id)))
    .map((id) => records.get(id)?.edges?.__refs?.length ?? 0);
  checks.check(
    Math.max(...joined) === Math.min(3, total),
    `${where}: relay-runtime joins two pages in its store`,
    joined.filter(Boolean).join(', '),
  );
}
checks.end();
