"""The keys of the loaders that belong to no one provider."""

from __future__ import annotations

from typing import NamedTuple

from gateway.model.arguments import ItemFilter, ItemOrder
from gateway.model.ids import OwnerRef


class NodeKey(NamedTuple):
    """A thing by its opaque id; the provider is told by the id, and empty where that was not looked at."""

    provider: str
    id: str


class ViewerKey(NamedTuple):
    """What belongs to no provider."""

    provider: str = ""


class SearchKey(NamedTuple):
    """A search over owners of any provider; `after` is the cursor as it was given."""

    provider: str
    owners: tuple[OwnerRef, ...]
    filter: ItemFilter
    order: ItemOrder
    size: int
    after: str | None
