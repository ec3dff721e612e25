// A subgraph's schema as plain GraphQL, for tools that know nothing of federation.
import { buildASTSchema, parse, print, visit } from 'graphql';

const MACHINERY = /^(_Any|_Entity|_Service)$/;
const BUILTIN = ['deprecated', 'specifiedBy', 'oneOf'];

/** Take the federation's directives, types and fields out of a schema. */
export function plain(sdl) {
  const document = parse(sdl);
  const drop = (node) => (MACHINERY.test(node.name.value) ? null : undefined);
  const cut = visit(document, {
    // What is left of the schema's definition tells the names of the roots, which are the usual ones.
    SchemaDefinition: () => null,
    SchemaExtension: () => null,
    Directive: (node) => (BUILTIN.includes(node.name.value) ? undefined : null),
    DirectiveDefinition: () => null,
    FieldDefinition: (node) => (/^_(service|entities)$/.test(node.name.value) ? null : undefined),
    ScalarTypeDefinition: drop,
    UnionTypeDefinition: drop,
    ObjectTypeDefinition: drop,
  });
  buildASTSchema(cut);
  return `${print(cut)}\n`;
}
