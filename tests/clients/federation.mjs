// Federation: the `_entities` contract spoken directly, two composers, and two routers that cross from the gateway to a
// derived second subgraph and back, for every entity and each of its keys.
import { mkdirSync, writeFileSync } from 'node:fs';
import { composeServices as apolloCompose } from '@apollo/composition';
import { ApolloServer } from '@apollo/server';
import { ApolloServerPluginInlineTraceDisabled } from '@apollo/server/plugin/disabled';
import { startStandaloneServer } from '@apollo/server/standalone';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { composeServices as guildCompose } from '@theguild/federation-composition';
import { parse, print } from 'graphql';
import { ask, data, faults, freePort, report } from './report.mjs';
import { apolloGateway, hiveGateway, stopRouters } from './routers.mjs';
import { field, names, note, readEntities, secondResolvers, secondSdl, title } from './second.mjs';
import { world } from './world.mjs';

const [url] = process.argv.slice(2);
const checks = report('federation');
const folder = 'work/federation';
mkdirSync(folder, { recursive: true });
const equal = (one, other) => JSON.stringify(one) === JSON.stringify(other);

const { sdl } = (await data(url, '{ _service { sdl } }'))._service;
checks.check(/specs\.apollo\.dev\/federation\/v2/.test(sdl), 'the schema links federation 2');
const model = readEntities(sdl);
const { entities, members } = model;
const demo = await world(url);

// 1. References, as a router sends them.
for (const entity of entities) {
  const asked = [...names(entity), ...entity.leaves];
  const ids = demo
    .of(entity.name)
    .slice(0, 3)
    .map((thing) => thing.id);
  if (!checks.check(ids.length, `${title(entity)} is in the demo`)) continue;
  const selection = `__typename ... on ${entity.name} { ${asked.join(' ')} }`;
  const read = (await data(url, `query ($ids: [ID!]!) { nodes(ids: $ids) { ${selection} } }`, { ids })).nodes;
  Object.assign(entity, { ids, asked: asked.join(' '), samples: read });
  const reference = (row) => Object.fromEntries(['__typename', ...names(entity)].map((name) => [name, row[name]]));
  const resolve = (given) =>
    ask(url, `query ($given: [_Any!]!) { _entities(representations: $given) { ${selection} } }`, { given });
  const picked = [read[0], read.at(-1), read[0]];
  const back = await resolve(picked.map(reference));
  checks.check(
    equal(back.data?._entities, picked),
    `${title(entity)} comes back in order, a repeat included`,
    faults(back),
  );
  // Of a key of several fields the last is the free one.
  const unknown = { ...reference(read[0]), [names(entity).at(-1)]: 'no-such-key' };
  const mixed = await resolve([reference(picked[0]), unknown, reference(picked[1])]);
  const whole = equal(mixed.data?._entities, [picked[0], null, picked[1]]);
  checks.check(whole, `${title(entity)}: one that is unknown is null beside the others`, faults(mixed));
}
const odd = await ask(url, '{ _entities(representations: [{ __typename: "NoSuchType", id: "x" }]) { __typename } }');
checks.check(
  odd.errors?.length === 1 && equal(odd.data?._entities, [null]),
  'an unknown type is refused alone',
  faults(odd),
);
checks.check(
  members.every((name) => demo.of(name).length),
  'members of entity interfaces are in the demo',
  members.join(', '),
);

// 2. Composers and routers. One second subgraph can have a type but once, so each further key is a round of its own.
const rounds = [];
for (const entity of entities.filter((one) => one.samples)) {
  const free = rounds.find((round) => !round.some((one) => one.name === entity.name));
  if (free) free.push(entity);
  else rounds.push([entity]);
}

async function cross(router, address, round) {
  const { data: pong } = await ask(address, '{ checkPing }');
  if (!checks.check(pong?.checkPing === 'pong', `${router} answers`)) return;
  for (const entity of round) {
    const selection = `__typename ... on ${entity.name} { ${entity.asked} checkNote }`;
    const there = await ask(address, `query ($ids: [ID!]!) { nodes(ids: $ids) { ${selection} } }`, entity);
    const noted = entity.samples.map((row) => ({ ...row, checkNote: note(entity, row) }));
    checks.check(
      equal(there.data?.nodes, noted),
      `${router}: ${title(entity)} takes the other subgraph's field`,
      faults(there),
    );
    // Not the first: who gives the same row to everyone must not pass.
    const row = entity.samples.at(-1);
    const declared = entity.key.map((one) => `$${one.name.value}: ${print(one.type)}`).join(', ');
    const given = names(entity)
      .map((name) => `${name}: $${name}`)
      .join(', ');
    const back = await ask(address, `query (${declared}) { back: ${field(entity)}(${given}) { ${selection} } }`, row);
    checks.check(
      equal(back.data?.back, { ...row, checkNote: note(entity, row) }),
      `${router}: a reference to ${title(entity)} is filled`,
      faults(back),
    );
  }
}

for (const [index, round] of rounds.entries()) {
  const port = await freePort();
  const typeDefs = secondSdl(model, round);
  const services = [
    { name: 'gateway', url, typeDefs: parse(sdl) },
    { name: 'second', url: `http://127.0.0.1:${port}/`, typeDefs: parse(typeDefs) },
  ];
  const apollo = apolloCompose(services);
  const hints = (apollo.hints ?? []).map((hint) => hint.message);
  checks.check(
    apollo.supergraphSdl && !hints.length,
    '@apollo/composition composes, without a hint',
    faults(apollo) || hints,
  );
  const guild = guildCompose(services);
  checks.check(guild.supergraphSdl, '@theguild/federation-composition composes', faults(guild));
  if (!apollo.supergraphSdl || !guild.supergraphSdl) continue;
  const schema = buildSubgraphSchema({ typeDefs: parse(typeDefs), resolvers: secondResolvers(round) });
  const second = new ApolloServer({ schema, plugins: [ApolloServerPluginInlineTraceDisabled()] });
  await startStandaloneServer(second, { listen: { port, host: '127.0.0.1' } });
  const file = `${folder}/supergraph-${index + 1}.graphql`;
  writeFileSync(file, guild.supergraphSdl);
  const routers = {
    '@apollo/gateway': () => apolloGateway(apollo.supergraphSdl),
    '@graphql-hive/gateway': () => hiveGateway(file),
  };
  for (const [router, start] of Object.entries(routers)) {
    const address = await start().catch((error) => checks.check(false, `${router} starts`, error.message) || null);
    if (address) await cross(router, address, round);
  }
  await second.stop();
}
await stopRouters();
checks.end();
