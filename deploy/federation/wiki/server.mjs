// A wiki as a subgraph: it adds pages and notes to the gateway's owners and definitions, of which it knows the keys.
import { readFileSync } from 'node:fs';
import { ApolloServer } from '@apollo/server';
import { ApolloServerPluginInlineTraceDisabled } from '@apollo/server/plugin/disabled';
import { startStandaloneServer } from '@apollo/server/standalone';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { parse } from 'graphql';

const NOTES = new Map([
  ['GUILD_WARS_2 Tester.1234', [{ author: 'A reader', text: 'Has two characters, and a coat of oak.' }]],
]);
const page = (kind, { provider, key }) =>
  `https://wiki.example/${kind}/${provider.toLowerCase()}/${key.split('/').map(encodeURIComponent).join('/')}`;

const resolvers = {
  Query: {
    ownerOfTheMonth: () => ({ provider: 'GUILD_WARS_2', key: 'Tester.1234' }),
    itemOfTheMonth: () => ({ provider: 'GUILD_WARS_2', key: 'item:19721' }),
  },
  InventoryOwner: {
    __resolveReference: (reference) => reference,
    profile: (owner) => page('owners', owner),
    notes: ({ provider, key }) => NOTES.get(`${provider} ${key}`) ?? [],
  },
  ItemDefinition: {
    __resolveReference: (reference) => reference,
    wikiUrl: (definition) => page('items', definition),
  },
};

const typeDefs = parse(readFileSync(new URL('schema.graphql', import.meta.url), 'utf8'));
const server = new ApolloServer({
  schema: buildSubgraphSchema({ typeDefs, resolvers }),
  introspection: false,
  plugins: [ApolloServerPluginInlineTraceDisabled()],
});
const listen = { host: '127.0.0.1', port: Number(process.env.PORT ?? 4001) };
const { url } = await startStandaloneServer(server, { listen });
console.log(`The wiki listens at ${url}`);
