"""Selections of every field of a type and of the types below it, and what is found in their answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from graphql import (
    DefinitionNode,
    DocumentNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    ObjectTypeDefinitionNode,
    UnionTypeDefinitionNode,
    build_ast_schema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
    parse,
)

from gateway.app import Gateway
from gateway.registry import PROVIDERS, Provider

Composite = GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType

# Of every thing but the first in a query, who holds it and where it lies is left out: it leads back up.
BACK = {"inventory", "owner", "parent", "container", "slot"}


def schema_of(gateway: Gateway, provider: Provider) -> GraphQLSchema:
    """Give the schema without the types of other providers: with all of them selections would soon be too large."""
    others = tuple(one.manifest.title.replace(" ", "") for one in PROVIDERS.values() if one is not provider)
    kept: list[DefinitionNode] = []
    for node in parse(gateway.schema.as_str()).definitions:
        if isinstance(node, ObjectTypeDefinitionNode) and node.name.value.startswith(others):
            continue
        if isinstance(node, UnionTypeDefinitionNode):
            mine = tuple(one for one in node.types or () if not one.name.value.startswith(others))
            kept.append(UnionTypeDefinitionNode(name=node.name, types=mine))
        else:
            kept.append(node)
    return build_ast_schema(DocumentNode(definitions=tuple(kept)), assume_valid_sdl=True)


def selection(
    schema: GraphQLSchema, parent: Composite, depth: int, given: Mapping[str, str], back: bool = False
) -> str:
    """Select every leaf of a type and of the types below it, as deep as told, in every concrete type by itself."""
    if not isinstance(parent, GraphQLObjectType):
        parts = [
            f"... on {concrete.name} {selection(schema, concrete, depth, given, back)}"
            for concrete in concretes(schema, parent)
        ]
        return "{ __typename " + " ".join(parts) + " }"
    return "{ __typename " + " ".join(fields(schema, parent, depth, given, back)) + " }"


def concretes(schema: GraphQLSchema, abstract: GraphQLInterfaceType | GraphQLUnionType) -> list[GraphQLObjectType]:
    return [*schema.get_possible_types(abstract)]


def fields(
    schema: GraphQLSchema, parent: GraphQLObjectType, depth: int, given: Mapping[str, str], back: bool
) -> Iterator[str]:
    for name, found in parent.fields.items():
        # Types that share an interface are selected side by side: equal names with other types would clash.
        written = f"{parent.name}_{name}: {name}{arguments(name, found, given)}"
        below = cast("Composite", get_named_type(found.type))
        if name == "node" and parent.name.endswith("Edge"):
            # It is among the nodes beside the edges.
            continue
        if is_leaf_type(below):
            yield written
        elif depth and (back or name not in BACK):
            yield f"{written} {selection(schema, below, depth - 1, given)}"


def arguments(name: str, found: GraphQLField, known: Mapping[str, str]) -> str:
    required = [argument for argument, kind in found.args.items() if is_required_argument(kind)]
    given = [f"{argument}: {known[f'{name}({argument})']}" for argument in required]
    return f"({', '.join(given)})" if given else ""


def composite(schema: GraphQLSchema, name: str) -> Composite:
    found: Any = schema.type_map[name]
    return found


def typenames(value: Any) -> Iterator[str]:
    """Give the names of the types in an answer."""
    if type(value) is dict and "__typename" in value:
        yield value["__typename"]
    for inner in within(value):
        yield from typenames(inner)


def strings(value: Any) -> Iterator[str]:
    """Give every text in an answer."""
    if type(value) is str:
        yield value
    for inner in within(value):
        yield from strings(inner)


def within(value: Any) -> list[Any]:
    kind = type(value).__name__
    return [*value.values()] if kind == "dict" else [*value] if kind == "list" else []
