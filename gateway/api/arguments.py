"""The arguments of the root fields, and the keys that they make."""

from __future__ import annotations

import strawberry

from gateway.api.keys import NodeKey, SearchKey
from gateway.model.arguments import ItemArguments, OwnerInput, check_count
from gateway.model.errors import InvalidInput
from gateway.model.ids import DefinitionRef, OwnerRef, decode_id
from gateway.model.manifest import ProviderKey
from gateway.model.paging import PAGE_CAP
from gateway.model.relations import Arguments, argument


def owner_key(owner: OwnerInput) -> OwnerRef:
    """Refer to the owner as it was asked for: the key may still be `me`."""
    return OwnerRef(owner.provider.value, owner.key)


class NodeArguments(Arguments):
    """One thing by id."""

    id: strawberry.ID = argument("The id of anything in this graph.")

    @property
    def key(self) -> NodeKey:
        """The loader's key."""
        return node_key(self.id)


def node_key(node_id: str) -> NodeKey:
    """Make the key of a thing; InvalidInput where the id is none of this graph."""
    _, ref = decode_id(node_id)
    return NodeKey(ref.provider, node_id)


def _node_key(node_id: str) -> NodeKey:
    try:
        return node_key(node_id)
    except InvalidInput:
        return NodeKey("", node_id)


class NodesArguments(Arguments):
    """Several things by id."""

    ids: list[strawberry.ID] = argument(f"The ids of anything in this graph, at most {PAGE_CAP}.")

    def check(self) -> None:
        """Raise InvalidInput for too many ids."""
        check_count("ids", self.ids)

    @property
    def keys(self) -> list[NodeKey]:
        """The loader's keys; an id that is none of this graph fails alone, in the loader."""
        return [_node_key(node_id) for node_id in self.ids]


class OwnerArguments(Arguments):
    """One owner."""

    owner: OwnerInput = argument("The owner.")

    @property
    def key(self) -> OwnerRef:
        """The loader's key."""
        return owner_key(self.owner)


class OwnersArguments(Arguments):
    """Several owners."""

    owners: list[OwnerInput] = argument(f"The owners, at most {PAGE_CAP}.")

    def check(self) -> None:
        """Raise InvalidInput for too many owners."""
        check_count("owners", self.owners)

    @property
    def keys(self) -> list[OwnerRef]:
        """The loader's keys."""
        return [owner_key(owner) for owner in self.owners]


class DefinitionsArguments(Arguments):
    """Several definitions of one provider."""

    provider: ProviderKey = argument("The provider.")
    keys: list[str] = argument(f"The definitions' keys, at most {PAGE_CAP}.")

    def check(self) -> None:
        """Raise InvalidInput for too many keys."""
        check_count("keys", self.keys)

    @property
    def refs(self) -> list[DefinitionRef]:
        """The loader's keys."""
        return [DefinitionRef(self.provider.value, key) for key in self.keys]


class SearchArguments(ItemArguments):
    """Items of several owners."""

    owners: list[OwnerInput] = argument(f"Whose items to search, at most {PAGE_CAP} owners.")
    first: int | None = argument(f"How many entries, 1 to {PAGE_CAP}.", default=20)

    def check(self) -> None:
        """Raise InvalidInput for too many owners as well."""
        check_count("owners", self.owners)
        super().check()

    @property
    def key(self) -> SearchKey:
        """The loader's key."""
        return SearchKey("", tuple(map(owner_key, self.owners)), self.passing, self.order, self.window.size, self.after)
