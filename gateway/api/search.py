"""The search over several inventories: each is asked for its own next page, and the pages are merged."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable
from typing import Any, Protocol, cast

from gateway.api.keys import SearchKey
from gateway.model.arguments import BothWaysArguments
from gateway.model.errors import GatewayError, InvalidInput, NotFound
from gateway.model.ids import OwnerRef
from gateway.model.item import Item, ItemConnection
from gateway.model.manifest import ProviderKey
from gateway.model.node import problem
from gateway.model.paging import Part, Position, decode_cursor, encode_cursor
from gateway.model.relations import Asked, Keyed

# Sorts above every character that a sort text can hold.
_LAST = "\U0010ffff"
_SEPARATOR = "\n"


class Loading(Protocol):
    """What the search needs of the request's loaders."""

    def load(self, loader: str, key: Keyed) -> Awaitable[Any]:
        """Give the value of one key."""
        ...

    async def owner(self, provider: str, key: str) -> OwnerRef:
        """Refer to an owner."""
        ...


async def search_items(loaders: Loading, key: SearchKey) -> ItemConnection:
    """Merge the owners' items into one list: by the order's value, then by owner as asked, then in natural order.

    An owner that cannot be read is a problem of the list; its cursors stay good.
    """
    asked = list(dict.fromkeys(key.owners))
    named = await asyncio.gather(*(_named(loaders, owner) for owner in asked))
    refused = [(owner, error) for owner, error in zip(asked, named, strict=True) if isinstance(error, GatewayError)]
    # `me` and the name that it stands for are one owner.
    owners = list(dict.fromkeys(owner for owner in named if not isinstance(owner, GatewayError)))
    after = _after(key, owners)
    pages = await asyncio.gather(*(_page(loaders, key, owner, rank, after) for rank, owner in enumerate(owners)))
    problems = [problem(error, ProviderKey(owner.provider), owner=owner.owner) for owner, error in refused]
    more = False
    entries: list[list[tuple[Position, int, Item | None]]] = []
    for rank, (owner, page) in enumerate(zip(owners, pages, strict=True)):
        if isinstance(page, GatewayError):
            problems.append(problem(page, ProviderKey(owner.provider), owner=owner.owner))
            continue
        problems += page.problems
        more = more or page.page_info.has_next_page
        entries.append([(decode_cursor(edge.cursor, key.order.value), rank, edge.node) for edge in page.edges])
    merged = list(heapq.merge(*entries, key=lambda entry: (cast("Any", entry[0].value), entry[1], entry[0].sort)))
    part = Part(
        entries=[(_placed(position, owners[rank]), item) for position, rank, item in merged[: key.size]],
        has_next=more or len(merged) > key.size,
        has_previous=after is not None,
    )
    return ItemConnection.of(cast("Part[Item]", part), problems)


def _placed(position: Position, owner: OwnerRef) -> Position:
    return position._replace(sort=_SEPARATOR.join((*owner, position.sort)))


def _after(key: SearchKey, owners: list[OwnerRef]) -> tuple[Position, int] | None:
    """Read the cursor as a position in its owner's list, and the owner's rank; InvalidInput where it fits no owner."""
    if key.after is None:
        return None
    position = decode_cursor(key.after, key.order.value)
    *found, rest = position.sort.split(_SEPARATOR, 2)
    owner = next((owner for owner in owners if [*owner] == found), None)
    if owner is None:
        raise InvalidInput("This cursor belongs to a search over other owners.")
    return position._replace(sort=rest), owners.index(owner)


async def _named(loaders: Loading, owner: OwnerRef) -> OwnerRef | GatewayError:
    try:
        return await loaders.owner(*owner)
    except GatewayError as error:
        return error


async def _page(
    loaders: Loading, key: SearchKey, owner: OwnerRef, rank: int, after: tuple[Position, int] | None
) -> ItemConnection | GatewayError:
    cursor = None
    if after is not None:
        position, at = after
        # Of owners asked before the cursor's, only what comes after its value is left; of later ones, its value too.
        sort = position.sort if rank == at else (_LAST if rank < at else "")
        cursor = encode_cursor(position._replace(sort=sort))
    arguments = BothWaysArguments(filter=key.filter, order_by=key.order, first=key.size, after=cursor)
    try:
        page = await loaders.load("items_by_owner", Asked(owner.provider, owner, arguments))
    except GatewayError as error:
        return error
    return page if page is not None else NotFound("There is no such owner.")
