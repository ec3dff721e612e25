// A second subgraph, derived from the schema of the first: to each entity it adds one field, `checkNote`, which is
// computed from nothing but the key that it was handed.
import { Kind, parse, print, visit } from 'graphql';

const BUILTIN = new Set(['ID', 'String', 'Int', 'Float', 'Boolean']);

/** Tell the name of a type without its lists and exclamation marks. */
const named = (type) => (type.kind === Kind.NAMED_TYPE ? type.name.value : named(type.type));
const keysOf = (type) => (type.directives ?? []).filter((directive) => directive.name.value === 'key');

/** Find what a schema says of itself: its entities, each with its flat keys, and its enums and scalars. */
export function readEntities(sdl) {
  const { definitions } = parse(sdl);
  const kind = (wanted) => definitions.filter((one) => one.kind === wanted);
  const enums = new Map(kind(Kind.ENUM_TYPE_DEFINITION).map((one) => [one.name.value, one]));
  const scalars = new Set(kind(Kind.SCALAR_TYPE_DEFINITION).map((one) => one.name.value));
  const shared = new Set(
    kind(Kind.INTERFACE_TYPE_DEFINITION)
      .filter((one) => keysOf(one).length)
      .map((one) => one.name.value),
  );
  const entities = [],
    members = [];
  for (const type of kind(Kind.OBJECT_TYPE_DEFINITION).filter((one) => keysOf(one).length)) {
    // A member of an entity interface is reached through the interface: the supergraph's suite does that.
    if (type.interfaces.some((one) => shared.has(one.name.value))) {
      members.push(type.name.value);
      continue;
    }
    const isLeaf = (field) =>
      BUILTIN.has(named(field.type)) || enums.has(named(field.type)) || scalars.has(named(field.type));
    for (const directive of keysOf(type)) {
      const names = directive.arguments.find((one) => one.name.value === 'fields').value.value.split(' ');
      entities.push({
        name: type.name.value,
        key: names.map((name) => type.fields.find((field) => field.name.value === name)),
        leaves: type.fields
          .filter((field) => !names.includes(field.name.value) && !field.arguments.length && isLeaf(field))
          .slice(0, 3)
          .map((field) => field.name.value),
      });
    }
  }
  return { entities, members, enums };
}

/** Tell an entity and its key in words. */
export const title = (entity) => `${entity.name}(${names(entity).join(' ')})`;
export const names = (entity) => entity.key.map((field) => field.name.value);
export const field = (entity) => `checkRef_${entity.name}_${names(entity).join('_')}`;
export const note = (entity, reference) => [entity.name, ...names(entity).map((name) => reference[name])].join('|');

/** Write a field of a key as it is declared, as a field or as an argument. */
const declared = (one) => `${one.name.value}: ${print(one.type)}`;

/** Write the second subgraph's schema for some of the entities, no type twice. */
export function secondSdl({ enums }, entities) {
  const types = entities.map(
    (entity) => `type ${entity.name} @key(fields: "${names(entity).join(' ')}") {
  ${entity.key.map(declared).join('\n  ')}
  checkNote: String!
}`,
  );
  const roots = entities.map((entity) => `  ${field(entity)}(${entity.key.map(declared).join(', ')}): ${entity.name}`);
  const needed = new Set(
    entities.flatMap((entity) => entity.key.map((one) => named(one.type))).filter((name) => enums.has(name)),
  );
  return [
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])',
    ...types,
    ...[...needed].map((name) => print(visit(enums.get(name), { Directive: () => null }))),
    `type Query {\n  checkPing: String!\n${roots.join('\n')}\n}`,
  ].join('\n\n');
}

/** Give the second subgraph's resolvers. */
export function secondResolvers(entities) {
  const resolvers = { Query: { checkPing: () => 'pong' } };
  for (const entity of entities) {
    resolvers.Query[field(entity)] = (_, reference) => ({ ...reference });
    resolvers[entity.name] = {
      __resolveReference: (reference) => reference,
      checkNote: (reference) => note(entity, reference),
    };
  }
  return resolvers;
}
