"""What a federation router asks of a subgraph: its schema as text, and entities by what other subgraphs know."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple, Protocol, cast

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.federation.schema import FederationAny
from strawberry.types.base import get_object_definition
from strawberry.types.union import StrawberryUnion

from gateway.api.keys import NodeKey
from gateway.model.errors import GatewayError, InvalidInput, LimitExceeded
from gateway.model.ids import DefinitionRef, OwnerRef, decode_id
from gateway.model.manifest import ProviderKey
from gateway.model.relations import Arguments, Keyed, argument, attribute, computed, graph_type, loaded

ANY = strawberry.scalar(
    name="_Any",
    description="A reference to an entity: an object with `__typename` and the fields of one of its keys.",
    serialize=lambda value: value,
    parse_value=lambda value: value,
)

VERSION = "2.9"
"""The version of federation that the schema links: the latest that every composer knows."""

MOST_REFERENCES = 1_000
"""How many entities one field may be asked for; a router asks for those of a whole answer at once."""


class EntityKey(NamedTuple):
    """An entity as another subgraph refers to it: its type's name, and its id, or the key at its provider.

    `fault` says why the reference is none.
    """

    provider: str
    type: str
    id: str | None = None
    key: str | None = None
    fault: str | None = None


class EntitiesArguments(Arguments):
    """Several entities."""

    representations: list[FederationAny] = argument(
        f"The references, at most {MOST_REFERENCES:,}, each with its `__typename` and the fields of one of its keys."
    )

    def check(self) -> None:
        """Raise LimitExceeded for too many references."""
        if len(self.representations) > MOST_REFERENCES:
            raise LimitExceeded(
                f"`representations` has {len(self.representations):,} entries; the most is {MOST_REFERENCES:,}."
            )

    @property
    def keys(self) -> list[EntityKey]:
        """The loader's keys; a reference that is none fails alone, in the loader."""
        return [_key(cast("object", one)) for one in self.representations]


def _key(representation: object) -> EntityKey:
    given = cast("dict[str, object]", representation) if isinstance(representation, dict) else {}
    name, node_id, key = given.get("__typename"), given.get("id"), given.get("key")
    if not isinstance(name, str):
        return EntityKey("", "", fault="A reference is an object with `__typename`.")
    if isinstance(node_id, str):
        try:
            return EntityKey(decode_id(node_id)[1].provider, name, id=node_id)
        except InvalidInput as error:
            return EntityKey("", name, fault=error.message)
    provider = given.get("provider")
    if "id" not in given and isinstance(key, str) and isinstance(provider, str) and provider in ProviderKey.__members__:
        return EntityKey(ProviderKey[provider].value, name, key=key)
    return EntityKey(
        "",
        name,
        fault=f"A reference to `{name[:100]}` has its `id`, or, where that is a key, its `provider` and `key`.",
    )


class Loading(Protocol):
    """What finding an entity needs of the request's loaders."""

    def one(self, loader: str, key: Keyed) -> Awaitable[Any]:
        """Give the value of one key."""
        ...


async def entity_by_reference(loaders: Loading, key: EntityKey) -> Any:
    """Find an entity; None where there is none, InvalidInput where the reference is no good or is to another type."""
    if key.fault is not None:
        raise InvalidInput(key.fault)
    if key.id is not None:
        found = await loaders.one("node_by_id", NodeKey(key.provider, key.id))
    elif key.type == "InventoryOwner":
        found = await loaders.one("owner_by_input", OwnerRef(key.provider, key.key or ""))
    else:
        found = await loaders.one("definitions_by_key", DefinitionRef(key.provider, key.key or ""))
    if found is not None and not isinstance(found, GatewayError) and key.type not in _names(cast("Any", type(found))):
        raise InvalidInput(f"What is referred to is no `{key.type[:100]}`.")
    return found


def _names(kind: type) -> set[str]:
    """Name a type and its interfaces, as far as they are entities."""
    definition = get_object_definition(kind, strict=True)
    kinds: list[Any] = [definition, *definition.interfaces]
    return {one.name for one in kinds if getattr(one.origin, "entity_keys", ())}


@graph_type(name="_Service")
class Service:
    """This subgraph, as a federation router sees it."""

    sdl: str = attribute("The schema in the schema definition language, with its federation directives.")


def federated(query: type[Any], types: Iterable[type[Any]], sdl: Callable[[], str]) -> type[Any]:
    """Give the query type with the fields that routers ask; `types` are those that may be entities."""
    entities = [kind for kind in types if getattr(kind, "entity_keys", ()) and _is_object(kind)]
    union = StrawberryUnion(
        name="_Entity",
        type_annotations=tuple(StrawberryAnnotation(kind) for kind in entities),
        description="Whatever other subgraphs may refer to.",
    )
    found = loaded(
        "entity_by_reference",
        "Things by what other subgraphs know of them, in the order asked; null for what does not exist.",
        key=lambda asked: asked.keys,
        many=True,
        arguments=EntitiesArguments,
    )
    found.graphql_name = "_entities"

    def service(self: object) -> Service:
        del self  # the root has nothing of its own
        return Service(sdl=sdl())

    namespace = {
        "__doc__": query.__doc__,
        "__annotations__": {"entities": list[cast("Any", union) | None]},
        "entities": found,
        "service": computed("This subgraph's schema, for federation routers.", name="_service")(service),
    }
    return graph_type(name="Query")(type("Query", (query,), namespace))


def _is_object(kind: type[Any]) -> bool:
    return get_object_definition(kind, strict=True).is_object_type
