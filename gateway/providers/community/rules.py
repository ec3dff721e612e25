"""What a community allows: keys, who may do what, what fits where, minting, session tokens; pure."""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from joserfc import jwt
from joserfc.jwk import OctKey

from gateway.model.arguments import ContainerKind
from gateway.model.errors import Conflict, Forbidden, InvalidInput, LimitExceeded, NotFound, Refusal, refuse
from gateway.model.ids import ME, is_me
from gateway.model.manifest import Capability
from gateway.model.ports import Holder, Minted, Wanted
from gateway.model.slot import Slot
from gateway.providers.community import wire
from gateway.providers.community.keys import joined, split
from gateway.providers.community.types import (
    FAILED,
    CommunityAllocation,
    CommunityAvatar,
    CommunityContents,
    CommunityCredential,
    CommunityItem,
    CommunityKit,
    CommunityMint,
    CommunitySlot,
    CommunityState,
    CommunityWallet,
)

# --- keys -------------------------------------------------------------------------------------------------------------

_TEXT = r"[^\x00-\x1f\x7f]"
_OWNER = re.compile(rf"[^\x00-\x1f\x7f/]{{1,128}}(/{_TEXT}{{1,256}})?\Z")
_DEFINITION = re.compile(rf"[^\x00-\x1f\x7f/]{{1,128}}/{_TEXT}{{1,256}}\Z")
_CONTAINER = re.compile(r"[^\x00-\x1f\x7f/]{1,128}\Z")
_ITEM = re.compile(rf"{_TEXT}{{1,256}}\Z")


def check_owner(key: str) -> None:
    """Raise InvalidInput unless this is a community, or a user of one."""
    # `me` is another to each caller.
    if is_me(key):
        raise InvalidInput("This is not a key of an owner: `me` is resolved before it is asked for.")
    _check(_OWNER, key, "`<community>` or `<community>/<user>`")


def check_container(key: str) -> None:
    """Raise InvalidInput unless this can be a container's key; only `avatar` is one."""
    _check(_CONTAINER, key, "`avatar`")


def check_item(key: str) -> None:
    """Raise InvalidInput unless this is an item's key."""
    _check(_ITEM, key, "`<item>`")


def check_definition(key: str) -> None:
    """Raise InvalidInput unless this is a definition's key."""
    _check(_DEFINITION, key, "`<community>/<item>`")


# Two keys, in whatever letters, have room in one opaque id.
_MOST_BYTES = 600


def _check(form: re.Pattern[str], key: str, words: str) -> None:
    if not form.match(key) or len(key.encode(errors="replace")) > _MOST_BYTES:
        raise InvalidInput(f"This is not a key of a community: it has the form {words}.")


# --- who --------------------------------------------------------------------------------------------------------------

TOP_LEVEL = (ContainerKind.AVATAR,)
"""The kinds that an inventory's top level lists."""

RENEWED: Mapping[str, Collection[str]] = {"refresh": ("session",)}
"""A refresh token is exchanged for a session token."""

_LIVES = {"session": timedelta(minutes=10), "refresh": timedelta(days=30)}
_ISSUER_KEY_BITS = 256


def scopes_for(read: str, kind: str) -> tuple[str, ...]:
    """Tell that a session may read everything."""
    del read, kind
    return ()


def shown(fact: object, scopes: Collection[str]) -> object:
    """Show documents whole."""
    del scopes
    return fact


def lacking(scopes: Sequence[str]) -> Forbidden:
    """Refuse for want of scopes, of which there are none."""
    return Forbidden("The session may not do this.", scopes=tuple(scopes))


def unknown(definition: str) -> Refusal | None:
    """Refuse what is not in the kit's catalogue: there is nothing else."""
    del definition
    return refusal("unknown_item")


def own_key(holder: Holder, key: str) -> str:
    """Give the holder's own key in the community that `key` names before `me`."""
    community, user = split(key)
    if user is None:
        raise InvalidInput("In which community is told before `me`: `<community>/me`.")
    own = joined(community, split(holder.owner)[1] or "") if user == ME else key
    check_owner(own)
    return own


def may_read(holder: Holder, owner: str) -> bool:
    """Say that whoever is signed in may look at anyone."""
    del holder, owner
    return True


def may_write(holder: Holder, owner: str, verb: Capability) -> bool:
    """Say whether it is the holder's own avatar, in whichever community."""
    del verb
    return split(holder.owner)[1] == split(owner)[1]


def secret(part: str, sent: str) -> str:
    """Tell that what is sent is the secret itself."""
    del part
    return sent


def fault_code(part: str | None, *, expired: bool) -> str | None:
    """Give the service's name of what is wrong with a token."""
    if not expired:
        return "GENERIC_UNAUTHORIZED"
    return "REFRESH_TOKEN_EXPIRED" if part == "refresh" else "SESSION_TOKEN_EXPIRED"


def shared_by(owner: str) -> str | None:
    """Give the community, whose kit and catalogue all its users have."""
    return split(owner)[0]


def mint(wanted: Wanted) -> Minted:
    """Make a session token, which is a JWT that names its user, or a refresh token, which names nobody."""
    user = split(wanted.owner)[1]
    if user is None:
        raise InvalidInput("A token is a user's: `<community>/<user>`.")
    if wanted.limits:
        raise InvalidInput("The tokens of a community know no limits.")
    label = secrets.token_hex(8)
    expires_at = wanted.expires_at or wanted.issued_at + _LIVES[wanted.part]
    secret = f"{wanted.part}_{secrets.token_urlsafe(32)}"
    if wanted.part == "session":
        claims = {
            "sub": user,
            "jti": label,
            "iat": int(wanted.issued_at.timestamp()),
            "exp": int(expires_at.timestamp()),
        }
        # The signature only gives the form: a token of ours is known by its hash, whatever it says of itself.
        secret = jwt.encode({"alg": "HS256"}, claims, OctKey.generate_key(_ISSUER_KEY_BITS))
    return Minted(secret=secret, label=label, facts=CommunityCredential(name=wanted.name), expires_at=expires_at)


# --- slots ------------------------------------------------------------------------------------------------------------


def lay(
    avatar: CommunityAvatar,
    slots: Sequence[CommunitySlot],
    state: CommunityState,
    items: Mapping[str, CommunityItem],
) -> CommunityContents:
    """Lay out an avatar's slots; an item of which there is no holding leaves its slot empty."""
    filled = {allocation.slot: allocation for allocation in state.allocations}
    laid: list[Slot] = []
    placed: dict[str, list[Slot]] = {}
    for index, slot in enumerate(slots):
        allocation = filled.get(slot.id)
        item = None if allocation is None else items.get(allocation.item)
        place = Slot(
            index=index,
            key=slot.id,
            name=slot.name,
            is_required=slot.is_required,
            allocated_at=allocation.at if allocation and item else None,
            container=avatar,
            item_key=item and item.key,
        )
        place.item = item
        laid.append(place)
        if item is not None:
            placed.setdefault(item.key, []).append(place)
    for key, places in placed.items():
        item = items[key]
        item.container, item.slot, item.slots = avatar, places[0], places
    has_user = split(avatar.owner.owner)[1] is not None
    return CommunityContents(
        container=avatar,
        capacity=len(laid),
        free_slots=sum(slot.item_key is None for slot in laid),
        slots=laid,
        items=[items[key] for key in placed],
        digest=lambda: state.version if has_user else None,
        state=state,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """What of the catalogue there is, and what of it a user owns, by id: `fits` tells the slots of each known item."""

    fits: Mapping[str, Collection[str]]
    owned: Mapping[str, int]

    def left(self, item: str) -> int:
        """Count how many slots an item may lie in: none, if it is no longer in the catalogue."""
        return self.owned.get(item, 0) if item in self.fits else 0


def lying(slots: Sequence[CommunitySlot], state: CommunityState, stock: Stock) -> list[CommunityAllocation]:
    """List what lies in the slots that there are, in their order, as far as it is owned.

    Of an item that is owned fewer times than it lies in slots, the first slots keep theirs.
    """
    filled = {allocation.slot: allocation for allocation in state.allocations}
    used: Counter[str] = Counter()
    kept: list[CommunityAllocation] = []
    for slot in slots:
        allocation = filled.get(slot.id)
        if allocation is not None and used[allocation.item] < stock.left(allocation.item):
            used[allocation.item] += 1
            kept.append(allocation)
    return kept


def settled(slots: Sequence[CommunitySlot], state: CommunityState, stock: Stock, *, at: datetime) -> CommunityState:
    """Take out of the slots what is no longer owned, or no longer there; the version rises once, if anything is.

    What lies in a slot that the kit does not have, for now, stays where it is.
    """
    known = {slot.id for slot in slots}
    kept = {allocation.slot for allocation in lying(slots, state, stock)}
    lost = [one for one in state.allocations if one.slot in known and one.slot not in kept]
    if not lost:
        return state
    left = [one for one in state.allocations if one not in lost]
    return replace(state, allocations=left, number=state.number + 1, updated_at=at)


def allocate(
    slots: Sequence[CommunitySlot],
    state: CommunityState,
    stock: Stock,
    entries: Sequence[tuple[str, str | None]],
    *,
    at: datetime,
) -> CommunityState:
    """Put items into slots, None clearing one, judged on what comes of all entries together; by ids.

    Gives the state itself where nothing changes. Raises a Refusal for every entry that is at fault, together.
    """
    check_entries(entries)
    known = {slot.id: slot for slot in slots}
    filled = {allocation.slot: allocation.item for allocation in state.allocations}
    named = {slot for slot, _ in entries}
    # What lies in slots that are not named counts first.
    used = Counter(item for slot, item in filled.items() if slot in known and slot not in named)
    faults: list[Refusal] = []
    seen: set[str] = set()
    for place, (slot, item) in enumerate(entries):
        if item is not None and slot in known and slot not in seen:
            used[item] += 1
        reason = _fault(known.get(slot), item, stock, used, repeated=slot in seen)
        seen.add(slot)
        if reason is not None:
            faults.append(refusal(reason).at(*place_of(place, reason)))
    refuse(faults)
    changed = {slot: item for slot, item in entries if filled.get(slot) != item}
    if not changed:
        return state
    old = {allocation.slot: allocation for allocation in state.allocations}
    after = [allocation for allocation in state.allocations if allocation.slot not in known]
    for slot in slots:
        if slot.id not in changed:
            after += [old[slot.id]] if slot.id in old else []
        elif (item := changed[slot.id]) is not None:
            after.append(CommunityAllocation(slot=slot.id, item=item, at=at))
    return replace(state, allocations=after, number=state.number + 1, updated_at=at)


def check_entries(entries: Sequence[object]) -> None:
    """Raise InvalidInput for an empty list, and LimitExceeded for one that is too long."""
    if not entries:
        raise refusal("empty_list").at("slots")
    if len(entries) > wire.MOST_ENTRIES:
        message = f"An allocation names at most {wire.MOST_ENTRIES} slots; these are {len(entries)}."
        raise LimitExceeded(message, provider_code="invalid_field").at("slots")


REASONS: Mapping[str, tuple[type[Refusal], str]] = {
    "unknown_slot": (NotFound, "There is no such slot."),
    "unknown_item": (NotFound, "There is no such item."),
    "duplicate_slot": (InvalidInput, "The slot is named twice."),
    "not_owned": (Conflict, "The item is not owned."),
    "does_not_fit": (Conflict, "The item does not fit the slot."),
    "quantity_exceeded": (Conflict, "The item would lie in more slots than it is owned times."),
    "required_slot": (Conflict, "The slot must not be empty."),
    "empty_list": (InvalidInput, "No slot is named."),
    "invalid_field": (InvalidInput, "A part of the input is missing, or is not what it must be."),
    "unsupported_blockchain": (InvalidInput, "Avatars of this community are not minted on that blockchain."),
    "no_wallet": (Conflict, "There is no wallet of the user's on that blockchain."),
    "empty_avatar": (Conflict, "There is nothing to mint: no slot is filled."),
}
"""Why a write is refused, in the service's words, and what that is in the graph."""


def refusal(reason: str) -> Refusal:
    """Make the error of a reason."""
    kind, message = REASONS[reason]
    return kind(message, provider_code=reason)


def place_of(entry: int, reason: str) -> tuple[str, str, str]:
    """Tell where in an allocation's input the fault of an entry lies."""
    return "slots", str(entry), "slot" if reason in ("unknown_slot", "duplicate_slot") else "definitionKey"


def _fault(
    slot: CommunitySlot | None, item: str | None, stock: Stock, used: Mapping[str, int], *, repeated: bool
) -> str | None:
    """Tell what is wrong with an entry; what does not exist comes first."""
    if slot is None:
        return "unknown_slot"
    if item is not None and item not in stock.fits:
        return "unknown_item"
    if repeated:
        return "duplicate_slot"
    if item is None:
        return "required_slot" if slot.is_required else None
    if stock.left(item) == 0:
        return "not_owned"
    if slot.id not in stock.fits[item]:
        return "does_not_fit"
    return "quantity_exceeded" if used[item] > stock.left(item) else None


# --- minting ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A mint that is to be made: whose avatar of which kit and version, on which blockchain, into which wallet."""

    user: str
    inventory: str
    version: int
    blockchain: str
    wallet: str


def order(
    kit: CommunityKit,
    slots: Sequence[CommunitySlot],
    state: CommunityState,
    user: str,
    wallets: Sequence[CommunityWallet],
    blockchain: str,
) -> Order | None:
    """Make the order for a mint; None where one of this version on this blockchain is pending or done.

    Raises a Refusal for each reason against it, together.
    """
    chain = next((name for name in kit.blockchains if _same(name, blockchain)), None)
    if chain is None:
        raise refusal("unsupported_blockchain").at("blockchain")
    filled = {allocation.slot for allocation in state.allocations}
    wallet = next((one for one in wallets if _same(one.blockchain, chain)), None)
    faults: list[Refusal] = []
    if state.number < 1 or not filled:
        faults.append(refusal("empty_avatar").at("container"))
    faults += [
        refusal("required_slot").at("container", slot.id)
        for slot in slots
        if slot.is_required and slot.id not in filled
    ]
    if wallet is None:
        faults.append(refusal("no_wallet").at("blockchain"))
    refuse(faults)
    for made in state.mints:
        if made.version == state.number and _same(made.blockchain, chain) and not _failed(made):
            return None
    assert wallet is not None  # noqa: S101 -- else it was refused
    return Order(user=user, inventory=kit.id, version=state.number, blockchain=chain, wallet=wallet.address)


def minted(state: CommunityState, made: CommunityMint) -> CommunityState:
    """Put a mint before all others; it takes the place of one that failed for the same version and blockchain."""
    others = [
        one
        for one in state.mints
        if not (_failed(one) and one.version == made.version and _same(one.blockchain, made.blockchain))
    ]
    return replace(state, mints=[made, *others])


def _failed(made: CommunityMint) -> bool:
    return _same(made.status, FAILED)


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()
