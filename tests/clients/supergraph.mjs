// The example of deploy/federation as it stands there: composed by two composers, and asked through two routers for
// what needs both of its subgraphs.
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { composeServices as guildCompose } from '@theguild/federation-composition';
import { buildSchema, parse } from 'graphql';
import { createClient } from 'graphql-sse';
import { collect, judge } from './events.mjs';
import { listenBefore } from './listener.mjs';
import { plain } from './plain.mjs';
import { ask, data, faults, freePort, report } from './report.mjs';
import { answers, apolloGateway, hiveGateway, stop, stopRouters } from './routers.mjs';
import { world } from './world.mjs';
import { SUBSCRIPTION, writing } from './writes.mjs';

const [url] = process.argv.slice(2);
const checks = report('supergraph');
const example = resolve('../../deploy/federation');
const folder = 'work/supergraph';
const INVENTORY = 'http://127.0.0.1:8000/graphql',
  WIKI = 'http://127.0.0.1:4001/';
const read = (path) => readFileSync(resolve(example, path), 'utf8');
const equal = (one, other) => JSON.stringify(one) === JSON.stringify(other);
mkdirSync(folder, { recursive: true });

// 1. Composing.
const stale = await promisify(execFile)('node', ['compose.mjs', '--check'], { cwd: example }).then(
  () => '',
  (error) => error.stderr,
);
checks.check(!stale, '@apollo/composition composes, and supergraph.graphql is what it makes', stale);
const sdl = read('../../schema.graphql');
const guild = guildCompose([
  { name: 'inventory', url: INVENTORY, typeDefs: parse(sdl) },
  { name: 'wiki', url: WIKI, typeDefs: parse(read('wiki/schema.graphql')) },
]);
checks.check(guild.supergraphSdl, '@theguild/federation-composition composes', faults(guild));

// 2. The wiki, and a listener before each subgraph.
const PORT = String(await freePort());
const wikiUrl = `http://127.0.0.1:${PORT}/`;
const wiki = spawn('node', ['wiki/server.mjs'], { cwd: example, stdio: 'ignore', env: { ...process.env, PORT } });
if (!checks.check(await answers(wikiUrl, wiki), 'the wiki answers')) checks.end();
const inventory = await listenBefore(url);
const pages = await listenBefore(wikiUrl);

// 3. What to ask: the gateway's part has to be what it answers by itself, the wiki's what belongs to the key beside it.
const demo = await world(url);
const owners = demo.owners.filter(({ provider }) => provider === 'GUILD_WARS_2');
const schema = buildSchema(plain(sdl));
const types = schema.getPossibleTypes(schema.getType('ItemDefinition')).map(({ name }) => name);
const definitions = types.flatMap((type) => demo.of(type).slice(0, 1));
checks.check(definitions.length === types.length, 'every type of definition is in the demo', types.join(', '));

// See gateway.config.mjs.
const NOT_HIVE =
  'Hive gateway gives null for what an interface object adds, unless it is asked of the interface itself';
const QUESTIONS = [
  [
    'an owner, with page and notes',
    1,
    { owner: owners[0] },
    `query ($owner: OwnerInput!) {
    inventoryOwner(owner: $owner) { provider key profile notes { text } name inventory { isVisible } } }`,
  ],
  ['every owner, with pages', demo.owners.length, {}, '{ inventoryViewer { owners { provider key profile name } } }'],
  ...[...new Set(definitions.map(({ provider }) => provider))].map((provider) => {
    const keys = definitions.filter((one) => one.provider === provider).map(({ key }) => key);
    return [
      `definitions of ${provider}, of ${keys.length} types`,
      keys.length,
      { provider, keys },
      `query ($provider: ProviderKey!, $keys: [String!]!) {
        itemDefinitions(provider: $provider, keys: $keys) { __typename provider key name wikiUrl } }`,
    ];
  }),
  [
    'items of every inventory, with pages',
    40,
    {},
    `{ inventoryViewer { owners { provider key profile inventory {
    items(first: 20) { nodes { __typename id definition { __typename provider key name wikiUrl } } } } } } }`,
  ],
  [
    'what a search finds, with pages',
    20,
    { owners: demo.owners },
    `query ($owners: [OwnerInput!]!) {
    searchItems(owners: $owners, first: 30) { edges { node { id definition { provider key wikiUrl rarity } } } } }`,
  ],
  [
    'what one type has beside what all have',
    10,
    { owner: owners[0] },
    `query ($owner: OwnerInput!) {
    inventory(owner: $owner) { items(first: 30) { nodes { definition {
      provider key wikiUrl ... on GuildWars2ItemDefinition { level flags } } } } } }`,
  ],
  [
    'definitions by id',
    definitions.length,
    { ids: definitions.map(({ id }) => id) },
    `query ($ids: [ID!]!) {
    nodes(ids: $ids) { __typename id ... on ItemDefinition { provider key wikiUrl } } }`,
    NOT_HIVE,
  ],
  [
    'definitions of one type',
    2,
    { owner: owners[0] },
    `query ($owner: OwnerInput!) {
    inventory(owner: $owner) { items(first: 30) { nodes {
      ... on GuildWars2Item { skin { provider key wikiUrl flags } upgrades { provider key wikiUrl level } } } } } }`,
    NOT_HIVE,
  ],
];

const OWN = ['wikiUrl', 'profile', 'notes'];
const alone = (query) => query.replaceAll(/\b(wikiUrl|profile|notes \{[^}]*\})/g, '');
const cut = (found) => JSON.parse(JSON.stringify(found, (name, value) => (OWN.includes(name) ? undefined : value)));
const page = (kind, { provider, key }) =>
  `https://wiki.example/${kind}/${provider.toLowerCase()}/${key.split('/').map(encodeURIComponent).join('/')}`;

/** Collect what the wiki wrote into an answer, each beside what it should have written. */
function written(value, found = []) {
  if (value && typeof value === 'object') {
    if ('wikiUrl' in value) found.push([value.wikiUrl, page('items', value)]);
    if ('profile' in value) found.push([value.profile, page('owners', value)]);
    Object.values(value).forEach((inner) => written(inner, found));
  }
  return found;
}

async function through(router, address) {
  const check = (holds, what, note) => checks.check(holds, `${router}: ${what}`, note);
  for (const [what, least, variables, query, lacking] of QUESTIONS) {
    if (lacking && router === '@graphql-hive/gateway') {
      checks.skip(`${router}: ${what}`, lacking);
      continue;
    }
    const got = await ask(address, query, variables);
    const expected = await data(url, alone(query), variables);
    const pairs = written(got.data);
    const isRight = pairs.length >= least && pairs.every(([is, should]) => is === should);
    check(isRight && !got.errors && equal(cut(got.data), expected), what, faults(got) || `${pairs.length} pages`);
  }

  const HELD = 'id name inventory { id isVisible containers(first: 2) { nodes { name } } }';
  const month = await ask(address, `{ ownerOfTheMonth { ${HELD} profile notes { text } } }`);
  const own = await data(url, `query ($owner: OwnerInput!) { inventoryOwner(owner: $owner) { ${HELD} } }`, {
    owner: owners[0],
  });
  const isFilled =
    month.data?.ownerOfTheMonth?.notes.length && equal(cut(month.data.ownerOfTheMonth), own.inventoryOwner);
  check(isFilled && !month.errors, "the wiki's reference to an owner is filled by the inventories", faults(month));

  const item = await ask(
    address,
    `{ itemOfTheMonth { __typename id name wikiUrl ... on GuildWars2ItemDefinition { level } } }`,
  );
  const { __typename: type, name, level, wikiUrl } = item.data?.itemOfTheMonth ?? {};
  const isTyped = type === 'GuildWars2ItemDefinition' && name && Number.isInteger(level) && wikiUrl;
  check(isTyped && !item.errors, "the wiki's reference to a definition gets its type", faults(item) || type);

  const [known] = definitions.filter(({ provider }) => provider === 'GUILD_WARS_2');
  const keys = ['item:999999999', known.key, 'color:999999999'];
  const gaps = await ask(
    address,
    `query ($keys: [String!]!) {
    itemDefinitions(provider: GUILD_WARS_2, keys: $keys) { provider key name wikiUrl } }`,
    { keys },
  );
  const [first, second, third] = gaps.data?.itemDefinitions ?? [];
  const isWhole = first === null && third === null && second?.name && second.wikiUrl === page('items', known);
  check(isWhole && !gaps.errors, 'definitions that do not exist are null, and the others whole', faults(gaps));
  const nobody = await ask(
    address,
    '{ inventoryOwner(owner: { provider: GUILD_WARS_2, key: "Nobody.0000" }) { profile } }',
  );
  check(nobody.data?.inventoryOwner === null && !nobody.errors, 'an owner that does not exist is null', faults(nobody));

  inventory.heard.length = pages.heard.length = 0;
  const sent = { authorization: 'Bearer nobody', 'x-credential-roblox-key': 'nothing', cookie: 'a=b', 'x-other': 'c' };
  await ask(
    address,
    '{ ownerOfTheMonth { profile name } itemDefinitions(provider: ROBLOX, keys: ["badge:501"]) { wikiUrl } }',
    {},
    sent,
  );
  const came = ({ heard }, header) => heard.filter((headers) => headers[header] === sent[header]).length;
  const all = inventory.heard.length;
  const isTold = all && came(inventory, 'authorization') === all && came(inventory, 'x-credential-roblox-key') === all;
  check(isTold, 'credentials reach the inventories', `${all} requests`);
  check(
    !came(inventory, 'cookie') && !came(inventory, 'x-other'),
    'nothing else of the caller reaches the inventories',
  );
  const isSilent = pages.heard.length && !Object.keys(sent).some((header) => came(pages, header));
  check(isSilent, 'nothing of the caller reaches the wiki', `${pages.heard.length} requests`);

  // `@apollo/gateway` has no subscriptions.
  if (router !== '@graphql-hive/gateway') return;
  inventory.heard.length = 0;
  const writes = await writing(url);
  const client = createClient({
    url: address,
    singleConnection: false,
    retryAttempts: 0,
    fetchFn: fetch,
    headers: sent,
  });
  const { holds, note } = judge(await collect(client, { query: SUBSCRIPTION, variables: writes.variables }));
  writes.stop();
  check(holds && came(inventory, 'x-credential-roblox-key') === 1, 'a subscription, with the credentials', note);
}

// 4. Both routers. What the second reads from gateway.config.mjs, the first is told here.
const isCredential = (name) => name === 'authorization' || name.startsWith('x-credential-');
function prepare(subgraph, request, { headers = {} }) {
  if (subgraph !== 'inventory') return;
  Object.entries(headers)
    .filter(([name]) => isCredential(name))
    .forEach((one) => request.http.headers.set(...one));
}
const supergraph = read('supergraph.graphql').replace(INVENTORY, inventory.address).replace(WIKI, pages.address);
const file = resolve(folder, 'supergraph.graphql');
writeFileSync(file, supergraph);
const routers = {
  '@apollo/gateway': () => apolloGateway(supergraph, prepare),
  '@graphql-hive/gateway': () => hiveGateway(file, resolve(example, 'gateway.config.mjs')),
};
for (const [router, start] of Object.entries(routers)) {
  try {
    await through(router, await start());
  } catch (error) {
    checks.check(false, `${router} can be asked`, error.stack);
  }
}
await stopRouters();
await stop(wiki);
checks.end();
