// Writes a Relay program for whatever a schema declares: a refetchable fragment for every Node type, and one that is
// paged for every connection.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { buildSchema, getNamedType, isLeafType, isObjectType, isRequiredArgument } from 'graphql';

const upper = (name) => name[0].toUpperCase() + name.slice(1);

/** Write the program to a folder, and tell what is in it. */
export function writeProgram(sdl, folder) {
  const schema = buildSchema(sdl);
  const query = schema.getQueryType();
  const node = schema.getType('Node');
  const nodes = schema.getPossibleTypes(node).map((type) => type.name);
  const documents = [],
    connections = [],
    lacking = [];

  for (const type of schema.getPossibleTypes(node)) {
    const leaves = Object.values(type.getFields()).filter(
      (field) => isLeafType(getNamedType(field.type)) && !field.args.some(isRequiredArgument),
    );
    // A query of its own for each: two types may give one name to fields that differ in nullability.
    documents.push(
      `fragment checkNode${type.name} on ${type.name} @refetchable(queryName: "checkRefetch${type.name}Query") {
        ${leaves.map((field) => field.name).join(' ')} }`,
      `query checkNode${type.name}Query($id: ID!) { node(id: $id) { __typename id ...checkNode${type.name} @alias } }`,
    );
  }
  const others = [schema.getMutationType(), schema.getSubscriptionType()];
  const parents = Object.values(schema.getTypeMap()).filter(
    (type) => isObjectType(type) && !type.name.startsWith('__') && !others.includes(type),
  );
  for (const parent of parents) {
    for (const field of Object.values(parent.getFields())) {
      const connection = getNamedType(field.type);
      if (!connection.name.endsWith('Connection')) continue;
      const where = `${parent.name}.${field.name}`;
      const argument = (name) => field.args.find((one) => one.name === name);
      if (!argument('first') || !argument('after')) {
        lacking.push(where);
        continue;
      }
      const held = getNamedType(getNamedType(connection.getFields().edges.type).getFields().node.type);
      const id = held.getFields?.().id ? 'id' : '';
      const required = field.args.filter((one) => isRequiredArgument(one));
      const isPaged = parent === query || parent.getInterfaces().includes(node);
      const name = `check${parent.name}${upper(field.name)}`;
      const paging = isPaged ? `${name}PageQuery` : null;
      const declared = [
        'count: { type: "Int", defaultValue: 5 }',
        'cursor: { type: "String" }',
        ...required.map((one) => `${one.name}: { type: "${one.type}" }`),
      ];
      const given = ['first: $count', 'after: $cursor', ...required.map((one) => `${one.name}: $${one.name}`)];
      documents.push(`fragment ${name} on ${parent.name} ${paging ? `@refetchable(queryName: "${paging}")` : ''}
        @argumentDefinitions(${declared.join(', ')}) {
          ${field.name}(${given.join(', ')}) @connection(key: "Check${parent.name}_${field.name}") {
            edges { node { __typename ${id} } } } }`);
      connections.push({
        where,
        parent: parent.name,
        field: field.name,
        paging,
        id,
        atRoot: parent === query,
        required: required.map(({ name: of, type }) => ({ name: of, type: String(type) })),
        backwards: Boolean(argument('last') && argument('before')),
      });
    }
  }

  rmSync(folder, { recursive: true, force: true });
  mkdirSync(`${folder}/src`, { recursive: true });
  const tagged = documents.map((document) => `graphql\`${document}\`;`);
  writeFileSync(`${folder}/package.json`, '{"type":"commonjs"}');
  writeFileSync(`${folder}/schema.graphql`, sdl);
  writeFileSync(`${folder}/src/check.js`, `const { graphql } = require('relay-runtime');\n${tagged.join('\n')}\n`);
  const config = { src: './src', schema: './schema.graphql', language: 'javascript', eagerEsModules: false };
  writeFileSync(`${folder}/relay.config.json`, JSON.stringify(config));
  return { nodes, connections, lacking, documents: documents.length };
}
