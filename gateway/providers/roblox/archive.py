"""Files in the service's own formats, v1's and the cloud's: what `gateway import` reads and `gateway export` writes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast
from urllib.parse import parse_qs

from gateway.files import Format
from gateway.model.collectible import SALE
from gateway.model.definition import ItemDefinition
from gateway.model.errors import InvalidInput, UpstreamInvalid
from gateway.model.ids import FactRef, OwnerRef
from gateway.model.item import Item
from gateway.model.manifest import ProviderKey
from gateway.model.owner import ACCOUNT, InventoryOwner
from gateway.model.ports import Amendment, Fact, Owned, Record, Stock
from gateway.providers.roblox import filters, rules, wire
from gateway.providers.roblox import vocabulary as words
from gateway.providers.roblox.keys import ASSET, CATEGORIES, ENTRIES, FAVORITES, PRIVACY, PROVIDER, parsed
from gateway.providers.roblox.types import (
    RobloxAsset,
    RobloxBadge,
    RobloxBundle,
    RobloxCategories,
    RobloxDefinition,
    RobloxEntries,
    RobloxGamePass,
    RobloxPlace,
    RobloxPrivacy,
    RobloxPrivateServer,
    RobloxSale,
    RobloxUser,
)

# --- which document it is ---------------------------------------------------------------------------------------------

FORMATS: Mapping[str, Format] = {}
"""The service's documents are JSON."""

CATALOGUE = "definitions"
"""The kind of a document of catalogue entries, which is ours: the service has none."""

_USER = r"/v1/users/([0-9]+)"
_PATHS: Mapping[str, re.Pattern[str]] = {
    "inventory-items": re.compile(r"/cloud/v2/users/([0-9]+)/inventory-items\Z"),
    "user": re.compile(rf"{_USER}\Z"),
    "collectibles": re.compile(rf"{_USER}/assets/collectibles\Z"),
    "categories": re.compile(rf"{_USER}/categories\Z"),
    "favorites": re.compile(rf"{_USER}/categories/favorites\Z"),
    "items": re.compile(rf"{_USER}/items/(\w+)/([0-9]+)\Z"),
    "places": re.compile(rf"{_USER}/places/inventory\Z"),
    "settings": re.compile(rf"{_USER}/settings\Z"),
    "collection": re.compile(rf"{_USER}/collections/items\Z"),
    "package": re.compile(r"/v1/packages/([0-9]+)/assets\Z"),
    CATALOGUE: re.compile(r"/v1/definitions\Z"),
}
"""The kinds of document, and their paths; `settings`, `collection` and `definitions` are ours."""

_OF_NOBODY = ("package", CATALOGUE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    """Which document it is, and whose; of packages, `number` is the package's id. `part` is the query's own.

    Only one whose path is told can tell what is gone: else it may be any page of a list.
    """

    kind: str
    user: str | None = None
    number: str | None = None
    part: Mapping[str, str]
    has_path: bool = False

    def is_all(self, page: wire.Page) -> bool:
        """Say whether a page is a whole list."""
        return self.has_path and page.next is None and not {"filter", "pageToken", "cursor"} & self.part.keys()

    @property
    def owner(self) -> OwnerRef:
        """The user whom it is about."""
        if self.user is None:
            raise InvalidInput("whose it is must be told: --owner USER, or the document's path")
        rules.check_owner(self.user)
        return OwnerRef(PROVIDER, self.user)


def _identify(kind: str | None, payload: object, owner: str | None) -> _Document:
    named, _, query = (kind or "").partition("?")
    part = {name: values[-1] for name, values in parse_qs(query).items()}
    if named in ("", *_PATHS):
        found = _Document(kind=named or _guess(payload), part=part)
    else:
        at = named[named.index("/v1/") :] if "/v1/" in named else named
        at = at[at.index("/cloud/") :] if "/cloud/" in at else at
        matched = next(((name, match) for name, form in _PATHS.items() if (match := form.match(at))), None)
        if matched is None:
            raise InvalidInput(f"{kind!r} is not a document of Roblox; there are: {', '.join(_PATHS)}, and their paths")
        name, match = matched
        ids = match.groups()
        found = (
            _Document(kind=name, part=part, number=ids[0] if ids else None, has_path=True)
            if name in _OF_NOBODY
            else _Document(kind=name, part=part, user=ids[0], has_path=True)
        )
    if found.kind in _OF_NOBODY:
        return found
    if owner is not None and found.user not in (None, owner):
        raise InvalidInput(f"this is of {found.user!r}, not of {owner!r}")
    return replace(found, user=found.user or owner)


_SHAPES: Sequence[tuple[str, frozenset[str]]] = (
    ("inventory-items", frozenset({"inventoryItems"})),
    ("settings", frozenset({"whoCanSeeMyInventory"})),
    ("user", frozenset({"id", "displayName"})),
)
_ROWS: Sequence[tuple[str, frozenset[str]]] = (
    ("collectibles", frozenset({"userAssetId", "recentAveragePrice"})),
    ("items", frozenset({"instanceId", "type"})),
    ("places", frozenset({"placeId"})),
)


def _guess(payload: object) -> str:
    """Tell the kind of a document by its shape; InvalidInput where more than one would fit."""
    names = _names(payload)
    for kind, wanted in _SHAPES:
        if wanted <= names:
            return kind
    rows = cast("Mapping[str, Any]", payload).get("data") if "data" in names else None
    first = _names(cast("list[Any]", rows)[0]) if isinstance(rows, list) and rows else frozenset[str]()
    for kind, wanted in _ROWS:
        if wanted <= first:
            return kind
    entries = cast("list[Any]", payload) if isinstance(payload, list) else [payload]
    if entries and "itemType" in _names(entries[0]):
        return CATALOGUE
    raise InvalidInput(
        f"what this is cannot be told from its shape: give --kind, one of {', '.join(_PATHS)}, or the document's path, "
        "such as `/cloud/v2/users/42/inventory-items`"
    )


def _names(payload: object) -> frozenset[str]:
    return frozenset(cast("Mapping[str, Any]", payload)) if isinstance(payload, dict) else frozenset()


# --- reading ----------------------------------------------------------------------------------------------------------


def splits(kind: str | None, payload: object) -> bool:
    """Say whether a document is a list of records that stand or fall one by one: catalogue entries are."""
    return isinstance(payload, list) and _identify(kind, cast("object", payload), None).kind == CATALOGUE


def family(kind: str) -> str:
    """Give the first part of the definition keys of an item type."""
    found = words.ITEM_KINDS.get(words.item_type(kind) or "") or (kind if kind in words.ITEM_KINDS.values() else None)
    if found is None:
        raise InvalidInput(f"{kind!r} is no catalogue; there are: {', '.join(words.ITEM_KINDS)}")
    return found


def parse_record(kind: str | None, payload: Any, owner: str | None) -> Iterable[Record]:
    """Read one document: a call's answer, or an export of ours. InvalidInput says what is wrong.

    `kind` is a word, such as `inventory-items` or `collectibles`, or the document's path; without it the shape tells,
    where it can.
    """
    try:
        if not _is_export(payload):
            yield from _parse(_identify(kind, payload, owner), payload)
            return
        parts = [(_identify(path, document, owner), document) for path, document in payload.items()]
        # What the cloud tells of a copy is more; and the catalogue tells the types of those that only v1 tells of.
        for part, document in sorted(parts, key=lambda part: _ORDER.index(part[0].kind)):
            yield from _parse(part, document)
    except UpstreamInvalid as error:
        raise InvalidInput(error.message) from None


_ORDER = (
    CATALOGUE,
    "package",
    "user",
    "settings",
    "categories",
    "favorites",
    "inventory-items",
    "collectibles",
    "items",
    "places",
    "collection",
)


def _is_export(payload: object) -> bool:
    paths = _names(payload)
    return bool(paths) and all(path.startswith(("/v1/", "/cloud/")) for path in paths)


def _parse(document: _Document, payload: Any) -> Iterable[Record]:
    match document.kind:
        case "inventory-items":
            yield from _parse_cloud(document, payload)
        case "collectibles":
            yield from _parse_collectibles(document, payload)
        case "items":
            yield from _parse_owned(document, payload)
        case "places":
            yield from _parse_places(document, payload)
        case "user":
            yield from _parse_user(document, payload)
        case "package":
            made = wire.definition(ASSET, _package(document))
            made.asset_type, made.asset_type_id = words.BY_NUMBER[words.PACKAGE_TYPE].name, words.PACKAGE_TYPE
            made.member_ids = wire.parse_assets(payload)
            yield made
            yield from (wire.definition(ASSET, member) for member in made.member_ids)
        case "definitions":
            entries = cast("list[Any]", payload) if isinstance(payload, list) else [payload]
            yield from map(wire.parse_definition, entries)
        case _:
            yield from _whose(document.owner)
            yield _parse_fact(document, payload)


def _package(document: _Document) -> int:
    if document.number is None:
        raise InvalidInput("which package it is must be told by the document's path")
    rules.check_definition(f"{ASSET}:{document.number}")
    return int(document.number)


def _whose(owner: OwnerRef, name: str | None = None) -> Iterable[Record]:
    made = InventoryOwner(provider=ProviderKey.ROBLOX, key=owner.owner)
    made.name = name
    yield made


def _parse_fact(document: _Document, payload: Any) -> Fact | Amendment:
    owner = document.owner
    match document.kind:
        case "settings":
            return Fact(ref=FactRef(*owner, PRIVACY, ""), value=wire.parse_privacy(payload))
        case "collection":
            told = wire.parse_entries(payload)
            return Amendment(ref=FactRef(*owner, ENTRIES, ""), amend=lambda known: _renumbered(told, known))
        case kind:
            at = CATEGORIES if kind == "categories" else FAVORITES
            return Fact(ref=FactRef(*owner, at, ""), value=wire.parse_categories(payload))


def _renumbered(told: RobloxEntries, known: object) -> RobloxEntries:
    """Give a collection the next version, where it is another than before."""
    if not isinstance(known, RobloxEntries):
        return told
    return known if told.entries == known.entries else replace(told, number=known.number + 1)


def _parse_user(document: _Document, payload: Any) -> Iterable[Record]:
    user = wire.parse_user(payload)
    owner = replace(document, user=document.user or str(user.id)).owner
    if str(user.id) != owner.owner:
        raise InvalidInput(f"this is the user {user.id}, not {owner.owner}")
    yield from _whose(owner, user.name)
    yield Amendment(ref=FactRef(*owner, ACCOUNT, ""), amend=lambda known: _with_membership(user, known))


def _with_membership(user: RobloxUser, known: object) -> RobloxUser:
    if user.membership is None and isinstance(known, RobloxUser):
        return replace(user, membership=known.membership)
    return user


def _parse_cloud(document: _Document, payload: Any) -> Iterable[Record]:
    owner = document.owner
    page = wire.parse_cloud_page(payload)
    items = _unique([item for entry in page.entries if (item := wire.parse_item(entry, owner)) is not None])
    yield from _whose(owner)
    # Each once, however many copies there are; of servers there is no catalogue.
    yield from {item.definition_key: _definition_of(item) for item in items if item.definition_key is not None}.values()
    shelves = (*filters.WHOLE.shelves, f"{ASSET}/{words.OTHER}") if document.is_all(page) else ()
    yield Stock(owner=owner, items=items, gone=[], whole=False, shelves=shelves)


def _definition_of(item: Item) -> RobloxDefinition:
    kind, number = parsed(item.definition_key or "")
    made = wire.definition(kind, number)
    if isinstance(item, RobloxAsset):
        known = words.BY_CLOUD_NAME.get(item.inventory_item_asset_type or "")
        made.asset_type = item.asset_type
        made.asset_type_id = known.number if known else None
    if isinstance(item, RobloxBundle):
        made.bundle_type = item.bundle_type
    return made


def _unique(items: Sequence[Item]) -> list[Item]:
    if len({item.key for item in items}) < len(items):
        raise InvalidInput("two items have one id")
    return [*items]


def _parse_collectibles(document: _Document, payload: Any) -> Iterable[Record]:
    owner = document.owner
    rows = [wire.parse_collectible(entry, owner) for entry in wire.parse_page(payload).entries]
    items = _unique([row.asset for row in rows])
    yield from _whose(owner)
    for row in rows:
        yield row.definition
        yield Fact(ref=FactRef(*owner, SALE, row.asset.key), value=row.sale)
    # Those that the cloud has told of are told better.
    yield Stock(owner=owner, items=[], gone=[], whole=False, found=items)
    memberships = {row.membership for row in rows if row.membership is not None}
    if len(memberships) == 1:
        (membership,) = memberships
        yield Amendment(ref=FactRef(*owner, ACCOUNT, ""), amend=lambda known: _member(owner, known, membership))


def _member(owner: OwnerRef, known: object, membership: str) -> RobloxUser:
    user = known if isinstance(known, RobloxUser) else wire.parse_user({"id": owner.owner})
    return replace(user, membership=membership)


def _parse_owned(document: _Document, payload: Any) -> Iterable[Record]:
    owner = document.owner
    yield from _whose(owner)
    found: list[Item] = []
    for entry in wire.parse_page(payload).entries:
        read = wire.parse_owned(entry)
        yield wire.definition(read.kind, read.target, read.name)
        item = wire.owned_item(read, owner)
        if item is not None:
            found.append(item)
    yield Stock(owner=owner, items=[], gone=[], whole=False, found=_unique(found))


def _parse_places(document: _Document, payload: Any) -> Iterable[Record]:
    owner = document.owner
    tab = words.tab(document.part.get("placesTab") or words.TABS[0])
    if not tab:
        raise InvalidInput(f"`placesTab` is one of {', '.join(words.TABS)}")
    page = wire.parse_page(payload)
    places = _unique([wire.parse_place(entry, owner, tab) for entry in page.entries])
    yield from _whose(owner)
    for place in places:
        place_number = parsed(place.key).number
        made = wire.definition(ASSET, place_number, place.name)
        made.asset_type, made.asset_type_id = words.BY_NUMBER[words.PLACE_TYPE].name, words.PLACE_TYPE
        yield made
    shelves = (words.place_shelf(tab),) if document.is_all(page) else ()
    yield Stock(owner=owner, items=places, gone=[], whole=False, shelves=shelves)


# --- writing ----------------------------------------------------------------------------------------------------------


def render_definition(definition: ItemDefinition) -> dict[str, Any]:
    """Write a catalogue entry."""
    return wire.render_definition(cast("RobloxDefinition", definition), whole=True)


def render_export(owned: Owned) -> Iterator[tuple[str, object]]:
    """Write all that is kept of a user, each document under its path; `parse_record` reads it back.

    The catalogue is exported by itself; what was never told is left out.
    """
    user = owned.owner.key
    root = f"/v1/users/{user}"
    facts = {(fact.ref.kind, fact.ref.key): fact.value for fact in owned.facts}
    account = facts.get((ACCOUNT, ""))
    if isinstance(account, RobloxUser):
        yield root, wire.render_user(account, whole=True)
    elif owned.owner.name is not None:
        yield root, {"id": int(user), "name": owned.owner.name, "displayName": owned.owner.name}
    if isinstance(privacy := facts.get((PRIVACY, "")), RobloxPrivacy):
        yield f"{root}/settings", wire.render_privacy(privacy)
    for kind, path in ((CATEGORIES, "categories"), (FAVORITES, "categories/favorites")):
        if isinstance(known := facts.get((kind, "")), RobloxCategories):
            yield f"{root}/{path}", wire.render_categories(known)
    if isinstance(entries := facts.get((ENTRIES, "")), RobloxEntries):
        yield f"{root}/collections/items", wire.render_entries(entries)
    yield from _render_items(owned, root, facts)


def _render_items(owned: Owned, root: str, facts: Mapping[tuple[str, str], object]) -> Iterator[tuple[str, object]]:
    listed = [
        item
        for item in owned.items
        if isinstance(item, RobloxAsset | RobloxBadge | RobloxGamePass | RobloxPrivateServer)
        and not (isinstance(item, RobloxAsset) and item.inventory_item_asset_type is None)
    ]
    if listed:
        items = [wire.render_item(item, whole=True) for item in listed]
        yield f"/cloud/v2/users/{owned.owner.key}/inventory-items", wire.render_cloud_page(items, None)
    limited = [item for item in owned.items if isinstance(item, RobloxAsset) and item.collectible is not None]
    account = facts.get((ACCOUNT, ""))
    membership = account.membership if isinstance(account, RobloxUser) else None
    if limited:
        rows = [
            wire.render_collectible(
                item,
                None,
                sale if isinstance(sale := facts.get((SALE, item.key)), RobloxSale) else None,
                membership,
                whole=True,
            )
            for item in limited
        ]
        # Names are of the catalogue; one that is empty would be told for one.
        for row in rows:
            del row["name"]
            if membership is None:
                del row["buildersClubMembershipType"]
        yield f"{root}/assets/collectibles", wire.render_page(rows, None, None)
    for tab in words.TABS:
        places = [item for item in owned.items if isinstance(item, RobloxPlace) and item.tab == tab]
        if places:
            rendered = [wire.render_place(place, whole=True) for place in places]
            yield f"{root}/places/inventory?placesTab={tab}", wire.render_page(rendered, None, None)
    known = {item.key for item in listed} | {item.key for item in limited}
    others: dict[str, list[dict[str, Any]]] = {}
    for item in owned.items:
        if item.key in known or isinstance(item, RobloxPlace) or item.definition_key is None:
            continue
        kind, number = parsed(item.definition_key)
        word = next(word for word, found in words.ITEM_KINDS.items() if found == kind)
        instance = int(item.instance_id) if isinstance(item, RobloxAsset) else None
        others.setdefault(f"{root}/items/{word}/{number}", []).append(
            {"id": number, "type": word, "instanceId": instance}
        )
    for path, rows in others.items():
        yield path, wire.render_page(rows, None, None)
