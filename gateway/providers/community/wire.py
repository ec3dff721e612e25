"""Payloads of a community's inventory: strict in what is written, forgiving in what is read.

No answer of the service is documented, so a client must be ready for more than one shape of each; what cannot be read
as any of them is UpstreamInvalid, which tells the place and never a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias, cast

from gateway.model.arguments import ContainerKind
from gateway.model.collectible import BlockchainToken, Collectible
from gateway.model.errors import (
    UpstreamInvalid,
)
from gateway.model.ids import OwnerRef
from gateway.model.manifest import ProviderKey
from gateway.model.scalars import BigInt, render_time
from gateway.providers.community.keys import AVATAR, ITEM, joined, split
from gateway.providers.community.types import (
    CommunityAllocation,
    CommunityAllocations,
    CommunityAttribute,
    CommunityAvatar,
    CommunityItem,
    CommunityItemDefinition,
    CommunityKit,
    CommunityMint,
    CommunitySlot,
    CommunityState,
    CommunityWallet,
)
from gateway.providers.leftovers import leftover, merged

Document: TypeAlias = Mapping[str, Any]

MOST_ENTRIES = 100
"""The most slots of one allocation, and the most items of one page."""

# What the graph's Int, and a store's BIGINT, can hold.
_INT, _BIG = 2**31 - 1, 2**63 - 1
_ID = re.compile(r"[^\x00-\x1f\x7f]{1,256}\Z")
_DIGITS = re.compile(r"[0-9]{1,19}\Z")

Names: TypeAlias = Mapping[str, tuple[str, ...]]

# The other names, by those of the contract, that a thing's keys may have.
_OF_KIT: Names = {"id": ("_id",), "imageUrl": ("image", "icon")}
_OF_ITEM: Names = {
    "id": ("_id", "itemId"),
    "imageUrl": ("image", "icon"),
    "slotIds": ("slots",),
    "owned": ("isOwned",),
}
_OF_TRAIT: Names = {"traitType": ("trait_type",)}
_OF_SLOT: Names = {"id": ("_id", "slotId"), "required": ("isRequired",), "item": ("itemId",)}
_OF_AVATAR: Names = {"imageUrl": ("image", "icon")}
_OF_PLACE: Names = {"slotId": ("id", "_id"), "itemId": ("item",)}


# --- reading ----------------------------------------------------------------------------------------------------------


def _wrong(place: str, wanted: str) -> UpstreamInvalid:
    return UpstreamInvalid(f"The service's answer is not in its format: `{place}` is not {wanted}.")


def _object(value: object, place: str, names: Names | None = None) -> dict[str, Any]:
    """Read an object; what stands under another name than the contract's is put under that."""
    if not isinstance(value, dict):
        raise _wrong(place, "an object")
    document = dict(cast("Document", value))
    for name, others in (names or {}).items():
        if document.get(name) is None:
            found = next((other for other in others if document.get(other) is not None), None)
            if found is not None:
                document[name] = document.pop(found)
    return document


def _text(value: object, place: str) -> str | None:
    """Read a text; numbers are taken for their digits."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(place, "a text")
    return str(value)


def _id(value: object, place: str) -> str:
    """Read an id, which may be a number."""
    found = _text(value, place)
    if found is None or not _ID.match(found):
        raise _wrong(place, "an id")
    return found


def _number(value: object, place: str, *, most: int, default: int = 0) -> int:
    """Read a whole number from 0; one in a text or with `.0` is one too."""
    if value is None:
        return default
    if isinstance(value, str) and _DIGITS.match(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise _wrong(place, "a whole number")
    return value


def _flag(value: object, place: str) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    raise _wrong(place, "true or false")


def _time(value: object, place: str) -> datetime | None:
    """Read a time; one without an offset is in UTC."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise _wrong(place, "a time")


def _list(value: object, place: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _wrong(place, "a list")
    return cast("list[Any]", value)


@dataclass(frozen=True, slots=True)
class Page:
    """A list, or a page of one, before its entries are read; the rest is None where it is not told."""

    entries: list[Any]
    total: int | None = None
    number: int | None = None
    pages: int | None = None

    @property
    def is_all(self) -> bool:
        """Whether it tells itself that there are no other pages."""
        if self.number not in (None, 1) or self.pages not in (None, 0, 1):
            return False
        return self.pages is not None if self.total is None else self.total == len(self.entries)


_WRAPPERS = ("items", "data", "results", "slots")


def parse_page(document: object) -> Page:
    """Read a list, bare or under a name that services give it."""
    if isinstance(document, list):
        return Page(cast("list[Any]", document))
    whole = _object(document, "answer")
    inner: Any = whole.get("data")
    # A page within an envelope, which may tell the total itself.
    for part in (whole, cast("Document", inner)) if isinstance(inner, dict) else (whole,):
        for name in _WRAPPERS:
            if isinstance(found := part.get(name), list):
                return _page(cast("list[Any]", found), {**whole, **part})
    raise _wrong("answer", "a list")


def _page(entries: list[Any], envelope: Document) -> Page:
    meta: Any = envelope.get("meta")
    told = {**cast("Document", meta), **envelope} if isinstance(meta, dict) else envelope
    totals = [told.get("total"), told.get("totalCount"), told.get("count"), meta if isinstance(meta, int) else None]
    total = next((found for found in totals if found is not None), None)
    number, pages = (found if isinstance(found := told.get(name), int) else None for name in ("page", "totalPages"))
    return Page(
        entries, total=None if total is None else _number(total, "total", most=_BIG), number=number, pages=pages
    )


def parse_ckey(document: object) -> str | None:
    """Read the key that a community's inventory tells; None where it tells none, whatever it is."""
    ckey = cast("Document", document).get("ckey") if isinstance(document, dict) else None
    return ckey if isinstance(ckey, str) and ckey else None


def parse_kit(document: object, community: str) -> CommunityKit:
    """Read the inventory of a community; `community` is the key that it was asked by."""
    whole = _object(document, "inventory", _OF_KIT)
    kit = CommunityKit(
        id=_id(whole.get("id"), "inventory.id"),
        community_id=_text(whole.get("communityId"), "inventory.communityId"),
        key=_text(whole.get("ckey"), "inventory.ckey") or community,
        name=_text(whole.get("name"), "inventory.name") or community,
        description=_text(whole.get("description"), "inventory.description"),
        image_url=_text(whole.get("imageUrl"), "inventory.imageUrl"),
        blockchains=[
            _id(entry, "inventory.blockchains") for entry in _list(whole.get("blockchains"), "inventory.blockchains")
        ],
        slot_count=_number(whole.get("slotCount"), "inventory.slotCount", most=_INT),
        item_count=_number(whole.get("itemCount"), "inventory.itemCount", most=_INT),
        created_at=_time(whole.get("createdAt"), "inventory.createdAt"),
        updated_at=_time(whole.get("updatedAt"), "inventory.updatedAt"),
    )
    kit.extra = leftover(whole, render_kit(kit))
    return kit


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadItem:
    """An item as one user's answer tells it: the catalogue's part, and how many the user owns.

    Where it `is_counted` no further than that it is owned, that is 1, or in a slot, if even that is not told, 0.
    """

    id: str
    definition: CommunityItemDefinition
    quantity: int
    token: BlockchainToken | None
    extra: dict[str, Any] | None
    is_counted: bool = True

    def held_by(self, owner: OwnerRef) -> CommunityItem:
        """Make the holding of a user who owns some."""
        item = CommunityItem(
            key=self.id,
            owner=owner,
            sort=self.id,
            quantity=BigInt(self.quantity),
            definition_key=self.definition.key,
            collectible=None if self.token is None else Collectible(token=self.token),
            extra=self.extra,
        )
        item.definition = self.definition
        return item


def parse_item(document: object, community: str) -> ReadItem:
    """Read one item."""
    whole = _object(document, "item", _OF_ITEM)
    traits = [
        _object(entry, "item.attributes", _OF_TRAIT) for entry in _list(whole.get("attributes"), "item.attributes")
    ]
    found = _id(whole.get("id"), "item.id")
    owned = _flag(whole.get("owned"), "item.owned")
    quantity = _number(whole.get("quantity"), "item.quantity", most=_BIG, default=int(owned))
    token = _token(whole.get("token"))
    definition = CommunityItemDefinition(
        provider=ProviderKey.COMMUNITY,
        key=joined(community, found),
        name=_text(whole.get("name"), "item.name") or found,
        description=_text(whole.get("description"), "item.description"),
        icon=_text(whole.get("imageUrl"), "item.imageUrl"),
        model_url=_text(whole.get("modelUrl"), "item.modelUrl"),
        slot_ids=[
            _id(_content(entry, "item.slotIds", _OF_SLOT), "item.slotIds")
            for entry in _list(whole.get("slotIds"), "item.slotIds")
        ],
        kind=_text(whole.get("type"), "item.type"),
        rarity=_text(whole.get("rarity"), "item.rarity"),
        attributes=[_attribute(trait) for trait in traits],
        # Which token a copy is, is the business of who owns it.
        token=None if token is None else _shared(token) if quantity else token,
        created_at=_time(whole.get("createdAt"), "item.createdAt"),
    )
    # Whether a key that is not known tells of the item, or of what the user has of it, is not known either.
    definition.extra = leftover({**whole, "attributes": traits}, _render_item(definition, quantity, token))
    return ReadItem(
        id=found,
        definition=definition,
        quantity=quantity,
        token=token if quantity else None,
        extra=definition.extra,
        is_counted=whole.get("quantity") is not None or not owned,
    )


def _shared(token: BlockchainToken) -> BlockchainToken:
    return BlockchainToken(blockchain=token.blockchain, contract_address=token.contract_address)


def _attribute(trait: Document) -> CommunityAttribute:
    value = trait.get("value")
    return CommunityAttribute(
        trait_type=_text(trait.get("traitType"), "item.attributes.traitType") or "",
        value=str(value).lower() if isinstance(value, bool) else _text(value, "item.attributes.value"),
    )


def _token(value: object) -> BlockchainToken | None:
    if value is None:
        return None
    token = _object(value, "item.token")
    return BlockchainToken(
        blockchain=_text(token.get("blockchain"), "item.token.blockchain") or "",
        contract_address=_text(token.get("contractAddress"), "item.token.contractAddress"),
        token_id=_text(token.get("tokenId"), "item.token.tokenId"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSlot:
    """A slot as one user's answer tells it; of its content perhaps only the id."""

    slot: CommunitySlot
    item_id: str | None
    item: ReadItem | None
    allocated_at: datetime | None


def parse_slots(document: object, community: str) -> list[ReadSlot]:
    """Read the slots with what a user put there, by order, then id."""
    read = [_slot(entry, community) for entry in parse_page(document).entries]
    if len({one.slot.id for one in read}) < len(read):
        raise UpstreamInvalid("The service's answer is not in its format: two slots have one id.")
    return sorted(read, key=lambda one: (one.slot.order, one.slot.id))


def allocations_of(read: Sequence[ReadSlot]) -> list[CommunityAllocation]:
    """Give what slots are filled with, and since when."""
    return [
        CommunityAllocation(slot=one.slot.id, item=one.item_id, at=one.allocated_at)
        for one in read
        if one.item_id is not None
    ]


def _slot(entry: object, community: str) -> ReadSlot:
    whole = _object(entry, "slot", _OF_SLOT)
    found = _id(whole.get("id"), "slot.id")
    slot = CommunitySlot(
        id=found,
        key=_text(whole.get("key"), "slot.key") or found,
        name=_text(whole.get("name"), "slot.name") or found,
        description=_text(whole.get("description"), "slot.description"),
        order=_number(whole.get("order"), "slot.order", most=_INT),
        is_required=_flag(whole.get("required"), "slot.required"),
    )
    content: Any = whole.get("item")
    item = _lying(cast("Document", content), community) if isinstance(content, dict) else None
    allocated_at = _time(whole.get("allocatedAt"), "slot.allocatedAt")
    written: dict[str, Any] = {**_render_slot(slot, None, allocated_at), "item": content, "itemId": None}
    slot.extra = leftover(whole, written)
    return ReadSlot(
        slot=slot,
        item_id=item.id if item else _content(content, "slot.item"),
        item=item,
        allocated_at=allocated_at,
    )


def _lying(content: Document, community: str) -> ReadItem | None:
    """Read the item that lies in a slot; None for an object that does not tell what it fits: it only names an item."""
    whole = _object(content, "slot.item", _OF_ITEM)
    if whole.get("slotIds") is None:
        return None
    if whole.get("owned") is not None or whole.get("quantity") is not None:
        return parse_item(whole, community)
    # What lies in a slot is owned, but how many of it there are is then not known.
    return replace(parse_item({**whole, "owned": True}, community), quantity=0)


def _content(value: Any, place: str, names: Names = _OF_ITEM) -> str | None:
    """Read an id, or that of an object; None for none, which an empty text is too."""
    if isinstance(value, dict):
        value = _object(cast("Document", value), place, names).get("id")
    return None if value in (None, "") else _id(value, place)


def _avatar(document: object) -> dict[str, Any]:
    """Read an avatar, bare or in an envelope: it tells at least one of its own parts."""
    whole = _object(document, "avatar", _OF_AVATAR)
    inner: Any = whole.get("data")
    parts = [whole, _object(cast("Document", inner), "avatar", _OF_AVATAR)] if isinstance(inner, dict) else [whole]
    for part in parts:
        if any(part.get(name) is not None for name in ("version", "slots", "mints")):
            return part
    raise _wrong("answer", "an avatar")


def parse_avatar(document: object) -> CommunityState:
    """Read a user's avatar."""
    whole = _avatar(document)
    places = [_object(entry, "avatar.slots", _OF_PLACE) for entry in _list(whole.get("slots"), "avatar.slots")]
    by_id = {_id(place.get("slotId"), "avatar.slots.slotId"): place for place in places}
    if len(by_id) < len(places):
        raise UpstreamInvalid("The service's answer is not in its format: it tells of a slot twice.")
    state = CommunityState(
        number=_number(whole.get("version"), "avatar.version", most=_INT),
        inventory_id=_text(whole.get("inventoryId"), "avatar.inventoryId"),
        image_url=_text(whole.get("imageUrl"), "avatar.imageUrl"),
        model_url=_text(whole.get("modelUrl"), "avatar.modelUrl"),
        allocations=[
            CommunityAllocation(slot=slot, item=item)
            for slot, place in by_id.items()
            if (item := _content(place.get("itemId"), "avatar.slots.itemId"))
        ],
        mints=[_mint(entry) for entry in _list(whole.get("mints"), "avatar.mints")],
        updated_at=_time(whole.get("updatedAt"), "avatar.updatedAt"),
    )
    extra = leftover(whole, {**render_avatar(state, "", ()), "slots": None, "mints": None}) or {}
    # By slot: what lies in them, and so their number, may change.
    slots = {slot: over for slot, place in by_id.items() if (over := leftover(place, {"slotId": None, "itemId": None}))}
    state.extra = {**extra, **({"slots": slots} if slots else {})} or None
    return state


def parse_user(document: object) -> str | None:
    """Read whose avatar it is; None where it does not tell."""
    user = _avatar(document).get("userId")
    return None if user is None else _id(user, "avatar.userId")


def _mint(entry: object) -> CommunityMint:
    whole = _object(entry, "avatar.mints")
    mint = CommunityMint(
        blockchain=_text(whole.get("blockchain"), "mint.blockchain") or "",
        version=_number(whole.get("version"), "mint.version", most=_INT),
        status=_text(whole.get("status"), "mint.status") or "pending",
        token_id=_text(whole.get("tokenId"), "mint.tokenId"),
        tx_hash=_text(whole.get("txHash"), "mint.txHash"),
        requested_at=_time(whole.get("requestedAt"), "mint.requestedAt"),
        minted_at=_time(whole.get("mintedAt"), "mint.mintedAt"),
    )
    mint.extra = leftover(whole, render_mint(mint))
    return mint


def parse_wallets(document: object) -> list[CommunityWallet]:
    """Read a user's wallets; the form is our own."""
    return [
        CommunityWallet(
            blockchain=_id(_object(entry, "wallets").get("blockchain"), "wallets.blockchain"),
            address=_id(_object(entry, "wallets").get("address"), "wallets.address"),
        )
        for entry in _list(document, "wallets")
    ]


# --- laying out -------------------------------------------------------------------------------------------------------


def avatar(owner: OwnerRef) -> CommunityAvatar:
    """Make the one container of an inventory."""
    return CommunityAvatar(key=AVATAR, name="Avatar", kind=ContainerKind.AVATAR, owner=owner, sort=AVATAR)


def extra_of(told: CommunityAllocations | None, allocations: Sequence[CommunityAllocation]) -> dict[str, Any] | None:
    """Give what a user's slots told beyond the contract; of an item, only where it still lies in its slot."""
    if told is None or told.extra is None:
        return None
    there = {(one.slot, one.item) for one in allocations}
    stayed = {one.slot for one in told.slots if (one.slot, one.item) in there}
    return {
        slot: {name: part for name, part in more.items() if name != ITEM or slot in stayed}
        for slot, more in told.extra.items()
    }


def joined_state(state: CommunityState | None, slots: CommunityAllocations | None) -> CommunityState:
    """Join what the avatar's document tells with what the slots' own does, which knows since when."""
    known = state or CommunityState()
    if slots is None:
        return known
    # Something was put there, if nothing tells how often.
    number = int(bool(slots.slots)) if state is None else known.number
    return replace(known, allocations=slots.slots, number=number)


# --- writing ----------------------------------------------------------------------------------------------------------


def _when(moment: datetime | None) -> str | None:
    return None if moment is None else render_time(moment)


def _whole(written: dict[str, Any], extra: object, *, whole: bool) -> dict[str, Any]:
    return merged(written, extra) if whole else written


def render_kit(kit: CommunityKit, *, whole: bool = False) -> dict[str, Any]:
    """Write `GET /`; here as below, `whole` adds what the contract does not know."""
    written = {
        "id": kit.id,
        "communityId": kit.community_id,
        "ckey": kit.key,
        "name": kit.name,
        "description": kit.description,
        "imageUrl": kit.image_url,
        "blockchains": list(kit.blockchains),
        "slotCount": kit.slot_count,
        "itemCount": kit.item_count,
        "createdAt": _when(kit.created_at),
        "updatedAt": _when(kit.updated_at),
    }
    return _whole(written, kit.extra, whole=whole)


def render_item(
    definition: CommunityItemDefinition, held: CommunityItem | None, *, whole: bool = False
) -> dict[str, Any]:
    """Write an item as it is for the user who holds so many of it; None for one who holds none."""
    own = None if held is None or held.collectible is None else held.collectible.token
    written = _render_item(definition, 0 if held is None else held.quantity, own or definition.token)
    return _whole(written, (held and held.extra) or definition.extra, whole=whole)


def _render_item(definition: CommunityItemDefinition, quantity: int, token: BlockchainToken | None) -> dict[str, Any]:
    return {
        "id": split(definition.key)[1],
        "name": definition.name,
        "description": definition.description,
        "imageUrl": definition.icon,
        "modelUrl": definition.model_url,
        "slotIds": list(definition.slot_ids),
        "type": definition.kind,
        "rarity": definition.rarity,
        "attributes": [{"traitType": trait.trait_type, "value": trait.value} for trait in definition.attributes],
        "owned": quantity > 0,
        "quantity": int(quantity),
        "token": None
        if token is None
        else {
            "blockchain": token.blockchain,
            "contractAddress": token.contract_address,
            "tokenId": token.token_id,
        },
        "createdAt": _when(definition.created_at),
    }


def render_slot(
    slot: CommunitySlot, item: dict[str, Any] | None, allocated_at: datetime | None, *, whole: bool = False
) -> dict[str, Any]:
    """Write a slot with the item, written already, that lies in it."""
    return _whole(_render_slot(slot, item, allocated_at), slot.extra, whole=whole)


def _render_slot(slot: CommunitySlot, item: dict[str, Any] | None, allocated_at: datetime | None) -> dict[str, Any]:
    return {
        "id": slot.id,
        "key": slot.key,
        "name": slot.name,
        "description": slot.description,
        "order": slot.order,
        "required": slot.is_required,
        "item": item,
        "allocatedAt": _when(allocated_at),
    }


def render_page(items: Sequence[dict[str, Any]], *, page: int, limit: int, total: int) -> dict[str, Any]:
    """Write a page of items."""
    return {
        "items": list(items),
        "page": page,
        "limit": limit,
        "total": total,
        "totalPages": -(-total // limit),
    }


def render_avatar(
    state: CommunityState, user: str, slots: Sequence[CommunitySlot], *, whole: bool = False
) -> dict[str, Any]:
    """Write a user's avatar over the slots of the kit."""
    filled = {allocation.slot: allocation.item for allocation in state.allocations}
    extra = dict(state.extra or {})
    places: Mapping[str, Any] = extra.pop("slots", {})
    written = {
        "userId": user,
        "inventoryId": state.inventory_id,
        "version": state.number,
        "imageUrl": state.image_url,
        "modelUrl": state.model_url,
        "slots": [
            _whole({"slotId": slot.id, "itemId": filled.get(slot.id)}, places.get(slot.id), whole=whole)
            for slot in slots
        ],
        "mints": [render_mint(mint, whole=whole) for mint in state.mints],
        "updatedAt": _when(state.updated_at),
    }
    return _whole(written, extra, whole=whole)


def render_mint(mint: CommunityMint, *, whole: bool = False) -> dict[str, Any]:
    """Write a mint."""
    written = {
        "blockchain": mint.blockchain,
        "version": mint.version,
        "status": mint.status,
        "tokenId": mint.token_id,
        "txHash": mint.tx_hash,
        "requestedAt": _when(mint.requested_at),
        "mintedAt": _when(mint.minted_at),
    }
    return _whole(written, mint.extra, whole=whole)


def render_wallets(wallets: Sequence[CommunityWallet]) -> list[dict[str, str]]:
    """Write a user's wallets."""
    return [{"blockchain": wallet.blockchain, "address": wallet.address} for wallet in wallets]


# --- requests and refusals --------------------------------------------------------------------------------------------


def render_allocation(entries: Sequence[tuple[str, str | None]]) -> dict[str, Any]:
    """Write the body of an allocation: slots' ids and items' ids, None to clear."""
    return {"slots": [{"slotId": slot, "itemId": item or ""} for slot, item in entries]}


ERRORS: Mapping[str, tuple[int, int, str]] = {
    "INTERNAL_SERVER_ERROR": (500, 10001, "internal_server_error"),
    "GENERIC_CLIENT_ERROR": (400, 10002, "generic_client_error"),
    "GENERIC_UNAUTHORIZED": (401, 10003, "generic_unauthorized"),
    "SESSION_TOKEN_EXPIRED": (401, 10004, "session_token_expired"),
    "REFRESH_TOKEN_EXPIRED": (401, 10005, "refresh_token_expired"),
    "GENERIC_NOT_FOUND": (404, 10006, "generic_not_found"),
}
"""The service's names of errors: status, code, message. Only 10002 is the service's own number."""


def error_name(document: object) -> str | None:
    """Give the name of an error that an answer tells, in upper case; None where it tells none that is known."""
    if not isinstance(document, dict):
        return None
    whole = cast("Document", document)
    for name in ("message", "name", "error", "code"):
        told = whole.get(name)
        if isinstance(told, str) and (found := re.sub(r"[^A-Z]+", "_", told.strip().upper())) in ERRORS:
            return found
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """What is wrong with one entry of a write, in the service's words."""

    reason: str
    slot: str | None = None
    item: str | None = None
    field: str | None = None


def parse_details(document: object) -> list[Detail]:
    """Read the details of a refusal; those that cannot be read are left out, as no client may need them."""
    if not isinstance(document, dict):
        return []
    entries: Any = cast("Document", document).get("details")
    found: list[Detail] = []
    for entry in cast("list[Any]", entries) if isinstance(entries, list) else []:
        if isinstance(entry, dict) and isinstance(reason := cast("Document", entry).get("reason"), str):
            parts = {
                name: value if isinstance(value := cast("Document", entry).get(key), str) else None
                for name, key in (("slot", "slotId"), ("item", "itemId"), ("field", "field"))
            }
            found.append(Detail(reason=reason.strip().lower(), **parts))
    return found


def render_details(details: Sequence[Detail]) -> list[dict[str, str]]:
    """Write the details of a refusal."""
    return [
        {
            name: value
            for name, value in (
                ("slotId", detail.slot),
                ("itemId", detail.item),
                ("field", detail.field),
                ("reason", detail.reason),
            )
            if value is not None
        }
        for detail in details
    ]
