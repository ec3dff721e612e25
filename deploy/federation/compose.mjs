// Composes the subgraphs of supergraph.yaml into supergraph.graphql; with --check, says whether that is still theirs.
import { readFileSync, writeFileSync } from 'node:fs';
import { composeServices } from '@apollo/composition';
import { parse as parseSchema } from 'graphql';
import { parse } from 'yaml';

const at = (path) => new URL(path, import.meta.url);
const { subgraphs } = parse(readFileSync(at('supergraph.yaml'), 'utf8'));
const services = Object.entries(subgraphs).map(([name, { routing_url: url, schema }]) => ({
  name,
  url,
  typeDefs: parseSchema(readFileSync(at(schema.file), 'utf8')),
}));
const { supergraphSdl, errors = [] } = composeServices(services);
errors.forEach((error) => console.error(error.message));
if (errors.length) process.exit(1);

const file = at('supergraph.graphql');
const text = `# Made by compose.mjs; do not edit.\n${supergraphSdl}`;
if (!process.argv.includes('--check')) {
  writeFileSync(file, text);
} else if (readFileSync(file, 'utf8') !== text) {
  console.error('supergraph.graphql is stale: run `npm run compose` in deploy/federation');
  process.exit(1);
}
