"""The graphs that operations are tried on: the real one, and a wide one in which every abstract type has several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import graphql
from graphql import GraphQLSchema
from strawberry import Schema

from gateway.api.schema import build_schema
from gateway.model.container import Container
from gateway.model.definition import ItemDefinition
from gateway.model.ids import OWNER, DefinitionRef, OwnerRef
from gateway.model.item import Item
from gateway.model.node import Connection, Edge, Node
from gateway.model.owner import InventoryOwner, show_owner_details
from gateway.model.relations import Relation, attribute, computed, graph_type, loaded
from gateway.model.scalars import BigInt
from gateway.registry import PROVIDERS

# The library's own narrow what they are asked about to types of unknown parts.
_GRAPHQL: Any = graphql
is_abstract: Callable[[Any], bool] = _GRAPHQL.is_abstract_type
is_enum: Callable[[Any], bool] = _GRAPHQL.is_enum_type
is_input_object: Callable[[Any], bool] = _GRAPHQL.is_input_object_type
is_leaf: Callable[[Any], bool] = _GRAPHQL.is_leaf_type
is_list: Callable[[Any], bool] = _GRAPHQL.is_list_type
is_non_null: Callable[[Any], bool] = _GRAPHQL.is_non_null_type
is_object: Callable[[Any], bool] = _GRAPHQL.is_object_type


@graph_type
class Badge(ItemDefinition):
    """A definition of another provider."""

    level: str = attribute("What others tell as a number.")
    worth: BigInt | None = attribute("What it is worth.", default=None)
    flags: list[str | None] | None = attribute("What others never leave out.", default=None)


@graph_type
class Trinket(Item):
    """A holding of another provider; its name is its own."""

    charges: str = attribute("What others tell as a number.")
    badges: list[Badge] | None = loaded(
        "definitions_by_key", "What is pinned to it, none of which may be missing.", key="badge_refs", many=True
    )
    skin_id: int | None = attribute("A number, as others have it.", default=None)

    @property
    def badge_refs(self) -> list[DefinitionRef]:
        """The references of what is pinned to it."""
        return [DefinitionRef(self.owner.provider, f"badge:{number}") for number in range(self.skin_id or 0)]


@graph_type
class Shelf(Container):
    """A container of another provider."""

    size: int | None = attribute("What others always know.", default=None)
    grid: list[list[int]] = attribute("A list of lists.")
    shown: list[list[Item | None] | None] | None = attribute("A list of lists of things.", default=None)

    @computed("What is worked out, and may break.")
    def half(self) -> float | None:
        """Work it out."""
        return None if self.size is None else self.size / 2


@graph_type
class Profile(Node):
    """What another provider tells about an owner; unlike the others, it has an id of its own."""

    id_kind = OWNER

    name: str | None = attribute("What others always know.", default=None)
    owner: InventoryOwner | None = loaded("owners_by_key", "The owner.", key="owner_ref")
    world: str = attribute("What others tell as a number.")

    @property
    def ref(self) -> OwnerRef:
        """The reference of the owner, which is the profile's as well."""
        return OwnerRef("roblox", self.world)

    @property
    def owner_ref(self) -> OwnerRef:
        """The reference of the owner."""
        return self.ref


TYPES = tuple(kind for provider in PROVIDERS.values() for kind in provider.types)
ACCOUNTS = tuple(kind for provider in PROVIDERS.values() for kind in provider.owners)


def _wide() -> Schema:
    try:
        return build_schema((*TYPES, Badge, Trinket, Shelf, Profile), (*ACCOUNTS, Profile))
    finally:
        # The union's members are told to the model, of which there is one.
        show_owner_details(ACCOUNTS)


WIDE = _wide()
REAL = build_schema(TYPES, ACCOUNTS)
SCHEMAS = {"real": REAL, "wide": WIDE}


def graph_of(schema: Schema) -> GraphQLSchema:
    """Give the schema as graphql-core has it."""
    return schema._schema  # pyright: ignore[reportPrivateUsage] -- the library has no other way to it


def class_of(schema: Schema, name: str) -> type:
    """Give the class whose objects a backend returns for a type of the graph."""
    if name.endswith("Connection") and name != "DefinitionConnection":
        return Connection
    if name.endswith("Edge") and name != "DefinitionEdge":
        return Edge
    definition: Any = schema.schema_converter.type_map[name].definition
    return definition.origin


def fields_of(schema: Schema, name: str) -> list[tuple[str, str | None, bool, bool]]:
    """List the fields of a type: the attribute's name, its name in the graph, and whether it is loaded or computed."""
    definition: Any = schema.schema_converter.type_map[name].definition
    shown: Any = graph_of(schema).type_map[name]
    found: list[tuple[str, str | None, bool, bool]] = []
    for field in definition.fields:
        graph_name = schema.config.name_converter.get_graphql_name(field)
        found.append(
            (
                field.python_name,
                graph_name if graph_name in shown.fields else None,
                isinstance(field, Relation),
                field.base_resolver is not None,
            )
        )
    return found
