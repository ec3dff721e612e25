"""Upstream: Roblox itself, over HTTP: items of the cloud, joined with what only v1 tells of them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar, cast

import httpx

from gateway.model.arguments import (
    NO_FILTER,
    CollectibleArguments,
    ContainerArguments,
    ItemArguments,
    ItemFilter,
    ItemOrder,
    TotalArguments,
)
from gateway.model.collectible import SALE
from gateway.model.container import Container, ContainerConnection, Contents
from gateway.model.credentials import Credential
from gateway.model.definition import DefinitionConnection, ItemDefinition
from gateway.model.errors import (
    Conflict,
    Forbidden,
    GatewayError,
    LimitExceeded,
    NotFound,
    OutcomeUnknown,
    Refusal,
    Unauthenticated,
    Unsupported,
    UpstreamInvalid,
    refuse,
)
from gateway.model.forest import Forest
from gateway.model.ids import (
    CONTAINER,
    ContainerRef,
    DefinitionRef,
    FactRef,
    ItemRef,
    OwnerRef,
    OwnershipRef,
    encode_id,
)
from gateway.model.item import Item, ItemConnection
from gateway.model.listing import Definitions, definitions_needed, list_items, passes, total_up
from gateway.model.loader import Loader, each
from gateway.model.manifest import BackendKind, Capability, Manifest, ProviderKey
from gateway.model.node import problem
from gateway.model.owner import ACCOUNT, CREDENTIAL, InventoryOwner
from gateway.model.paging import Part, Window
from gateway.model.ports import Holder, Results, Shown, Written
from gateway.model.relations import Asked
from gateway.providers.roblox import filters, rules, wire
from gateway.providers.roblox import vocabulary as words
from gateway.providers.roblox.calls import CLOUD, INVENTORY, USERS, Address, Service, address, fault_of, unreadable
from gateway.providers.roblox.keys import (
    ASSET,
    BUNDLE,
    CATEGORIES,
    COLLECTION,
    FAVORITES,
    MEMBERS,
    PLACE,
    PROVIDER,
    SECRET,
    SERVER,
    key_of,
    parsed,
)
from gateway.providers.roblox.manifest import COOKIE, KEY, MANIFEST, READ, TOKEN
from gateway.providers.roblox.types import (
    RobloxAsset,
    RobloxCategories,
    RobloxCategory,
    RobloxContents,
    RobloxCredential,
    RobloxDefinition,
    RobloxMembers,
    RobloxSale,
    RobloxSecret,
    RobloxUser,
)
from gateway.telemetry import Figure
from gateway.transport.client import Client
from gateway.transport.errors import decoded

T = TypeVar("T")

_PAGE = MANIFEST.limits.page_size or 100
_BATCH = MANIFEST.limits.batch_size or 50
_MOST_PAGES = 1_000
_MOST_NAMES = 1_000
_AT_ONCE = 8

_WORDS = {kind: word for word, kind in words.ITEM_KINDS.items()}
_NO_CATEGORIES = RobloxCategories(groups=[])


@dataclass(slots=True)
class _Listed:
    """What was read of a list, in its order; whether that is all of it; and the parts that could not be read."""

    items: list[Item]
    is_whole: bool = True
    faults: list[GatewayError] = field(default_factory=list[GatewayError])

    def add(self, other: _Listed) -> None:
        """Add another list to it."""
        self.items += other.items
        self.is_whole = self.is_whole and other.is_whole
        self.faults += other.faults


class _List(NamedTuple):
    """A list of the cloud: whose, and its filter."""

    owner: OwnerRef
    filter: str


class _Part(NamedTuple):
    """The part of a list that is wanted: of what passes a filter, a window."""

    wanted: ItemFilter
    window: Window

    def has(self, item: Item) -> bool:
        """Say whether an item is in it, or after it."""
        after = self.window.after
        return (after is None or item.sort > after.sort) and passes(item, self.wanted, None)


class Upstream:
    """The services as a backend. What is kept belongs to one credential; of answers, nothing is."""

    manifest: Manifest = MANIFEST
    kind = BackendKind.UPSTREAM

    def __init__(self, client: Client, base_urls: Mapping[str, str], keep: float = 0.0) -> None:
        """`keep`, the seconds for which answers might be kept, is not used: privacy may change at any time."""
        del keep
        self.service = Service(client, base_urls)
        self.secret = RobloxSecret(text=secrets.token_hex(32))

    def session(self, credential: Credential) -> UpstreamSession:
        """Open a session for a caller."""
        return UpstreamSession(self, credential)

    async def owners(self) -> list[OwnerRef]:
        """List no one: who there is, only the service knows."""
        return []

    def figures(self) -> list[Figure]:
        """List nothing: no answer is kept."""
        return []


class UpstreamSession:
    """One caller's dealings with the services: each document is fetched once, a few at a time."""

    def __init__(self, upstream: Upstream, credential: Credential) -> None:
        self._upstream = upstream
        self._service = upstream.service
        self._credential = credential
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._documents = Loader[Address, httpx.Response].alone(self._fetch)
        self._lists = Loader[_List, _Listed].alone(self._fetch_list)
        self._sold = Loader[OwnerRef, dict[str, wire.ReadCollectible]].alone(self._fetch_sold)
        self._mine = Loader[str, str].alone(lambda _: self._service.identity(credential))
        # By definition, in whose inventory it was seen, and what that told of it.
        self._seen: dict[str, OwnerRef] = {}
        self._told: dict[str, RobloxDefinition] = {}

    @property
    def credential(self) -> Credential:
        """The caller's credential."""
        return self._credential

    async def aclose(self) -> None:
        """Cancel the calls still under way."""
        for loader in (self._sold, self._lists, self._documents, self._mine):
            await loader.aclose()

    # --- calls --------------------------------------------------------------------------------------------------------

    @property
    def _has_cloud(self) -> bool:
        return self._credential.part(KEY) is not None or self._credential.part(TOKEN) is not None

    async def _fetch(self, asked: Address) -> httpx.Response:
        async with self._room:
            return await self._service.get(asked, self._credential)

    async def _get(self, asked: Address) -> httpx.Response:
        """Get a document; all who ask share one call."""
        found = await self._documents.load(asked)
        assert found is not None  # noqa: S101 -- a call has an answer
        return found

    async def _read(self, asked: Address) -> object:
        """Get a document that must be there."""
        response = await self._get(asked)
        if not response.is_success:
            raise unreadable(response)
        return decoded(response)

    async def identity(self, key: str) -> str:
        """Give the user whose credential it is."""
        mine = await self._mine.load("")
        assert mine is not None  # noqa: S101 -- an identity is never nothing
        return rules.own_key(Holder(mine, COOKIE), key)

    async def renew(self, part: str) -> str:
        """Refuse: nothing is renewed."""
        del part
        raise Unsupported("Credentials of Roblox are not renewed.")

    # --- whose --------------------------------------------------------------------------------------------------------

    async def _can_view(self, user: str) -> bool | None:
        """Tell whether v1 shows the inventory to the session; None where there is no such user."""
        response = await self._get(address(INVENTORY, "v1", "users", user, "can-view-inventory"))
        if response.is_success:
            self._service.note(self._credential, user)
            return wire.parse_flag(decoded(response))
        if fault_of(response) == "1" or response.status_code == 404:
            return None
        raise unreadable(response)

    async def _is_there(self, user: str) -> bool:
        """Say whether there is such a user; who was there minutes ago is not asked about again."""
        return self._service.is_known(self._credential, user) or await self._can_view(user) is not None

    async def _is_visible(self, user: str) -> bool | None:
        """Tell whether what is inside may be seen: by the session, or by the key or token, whichever is asked with."""
        seen = await self._can_view(user)
        if seen is not False or not self._has_cloud:
            return seen
        # The owner's own key opens what is closed to everyone else; this asks for nothing.
        response = await self._get(_page_at(user, "badges=false", None))
        if response.is_success:
            return True
        if response.status_code == 403:
            return False
        if response.status_code == 404:
            return None
        raise unreadable(response)

    async def _entered(self, user: str) -> bool:
        """Say whether there is such a user; Forbidden where the inventory is closed."""
        seen = await self._is_visible(user)
        if seen is False:
            raise rules.lacking(())
        return seen is not None

    async def owners_by_key(self, refs: Sequence[OwnerRef]) -> Results[OwnerRef, InventoryOwner]:
        """Give users; what they are called, is told by their details."""
        return await each(refs, self._owner)

    async def _owner(self, ref: OwnerRef) -> InventoryOwner | None:
        if not await self._is_there(ref.owner):
            return None
        owner = InventoryOwner(provider=ProviderKey.ROBLOX, key=ref.owner)
        owner.name = None
        return owner

    async def visibility_by_owner(self, refs: Sequence[OwnerRef]) -> Results[OwnerRef, bool]:
        """Tell whose inventories the credential may see."""
        return await each(refs, lambda ref: self._is_visible(ref.owner))

    async def facts_by_key(self, refs: Sequence[FactRef]) -> Results[FactRef, object]:
        """Give users, what is told of the sale of copies, what packages are made of, categories."""
        return await each(refs, self._fact)

    async def _fact(self, ref: FactRef) -> object | None:
        owner = OwnerRef(ref.provider, ref.owner)
        if ref.kind == SECRET:
            return self._upstream.secret
        reads: Mapping[str, Callable[[], Awaitable[object]]] = {
            ACCOUNT: lambda: self._user(ref.owner),
            SALE: lambda: self._sale(owner, ref.key),
            MEMBERS: lambda: self._members(ref.key),
            CATEGORIES: lambda: self._categories(ref.owner, ref.kind),
            FAVORITES: lambda: self._categories(ref.owner, ref.kind),
            CREDENTIAL: self._own_credential,
        }
        return await reads[ref.kind]() if ref.kind in reads else None

    async def _user(self, user: str) -> RobloxUser | None:
        response = await self._get(address(USERS, "v1", "users", user))
        if response.is_success:
            return wire.parse_user(decoded(response))
        if response.status_code == 404:
            return wire.parse_user({"id": user}) if await self._is_there(user) else None
        raise unreadable(response)

    async def _own_credential(self) -> RobloxCredential:
        part = next((part for part in (COOKIE, KEY, TOKEN) if self._credential.part(part) is not None), COOKIE)
        # What it may do, the service judges.
        return RobloxCredential(name="", part=part, owner=await self.identity("me"), scopes=[READ])

    # --- lists of the cloud -------------------------------------------------------------------------------------------

    async def _cloud(self, owner: OwnerRef, text: str, part: _Part | None = None) -> _Listed:
        """Read a list of the cloud; of a part, only as far as that goes, if it comes in natural order."""
        if not self._has_cloud:
            raise Unauthenticated("An API key or an access token of Roblox is needed to list what is held.")
        if part is not None and not part.window.backwards:
            begun = await self._pages(owner, text, part)
            if not begun.is_whole or begun.faults or _ascend(begun.items):
                return begun
        found = await self._lists.load(_List(owner, text))
        assert found is not None  # noqa: S101 -- a list has an answer
        return found

    async def _fetch_list(self, asked: _List) -> _Listed:
        return await self._pages(asked.owner, asked.filter, None)

    async def _pages(self, owner: OwnerRef, text: str, part: _Part | None) -> _Listed:
        """Follow the pages, short and empty ones as well, to the end; a token that comes again would never end."""
        listed = _Listed([])
        keys: set[str] = set()
        seen: set[str] = set()
        token: str | None = None
        beyond = 0
        for _ in range(_MOST_PAGES):
            response = await self._after(listed, _page_at(owner.owner, text, token))
            if response is None:
                return listed
            page = wire.parse_cloud_page(decoded(response))
            parsed_items = [item for entry in page.entries if (item := wire.parse_item(entry, owner)) is not None]
            # What comes and goes meanwhile may push an entry onto the next page as well.
            items = [*{item.key: item for item in parsed_items if item.key not in keys}.values()]
            keys.update(item.key for item in items)
            self._note(owner, items)
            listed.items += items
            if page.next is None:
                return listed
            if page.next in seen:
                raise UpstreamInvalid("The service's list gives a page token again, and would never end.")
            seen.add(token := page.next)
            if part is not None:
                beyond += sum(map(part.has, items))
                if beyond > part.window.size and _ascend(listed.items):
                    listed.is_whole = False
                    return listed
        raise UpstreamInvalid(f"The service's list has more than {_MOST_PAGES} pages.")

    async def _after(self, listed: _Listed, asked: Address) -> httpx.Response | None:
        """Get a page; a first one that cannot be had fails the list, another leaves it with what there is."""
        try:
            response = await self._get(asked)
            if not response.is_success:
                raise _refusal(response)
        except GatewayError as fault:
            if not listed.items:
                raise
            listed.faults.append(fault)
            return None
        return response

    def _note(self, owner: OwnerRef, items: Iterable[Item]) -> None:
        """Remember in whose inventory definitions were seen, and of which type."""
        for item in items:
            if item.definition_key is None:
                continue
            made = self._learn(owner, item.definition_key, None)
            if isinstance(item, RobloxAsset) and item.asset_type is not None:
                kind = words.BY_CLOUD_NAME.get(item.inventory_item_asset_type or "")
                made.asset_type, made.asset_type_id = item.asset_type, kind and kind.number

    # --- lists of v1 --------------------------------------------------------------------------------------------------

    async def _rows(self, host: str, path: Sequence[object], **query: object) -> list[Any]:
        """Follow the pages of a list of v1 to the end."""
        rows: list[Any] = []
        seen: set[str] = set()
        cursor = ""
        for _ in range(_MOST_PAGES):
            response = await self._get(address(host, *path, **query, cursor=cursor))
            if not response.is_success:
                raise _refusal(response)
            page = wire.parse_page(decoded(response))
            rows += page.entries
            if page.next is None:
                return rows
            if page.next in seen:
                raise UpstreamInvalid("The service's list gives a cursor again, and would never end.")
            seen.add(cursor := page.next)
        raise UpstreamInvalid(f"The service's list has more than {_MOST_PAGES} pages.")

    async def _fetch_sold(self, owner: OwnerRef) -> dict[str, wire.ReadCollectible]:
        """Read what v1 tells of limited copies, by key."""
        path = ("v1", "users", owner.owner, "assets", "collectibles")
        rows = await self._rows(INVENTORY, path, limit=_PAGE, sortOrder="Asc")
        read = [wire.parse_collectible(row, owner) for row in rows]
        for one in read:
            self._learn(owner, one.definition.key, one.definition.name)
        return {one.asset.key: one for one in read}

    async def _sale(self, owner: OwnerRef, key: str) -> RobloxSale | None:
        row = (await self._sold.load(owner) or {}).get(key)
        return None if row is None else row.sale

    async def _collectibles(self, owner: OwnerRef) -> _Listed:
        """Give the limited copies that v1 lists, joined with what the cloud tells of them, where it may be asked."""
        rows = [*(await self._sold.load(owner) or {}).values()]
        listed = _Listed([row.asset for row in rows])
        if not self._has_cloud or not rows:
            return listed
        assets = dict.fromkeys(key_of(ASSET, int(row.asset.asset_id)) for row in rows)
        try:
            found = await _together(self._by_ids(owner, [*assets]))
        except GatewayError as fault:
            listed.faults.append(fault)
            return listed
        known = {item.key: item for item in found.items}
        listed.faults += found.faults
        listed.items = [_joined(row.asset, known.get(row.asset.key)) for row in rows]
        return listed

    def _by_ids(self, owner: OwnerRef, keys: Sequence[str]) -> list[Awaitable[_Listed]]:
        """Read what is held of definitions, or of servers, in batches."""
        batches = [filters.render_ids(keys[at : at + _BATCH]) for at in range(0, len(keys), _BATCH)]
        return [self._cloud(owner, text) for text in batches]

    async def _places(self, owner: OwnerRef, tab: str) -> _Listed:
        path = ("v1", "users", owner.owner, "places", "inventory")
        rows = await self._rows(INVENTORY, path, placesTab=tab, itemsPerPage=_PAGE)
        places: list[Item] = [wire.parse_place(row, owner, tab) for row in rows]
        for place in places:
            self._learn(owner, key_of(ASSET, parsed(place.key).number), place.name)
        return _Listed(places)

    async def _owned(self, owner: OwnerRef, key: str) -> _Listed:
        """Ask v1 for every copy of a definition that is held; nothing where there is no such definition."""
        rows = await self._copies(owner, key) or []
        read = [wire.parse_owned(row) for row in rows]
        items = [item for one in read if (item := wire.owned_item(one, owner, self._told.get(key))) is not None]
        self._note(owner, items)
        return _Listed(items)

    async def _copies(self, owner: OwnerRef, key: str) -> list[Any] | None:
        """Ask v1 what is held of a definition; None where there is no such definition."""
        kind, number = parsed(key)
        try:
            rows = await self._rows(INVENTORY, ("v1", "users", owner.owner, "items", _WORDS[kind], number))
        except NotFound as missing:
            if missing.provider_code != str(rules.MISSING[kind][0]):
                # It is the user that there is not.
                raise
            return None
        self._learn(owner, key, None)
        for row in rows:
            self._learn(owner, key, wire.parse_owned(row).name)
        return rows

    def _learn(self, owner: OwnerRef, key: str, name: str | None) -> RobloxDefinition:
        """Note in whose inventory a definition was seen, and its name, where that is told."""
        self._seen.setdefault(key, owner)
        made = self._told.setdefault(key, wire.definition(*parsed(key)))
        made.name = name or made.name
        return made

    # --- items --------------------------------------------------------------------------------------------------------

    async def _held(self, owner: OwnerRef, wanted: ItemFilter, window: Window | None = None) -> _Listed:
        """Read what a filter may let pass, from those who tell of it."""
        if wanted.definition_keys is not None:
            return await self._held_of(owner, wanted.definition_keys)
        shelves = wanted.shelves if wanted.shelves is not None else rules.listed(wanted)
        is_all = wanted.shelves is None or {*shelves} >= {*words.CLOUD_ASSETS}
        if wanted.is_collectible and wanted.kinds is None and is_all:
            return await self._collectibles(owner)
        part = None if window is None else _Part(wanted, window)
        parts: list[Awaitable[_Listed]] = []
        named = wanted.kinds is not None or wanted.shelves is not None
        if named and SERVER in shelves and len(shelves) > 1:
            # Else who may not see private servers would be refused all else.
            parts.append(self._cloud(owner, filters.render_shelves([SERVER]) or "", part))
            shelves = tuple(shelf for shelf in shelves if shelf != SERVER)
        if (text := filters.render_shelves(shelves)) is not None:
            parts.append(self._cloud(owner, text, part))
        elif not await self._entered(owner.owner):
            raise NotFound("Roblox knows of no such user.")
        parts += [self._places(owner, tab) for tab in words.TABS if words.place_shelf(tab) in shelves]
        if any(shelf in words.BUNDLES for shelf in shelves):
            parts.append(_unlisted())
        return await _together(parts)

    async def _held_of(self, owner: OwnerRef, keys: Sequence[str]) -> _Listed:
        """Read what is held of definitions: bundles by v1, others by the cloud, or by v1 where that is closed."""
        unique = [key for key in dict.fromkeys(keys) if _is_definition(key)]
        asked = [key for key in unique if not self._has_cloud or parsed(key).kind == BUNDLE]
        rest = [key for key in unique if key not in asked]
        if not rest and not await self._entered(owner.owner):
            raise NotFound("Roblox knows of no such user.")
        return await _together([*self._by_ids(owner, rest), *(self._owned(owner, key) for key in asked)])

    async def _joined_names(self, owner: OwnerRef, needed: Sequence[DefinitionRef]) -> Definitions:
        """Read the definitions that a filter or an order needs: each is a question to v1."""
        if len(needed) > _MOST_NAMES:
            raise LimitExceeded(f"Names are joined for at most {_MOST_NAMES} things; these are {len(needed)}.")
        for ref in needed:
            self._seen.setdefault(ref.key, owner)
        found = await self.definitions_by_key(needed)
        return {ref: one for ref, one in found.items() if isinstance(one, ItemDefinition)}

    async def _page(self, owner: OwnerRef, arguments: ItemArguments, wanted: ItemFilter) -> ItemConnection:
        simple = arguments.order is ItemOrder.NATURAL and not wanted.text and not wanted.rarities
        listed = await self._held(owner, wanted, arguments.window if simple else None)
        # The kind is the item's own.
        needed = [] if simple else definitions_needed(listed.items, wanted, arguments.order)
        known = await self._joined_names(owner, needed)
        part = list_items(listed.items, replace(arguments, filter=wanted), known)
        if not listed.is_whole:
            part.total, part.has_next = None, True
        problems = [problem(fault, ProviderKey.ROBLOX, owner=owner.owner) for fault in listed.faults]
        counted = None if listed.is_whole else Asked(PROVIDER, owner, replace(arguments, filter=wanted))
        return ItemConnection.of(part, problems, counted=counted)

    async def items_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, ItemConnection]:
        """List what is held."""
        return await each(asked, self._items_of)

    async def _items_of(self, asked: Asked) -> ItemConnection | None:
        owner = cast("OwnerRef", asked.ref)
        given = asked.arguments.items if isinstance(asked.arguments, CollectibleArguments) else asked.arguments
        arguments = cast("ItemArguments", given)
        try:
            return await self._page(owner, arguments, arguments.passing)
        except NotFound:
            return None

    async def items_by_container(self, asked: Sequence[Asked]) -> Results[Asked, ItemConnection]:
        """List what views show; in a collection lie no copies."""
        return await each(asked, self._items_in)

    async def _items_in(self, asked: Asked) -> ItemConnection | None:
        container = await self._container(cast("ContainerRef", asked.ref))
        if container is None:
            return None
        owner = container.owner
        arguments = cast("ItemArguments", asked.arguments)
        shelves = container.selected if isinstance(container, RobloxCategory) else ()
        if shelves is None:
            return None
        wanted = replace(arguments.filter or NO_FILTER, shelves=tuple(shelves))
        return await self._page(owner, arguments, wanted)

    async def items_by_key(self, refs: Sequence[ItemRef]) -> Results[ItemRef, Item]:
        """Give items: by their ids, where they have some; copies of assets are looked for in the list."""
        return await each(refs, self._item)

    async def _item(self, ref: ItemRef) -> Item | None:
        owner = OwnerRef(ref.provider, ref.owner)
        kind = parsed(ref.key).kind
        try:
            if kind == PLACE and not await self._entered(ref.owner):
                return None
            if kind == PLACE:
                mirror = ref.key.partition("/")[2]
                shown = (mirror,) if mirror else words.TABS[:2]
                tabs = await each(shown, lambda tab: self._places(owner, tab))
                parts = [part for part in tabs.values() if isinstance(part, _Listed)]
                faults = [part for part in tabs.values() if isinstance(part, GatewayError)]
                found = [item for part in parts for item in part.items]
            else:
                listed = await (
                    self._cloud(owner, filters.render_shelves(words.CLOUD_ASSETS) or "")
                    if kind == ASSET
                    else self._held_of(owner, [ref.key])
                    if _is_definition(ref.key)
                    else _together(self._by_ids(owner, [ref.key]))
                )
                found, faults = listed.items, listed.faults
        except (NotFound, Forbidden):
            # What is not the caller's to know of is not there.
            return None
        item = next((item for item in found if item.key == ref.key), None)
        if item is None and faults and not isinstance(faults[0], Forbidden):
            # It may be in what could not be read.
            raise faults[0]
        return item

    async def totals_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """Count copies by definition."""
        return await each(asked, self._totals)

    async def _totals(self, asked: Asked) -> DefinitionConnection | None:
        owner = cast("OwnerRef", asked.ref)
        arguments = cast("TotalArguments", asked.arguments)
        wanted = arguments.filter or NO_FILTER
        try:
            listed = await self._held(owner, wanted)
        except NotFound:
            return None
        needed = definitions_needed(listed.items, wanted, ItemOrder.NATURAL) if wanted.text or wanted.rarities else []
        known = await self._joined_names(owner, needed)
        problems = [problem(fault, ProviderKey.ROBLOX, owner=owner.owner) for fault in listed.faults]
        return DefinitionConnection.of(total_up(listed.items, wanted, arguments.window, known), problems)

    async def count_by_list(self, asked: Sequence[Asked]) -> Results[Asked, int]:
        """Count lists of which only the beginning was read: the whole of them is read."""
        return await each(asked, self._count)

    async def _count(self, asked: Asked) -> int:
        arguments = cast("ItemArguments", asked.arguments)
        listed = await self._held(cast("OwnerRef", asked.ref), arguments.passing)
        if listed.faults:
            raise listed.faults[0]
        return sum(passes(item, arguments.passing, None) for item in listed.items)

    async def ownership_by_key(self, refs: Sequence[OwnershipRef]) -> Results[OwnershipRef, bool]:
        """Ask v1 whether users hold definitions: a call each, a few at a time."""
        return await each(refs, self._owns)

    async def _owns(self, ref: OwnershipRef) -> bool | None:
        kind, number = parsed(ref.definition)
        path = ("v1", "users", ref.owner, "items", _WORDS[kind], number, "is-owned")
        response = await self._get(address(INVENTORY, *path))
        if response.is_success:
            return wire.parse_flag(decoded(response))
        if fault_of(response) == "1":
            return None
        raise _refusal(response, kind)

    # --- containers ---------------------------------------------------------------------------------------------------

    async def _categories(self, user: str, kind: str) -> RobloxCategories | None:
        tail = ("favorites",) if kind == FAVORITES else ()
        response = await self._get(address(INVENTORY, "v1", "users", user, "categories", *tail))
        if response.is_success:
            return wire.parse_categories(decoded(response))
        if fault_of(response) == "1" or response.status_code == 404:
            return None
        raise unreadable(response)

    async def _forest(self, owner: OwnerRef, *, views: bool, favorites: bool) -> Forest | None:
        """Give the containers of a user, as far as they are wanted; None where there is no such user."""
        if not await self._entered(owner.owner):
            return None
        shown = await self._categories(owner.owner, CATEGORIES) if views else None
        liked = await self._categories(owner.owner, FAVORITES) if favorites else None
        # Whether private servers are shown, the service has judged.
        return Forest(rules.containers(owner, shown or _NO_CATEGORIES, liked or _NO_CATEGORIES, is_owner=True))

    async def _grown(self, ref: ContainerRef, *, below: bool = False) -> Forest | None:
        """Give the part of a user's containers that one is in; None where there is no such user."""
        is_liked = ref.key.startswith(FAVORITES)
        wants = is_liked and (below or ref.key != FAVORITES)
        views = not is_liked and ref.key != COLLECTION
        return await self._forest(OwnerRef(ref.provider, ref.owner), views=views, favorites=wants)

    async def _container(self, ref: ContainerRef) -> Container | None:
        forest = await self._grown(ref)
        return None if forest is None else forest.get(ref.key)

    async def containers_by_key(self, refs: Sequence[ContainerRef]) -> Results[ContainerRef, Container]:
        """Give containers; those of a closed inventory are not the caller's to know of."""
        return await each(refs, self._known_container)

    async def _known_container(self, ref: ContainerRef) -> Container | None:
        try:
            return await self._container(ref)
        except Forbidden:
            return None

    async def containers_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, ContainerConnection]:
        """List the collection, or the categories."""
        return await each(asked, self._top)

    async def _top(self, asked: Asked) -> ContainerConnection | None:
        arguments = cast("ContainerArguments", asked.arguments)
        views = arguments.kind is not None and arguments.kind.value == "view"
        forest = await self._forest(cast("OwnerRef", asked.ref), views=views, favorites=False)
        return None if forest is None else ContainerConnection.of(forest.top(arguments))

    async def containers_by_container(self, asked: Sequence[Asked]) -> Results[Asked, ContainerConnection]:
        """List the entries of categories."""
        return await each(
            asked, lambda one: self._below(one, lambda forest: forest.children(one.ref.key, one.arguments))
        )

    async def descendants_by_container(self, asked: Sequence[Asked]) -> Results[Asked, ContainerConnection]:
        """List what is below categories."""
        return await each(asked, lambda one: self._below(one, lambda forest: forest.below(one.ref.key, one.arguments)))

    async def _below(self, asked: Asked, listed: Callable[[Forest], Part[Container]]) -> ContainerConnection | None:
        ref = cast("ContainerRef", asked.ref)
        forest = await self._grown(ref, below=True)
        return None if forest is None or forest.get(ref.key) is None else ContainerConnection.of(listed(forest))

    async def contents_by_container(self, refs: Sequence[ContainerRef]) -> Results[ContainerRef, Contents]:
        """Tell that nothing is known of sizes and versions."""
        return await each(refs, self._contents)

    async def _contents(self, ref: ContainerRef) -> Contents | None:
        container = await self._container(ref)
        return None if container is None else _contents_of(container)

    async def definitions_by_container(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """Refuse: what a collection shows, the service does not list."""
        return {one: Unsupported("Roblox does not list what a collection shows.") for one in asked}

    # --- the catalogue ------------------------------------------------------------------------------------------------

    async def definitions_by_key(self, refs: Sequence[DefinitionRef]) -> Results[DefinitionRef, ItemDefinition]:
        """Give catalogue entries, by asking v1 whether they are held: that tells their names, or that there is none."""
        return await each(refs, self._definition)

    async def _definition(self, ref: DefinitionRef) -> RobloxDefinition | None:
        told = self._told.get(ref.key)
        if told is not None and told.name is not None:
            return told
        # Anybody's inventory tells whether there is such a thing; one that has it tells the name as well.
        owner = self._seen.get(ref.key) or OwnerRef(PROVIDER, await self.identity("me"))
        if await self._copies(owner, ref.key) is None:
            return None
        return self._told[ref.key]

    async def definition_keys(self, kind: str) -> list[str]:
        """Refuse: the services have no list of what there is."""
        del kind
        raise Unsupported("Roblox does not list its catalogue here.")

    async def catalogue_by_owner(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """Show nothing: the catalogue is not bounded."""
        del asked
        return {}

    async def definitions_by_slot(self, asked: Sequence[Asked]) -> Results[Asked, DefinitionConnection]:
        """Show nothing: there are no slots."""
        del asked
        return {}

    async def _members(self, key: str) -> RobloxMembers | None:
        kind, number = parsed(key)
        if kind != ASSET:
            return None
        response = await self._get(address(INVENTORY, "v1", "packages", number, "assets"))
        if response.status_code in (400, 404):
            return None
        if not response.is_success:
            raise unreadable(response)
        members = wire.parse_assets(decoded(response))
        return RobloxMembers(numbers=members, definitions=[wire.definition(ASSET, member) for member in members])

    # --- writes -------------------------------------------------------------------------------------------------------

    def assume(self, shown: Shown) -> None:
        """Refuse: nothing is simulated here."""
        raise Unsupported("Roblox simulates nothing.")

    async def write(self, verb: Capability, owner: OwnerRef, change: Any) -> Written:
        """Add to the collection of the session's user, or take out of it: one thing after another."""
        if self._credential.part(COOKIE) is None:
            raise Unauthenticated("A session cookie of Roblox is needed.")
        if await self.identity("me") != owner.owner:
            raise Forbidden("This inventory of Roblox cannot be changed with the credential.")
        keys: list[str] = change.definition_keys
        rules.check_keys(keys)
        method = "POST" if verb is Capability.ADD_TO_COLLECTION else "DELETE"
        faults: list[Refusal] = []
        done: list[str] = []
        for place, key in enumerate(keys):
            try:
                await self._change(method, key, place)
            except Refusal as fault:
                faults.append(fault)
            except GatewayError as failure:
                if not done:
                    raise
                # What was done is told, with what was not, or is not known to have been.
                faults += _stopped(failure, place, len(keys))
                break
            else:
                done.append(key)
        if not done:
            refuse(faults)
        container = rules.collection(owner)
        shown = Shown(
            parts={"container": container, "definitions": [wire.definition(*parsed(key)) for key in done]},
            contents=[_contents_of(container)],
        )
        node_id = encode_id(CONTAINER, ContainerRef(*owner, COLLECTION))
        return Written(changes=rules.change_set(updated=[node_id]), shown=shown, refused=faults)

    async def _change(self, method: str, key: str, place: int) -> None:
        kind, number = parsed(key)
        at = address(INVENTORY, "v1", "collections", "items", _WORDS[kind], number)
        response = await self._service.write(method, at, self._credential)
        if not response.is_success:
            raise _refused(response, place)


# --- what is sent -----------------------------------------------------------------------------------------------------


def _page_at(user: str, text: str, token: str | None) -> Address:
    return address(
        CLOUD,
        *("cloud", "v2", "users", user, "inventory-items"),
        maxPageSize=_PAGE,
        pageToken=token,
        filter=text or None,
    )


def _is_definition(key: str) -> bool:
    try:
        rules.check_definition(key)
    except GatewayError:
        return False
    return True


# --- what is read -----------------------------------------------------------------------------------------------------


def _refusal(response: httpx.Response, kind: str | None = None) -> GatewayError:
    """Make the error of a read that was refused: hidden, unknown, or a call that was not understood."""
    code = fault_of(response)
    if response.status_code == 403:
        return Forbidden(rules.HIDDEN, provider_code=code)
    missing = {str(number): text for number, text in rules.MISSING.values()}
    if code in missing and (kind is None or code == str(rules.MISSING[kind][0])):
        return NotFound(missing[code], provider_code=code)
    if code == "1" or response.status_code == 404:
        return NotFound("Roblox knows of no such user.", provider_code=code)
    return unreadable(response)


def _refused(response: httpx.Response, place: int) -> GatewayError:
    """Make the error of an entry of a write that was refused; the service's own code decides."""
    code = fault_of(response) or ""
    if code.isdecimal() and int(code) in rules.REFUSALS:
        return rules.refusal(int(code), place)
    error = unreadable(response)
    return error.at("definitionKeys", str(place)) if isinstance(error, Refusal) else error


def _stopped(failure: GatewayError, place: int, count: int) -> Iterator[Refusal]:
    """Make the errors of the entries of a write from the one on that failed; nothing after it was tried."""
    lost = isinstance(failure, OutcomeUnknown)
    words_ = "It is not known whether this was done." if lost else failure.message
    yield Conflict(words_, provider_code=failure.provider_code, retryable=not lost).at("definitionKeys", str(place))
    for later in range(place + 1, count):
        yield Conflict("This was not tried.", retryable=True).at("definitionKeys", str(later))


async def _together(parts: Sequence[Awaitable[_Listed]]) -> _Listed:
    """Join lists that are read at once; one that fails leaves the others, unless all do."""
    listed = _Listed([])
    faults: list[GatewayError] = []
    for part in await asyncio.gather(*parts, return_exceptions=True):
        if isinstance(part, GatewayError):
            faults.append(part)
        elif isinstance(part, BaseException):
            raise part
        else:
            listed.add(part)
    if faults and len(faults) == len(parts):
        raise faults[0]
    listed.faults += faults
    return listed


async def _unlisted() -> _Listed:
    raise Unsupported("Roblox does not list bundles; their parts are listed as assets.")


def _ascend(items: Sequence[Item]) -> bool:
    """Say whether items come in natural order, each once."""
    return all(one.sort < other.sort for one, other in pairwise(items))


def _joined(row: RobloxAsset, found: Item | None) -> Item:
    """Join a copy that v1 lists with what the cloud tells of it."""
    if not isinstance(found, RobloxAsset):
        return row
    return found if found.collectible is not None else replace(found, collectible=row.collectible)


def _contents_of(container: Container) -> Contents:
    return RobloxContents(
        container=container, capacity=None, free_slots=None, slots=None, items=[], digest=lambda: None, entries=None
    )
