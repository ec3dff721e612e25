"""Files in the service's own format: what `gateway import` reads and `gateway export` writes."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast
from urllib.parse import parse_qs, quote, unquote

from gateway.files import Format
from gateway.model.definition import ItemDefinition
from gateway.model.errors import InvalidInput, UpstreamInvalid
from gateway.model.ids import FactRef, OwnerRef
from gateway.model.manifest import ProviderKey
from gateway.model.owner import ACCOUNT, InventoryOwner
from gateway.model.ports import Amendment, Catalogue, Fact, Owned, Record, Stock
from gateway.providers.community import rules, wire
from gateway.providers.community.keys import (
    ALIAS,
    ALLOCATIONS,
    ITEM,
    OWNED,
    PROVIDER,
    SLOTS,
    STATE,
    WALLETS,
    joined,
    split,
)
from gateway.providers.community.types import (
    CommunityAlias,
    CommunityAllocation,
    CommunityAllocations,
    CommunityItem,
    CommunityItemDefinition,
    CommunityKit,
    CommunityOwned,
    CommunitySlot,
    CommunitySlots,
    CommunityState,
    CommunityUser,
    CommunityWallets,
)

# --- which document it is ---------------------------------------------------------------------------------------------

FORMATS: Mapping[str, Format] = {}
"""The service's documents are JSON."""

_ROOT = "/v1/"
_PATH = re.compile(r"v1/community/([^/]+)/inventory(?:/(slots|items|avatar)|/items/([^/]+))?\Z")
_WALLETS_PATH = "v1/user/wallets"
_KINDS = ("inventory", "slots", "items", "avatar", "wallets")
_GIVE_OWNER = "whose it is must be told: --owner COMMUNITY/USER, or --owner COMMUNITY for what is nobody's"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    """Which document it is: its kind, and whose, as far as that is told; `item`, if it is one item alone.

    `is_part`, if it tells of owned items only.
    """

    kind: str
    community: str | None = None
    user: str | None = None
    item: str | None = None
    is_part: bool = False

    @property
    def owner(self) -> OwnerRef:
        """The user, or the community of what is nobody's."""
        if self.community is None:
            raise InvalidInput(_GIVE_OWNER)
        if "/" in self.community:
            raise InvalidInput("the key of a community has no `/`")
        key = self.community if self.user is None else joined(self.community, self.user)
        rules.check_owner(key)
        return OwnerRef(PROVIDER, key)

    @property
    def shared(self) -> OwnerRef:
        """The community."""
        return replace(self, user=None).owner


def _identify(kind: str | None, payload: object, owner: str | None) -> _Document:
    """Tell which document it is, and whose: a path says so itself, and must agree with the owner that was named."""
    community, user = (None, None) if owner is None else split(owner)
    if owner is not None:
        rules.check_owner(owner)
    if kind is None or kind in _KINDS:
        return _Document(kind=kind or _guess(payload), community=community, user=user)
    path, _, query = kind.partition("?")
    path = path.strip("/")
    told = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
    if path == _WALLETS_PATH:
        found = _Document(kind="wallets", community=community, user=told.get("userId", user))
    elif match := _PATH.match(path):
        item = None if match[3] is None else unquote(match[3])
        found = _Document(
            kind=match[2] or ("inventory" if item is None else "items"),
            community=unquote(match[1]),
            # One item is told as it is for whoever asked, whom the path does not name.
            user=told.get("userId", None if item is None else user),
            item=item,
            is_part=told.get("onlyOwned", "").lower() in ("true", "1"),
        )
    else:
        raise InvalidInput(
            f"{kind!r} is not a document of a community; there are: {', '.join(_KINDS)}, and their paths"
        )
    if community not in (None, found.community) or (user is not None and found.user not in (None, user)):
        raise InvalidInput(f"this is of {found.owner.owner!r}, not of {owner!r}")
    return found


def _guess(payload: object) -> str:
    """Tell the kind of a document by its shape; InvalidInput where more than one would fit."""
    first: Any = None
    if not _is_one(payload):
        # What is no list may be one thing.
        with contextlib.suppress(UpstreamInvalid):
            first = next(iter(wire.parse_page(payload).entries), None)
    # An avatar has a list of its own.
    for one in (payload, first):
        names = _names(one)
        if names & {"slotCount", "blockchains"}:
            return "inventory"
        if "version" in names and names & {"mints", "slots"}:
            return "avatar"
        if names & {"slotIds"}:
            return "items"
        if names & {"order", "required"}:
            return "slots"
        if {"blockchain", "address"} <= names:
            return "wallets"
    raise InvalidInput(
        f"what this is cannot be told from its shape: give --kind, one of {', '.join(_KINDS)}, "
        "or the document's path, such as `/v1/community/nova/inventory/slots?userId=u_1`"
    )


def _names(payload: Any) -> set[str]:
    return set(cast("dict[str, Any]", payload)) if isinstance(payload, dict) else set()


def _is_one(payload: Any) -> bool:
    """Say whether this is one thing, and no list: pages have no id."""
    return bool(_names(payload) & {"id", "_id", "itemId"})


# --- reading ----------------------------------------------------------------------------------------------------------


def splits(kind: str | None, payload: object) -> bool:
    """Say that no list is many records: a list of items is whole, and so tells what is gone, only as one."""
    del kind, payload
    return False


def family(kind: str) -> str:
    """Give the community whose catalogue it is, of `<community>` or `<community>/items`."""
    community, rest = split(kind)
    if not community or rest not in (None, "items"):
        raise InvalidInput(f"{kind!r} is no catalogue; a community's is `<community>` or `<community>/items`")
    rules.check_owner(community)
    return community


def parse_record(kind: str | None, payload: Any, owner: str | None) -> Iterable[Record]:
    """Read one document: an endpoint's answer, or an export of ours.

    `kind` is a word, `inventory`, `slots`, `items`, `avatar` or `wallets`, or the path with its query; without it the
    document's shape tells, where it can. InvalidInput says what is wrong.
    """
    try:
        if not _is_export(payload):
            yield from _parse(_identify(kind, payload, owner), payload)
            return
        parts = [(_identify(path, document, owner), document) for path, document in payload.items()]
        communities = {part.community for part, _ in parts if part.community is not None}
        # A user's documents tell of the catalogue as well, but the community's own have the last word; and the slots
        # have it over the avatar, which does not tell since when they are filled.
        for part, document in sorted(parts, key=lambda part: (part[0].user is None, part[0].kind == "slots")):
            if part.community is None and len(communities) == 1:
                part = replace(part, community=next(iter(communities)))  # noqa: PLW2901 -- the same, with its owner
            yield from _parse(part, document)
    except UpstreamInvalid as error:
        raise InvalidInput(error.message) from None


def _is_export(payload: Any) -> bool:
    paths = _names(payload)
    return bool(paths) and all(path.startswith(_ROOT) for path in paths)


def _parse(document: _Document, payload: Any) -> Iterable[Record]:
    match document.kind:
        case "inventory":
            yield from _parse_kit(document, payload)
        case "slots":
            yield from _parse_slots(document, payload)
        case "items":
            yield from _parse_items(document, payload)
        case "avatar":
            yield from _parse_avatar(document, payload)
        case _:
            yield from _parse_wallets(document, payload)


def _whose(owner: OwnerRef, name: str | None = None) -> Iterable[Record]:
    """Make an owner with its avatar; without a user, it is the kit's."""
    community, user = split(owner.owner)
    made = InventoryOwner(provider=ProviderKey.COMMUNITY, key=owner.owner)
    made.name = user or name
    yield made
    if user is not None:
        yield Fact(ref=FactRef(*owner, ACCOUNT, ""), value=CommunityUser(id=user, key=community))
    yield wire.avatar(owner)


def _parse_kit(document: _Document, payload: Any) -> Iterable[Record]:
    kit = wire.parse_kit(payload, document.community or "")
    if document.community not in (None, kit.key, kit.community_id):
        raise InvalidInput(f"this is the inventory of {kit.key!r}, not of {document.community!r}")
    owner = _Document(kind="inventory", community=kit.key or None).owner
    yield from _whose(owner, kit.name)
    yield Fact(ref=FactRef(*owner, ACCOUNT, ""), value=kit)
    if kit.community_id not in (None, kit.key):
        alias = _Document(kind="inventory", community=kit.community_id).owner
        yield Fact(ref=FactRef(*alias, ALIAS, ""), value=CommunityAlias(key=kit.key))


def _parse_slots(document: _Document, payload: Any) -> Iterable[Record]:
    owner, shared = document.owner, document.shared
    page = wire.parse_page(payload)
    if page.total is not None and not page.is_all:
        raise InvalidInput("this is a part of the slots: a kit is told whole")
    read = wire.parse_slots(payload, shared.owner)
    yield from _whose(owner)
    yield Fact(ref=FactRef(*shared, SLOTS, ""), value=CommunitySlots(slots=[one.slot for one in read]))
    if document.user is None:
        return
    lying = {one.item.id: one.item for one in read if one.item is not None}
    silent = {item.id for item in lying.values() if not item.is_counted}
    # What is not known of a slot may be this user's alone, while the slots are everyone's; and what is not known of an
    # item of which nothing tells how often it is owned has no holding of its own to be kept with.
    extra: dict[str, Any] = {one.slot.id: dict(one.slot.extra) for one in read if one.slot.extra}
    for one in read:
        if one.item is not None and one.item.id in silent and one.item.extra:
            extra.setdefault(one.slot.id, {})[ITEM] = one.item.extra
    yield Fact(
        ref=FactRef(*owner, ALLOCATIONS, ""), value=CommunityAllocations(slots=wire.allocations_of(read), extra=extra)
    )
    yield from _definitions(lying.values())
    times = Counter(one.item_id for one in read)
    yield Stock(
        owner=owner,
        items=[item.held_by(owner) for item in lying.values() if item.quantity > 0],
        gone=[],
        whole=False,
        # What lies in slots is owned at least as often, where nothing tells how often.
        found=[replace(lying[item], quantity=times[item]).held_by(owner) for item in silent],
    )


def _parse_items(document: _Document, payload: Any) -> Iterable[Record]:
    owner, shared = document.owner, document.shared
    is_one = document.item is not None or _is_one(payload)
    page = wire.Page([payload]) if is_one else wire.parse_page(payload)
    read = [_parse_item(entry, place, shared.owner) for place, entry in enumerate(page.entries)]
    if len({item.id for item in read}) < len(read):
        raise InvalidInput("two items have one id")
    if document.item not in (None, *(item.id for item in read)):
        raise InvalidInput(f"this is the item {read[0].id!r}, not {document.item!r}")
    is_whole = not is_one and (isinstance(payload, list) or page.is_all)
    yield from _whose(owner)
    if document.user is not None:
        yield from _definitions(read)
        yield Stock(
            owner=owner,
            items=[item.held_by(owner) for item in read if item.quantity > 0],
            gone=[item.id for item in read if item.quantity == 0],
            whole=is_whole,
        )
        if is_whole:
            yield Fact(ref=FactRef(*owner, OWNED, ""), value=CommunityOwned())
    elif is_whole and not document.is_part:
        yield Catalogue(provider=PROVIDER, family=shared.owner, definitions=[item.definition for item in read])
    else:
        yield from _definitions(read)


def _parse_item(entry: object, place: int, community: str) -> wire.ReadItem:
    try:
        item = wire.parse_item(entry, community)
    except UpstreamInvalid as error:
        raise InvalidInput(f"item {place + 1}: {error.message}") from None
    rules.check_definition(item.definition.key)
    rules.check_item(item.id)
    return item


def _definitions(items: Iterable[wire.ReadItem]) -> Iterable[Record]:
    for item in items:
        rules.check_definition(item.definition.key)
        yield item.definition


def _parse_avatar(document: _Document, payload: Any) -> Iterable[Record]:
    state, told = wire.parse_avatar(payload), wire.parse_user(payload)
    user = document.user if document.user is not None else told
    if user is None:
        raise InvalidInput(_GIVE_OWNER)
    if told not in (None, user):
        raise InvalidInput(f"this is the avatar of {told!r}, not of {user!r}")
    owner = replace(document, user=user).owner
    yield from _whose(owner)
    yield Fact(ref=FactRef(*owner, STATE, ""), value=state)
    yield Amendment(ref=FactRef(*owner, ALLOCATIONS, ""), amend=lambda told: _moved(told, state.allocations))


def _moved(told: object, allocations: list[CommunityAllocation]) -> CommunityAllocations:
    """Take over where things lie now; since when, and what else was told, stays of what lies where it lay."""
    known = told if isinstance(told, CommunityAllocations) else CommunityAllocations(slots=[])
    times = {(one.slot, one.item): one.at for one in known.slots}
    slots = [replace(one, at=times.get((one.slot, one.item))) for one in allocations]
    return CommunityAllocations(slots=slots, extra=wire.extra_of(known, slots))


def _parse_wallets(document: _Document, payload: Any) -> Iterable[Record]:
    owner = document.owner
    if document.user is None:
        raise InvalidInput(_GIVE_OWNER)
    yield from _whose(owner)
    yield Fact(ref=FactRef(*owner, WALLETS, ""), value=CommunityWallets(wallets=wire.parse_wallets(payload)))


# --- writing ----------------------------------------------------------------------------------------------------------


def render_definition(definition: ItemDefinition) -> dict[str, Any]:
    """Write an item of the catalogue, which nobody in particular owns."""
    return wire.render_item(cast("CommunityItemDefinition", definition), None, whole=True)


def render_export(owned: Owned) -> Iterator[tuple[str, object]]:
    """Write all that is kept of a user, or of a community's kit, each document under its path.

    `parse_record` reads it back. What was never told is left out, lest reading it back were to tell that there is none.
    """
    community, user = split(owned.owner.key)
    root = f"{_ROOT}community/{quote(community, safe='')}/inventory"
    shared = {fact.ref.kind: fact.value for fact in owned.shared}
    kit, slots = shared.get(ACCOUNT), shared.get(SLOTS)
    if user is not None:
        yield from _render_user(
            owned,
            root,
            user,
            kit if isinstance(kit, CommunityKit) else None,
            slots.slots if isinstance(slots, CommunitySlots) else None,
        )
        return
    if isinstance(kit, CommunityKit):
        yield root, wire.render_kit(kit, whole=True)
    if isinstance(slots, CommunitySlots):
        yield f"{root}/slots", [wire.render_slot(slot, None, None, whole=True) for slot in slots.slots]
    if owned.catalogue:
        yield f"{root}/items?onlyOwned=false", _page([render_definition(entry) for entry in owned.catalogue])


def _render_user(
    owned: Owned, root: str, user: str, kit: CommunityKit | None, slots: list[CommunitySlot] | None
) -> Iterator[tuple[str, object]]:
    asked = f"userId={quote(user, safe='')}"
    facts = {fact.ref.kind: fact.value for fact in owned.facts}
    state, allocations, wallets = facts.get(STATE), facts.get(ALLOCATIONS), facts.get(WALLETS)
    told = allocations if isinstance(allocations, CommunityAllocations) else None
    avatar = wire.joined_state(state if isinstance(state, CommunityState) else None, told)
    avatar = replace(avatar, inventory_id=avatar.inventory_id or (kit and kit.id))
    held = {item.key: cast("CommunityItem", item) for item in owned.items if item.quantity > 0}
    lying = {one.item for one in avatar.allocations}
    # What the catalogue does not have, the service has no document for.
    items = {
        key: wire.render_item(cast("CommunityItemDefinition", entry), held.get(key), whole=True)
        for entry in owned.catalogue
        if (key := split(entry.key)[1] or "") in held or key in lying
    }
    if slots is not None:
        yield f"{root}/slots?{asked}", _render_slots(slots, avatar, None if told is None else told.extra, items)
    mine = [document for key, document in items.items() if key in held]
    if OWNED in facts:
        yield f"{root}/items?onlyOwned=true&{asked}", _page(mine)
    elif mine:
        # Without a total it does not pretend to be all.
        yield f"{root}/items?onlyOwned=true&{asked}", {"items": mine}
    if slots is None:
        slots = [CommunitySlot(id=one.slot, key=one.slot, name=one.slot, order=0) for one in avatar.allocations]
    yield f"{root}/avatar?{asked}", wire.render_avatar(avatar, user, slots, whole=True)
    if isinstance(wallets, CommunityWallets):
        yield f"/{_WALLETS_PATH}?{asked}", wire.render_wallets(wallets.wallets)


def _render_slots(
    slots: Iterable[CommunitySlot],
    avatar: CommunityState,
    extra: Mapping[str, Any] | None,
    items: Mapping[str, dict[str, Any]],
) -> list[dict[str, Any]]:
    """Write the slots with what lies in them; of an item that is not in the catalogue, only the id."""
    filled = {one.slot: one for one in avatar.allocations}
    written: list[dict[str, Any]] = []
    for slot in slots:
        own = slot if extra is None else replace(slot, extra=extra.get(slot.id))
        lies = filled.get(slot.id)
        item = None if lies is None else items.get(lies.item)
        document = wire.render_slot(own, item, None if lies is None else lies.at, whole=True)
        written.append(document if lies is None or item else {**document, "item": lies.item})
    return written


def _page(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return wire.render_page(items, page=1, limit=max(len(items), 1), total=len(items))
