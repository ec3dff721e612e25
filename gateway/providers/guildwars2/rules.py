"""What Guild Wars 2 allows: the form of its keys, how things lie together, which scope a read needs, API keys."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, cast

import orjson
from joserfc import jwt
from joserfc.jwk import OctKey

from gateway.model.arguments import ContainerKind
from gateway.model.container import Container, Contents
from gateway.model.errors import Forbidden, InvalidInput, Refusal
from gateway.model.ids import ME
from gateway.model.item import Item
from gateway.model.manifest import Capability
from gateway.model.owner import CREDENTIAL
from gateway.model.ports import Holder, Minted, Wanted
from gateway.model.relations import bare
from gateway.model.slot import Slot
from gateway.providers.guildwars2 import wire
from gateway.providers.guildwars2.keys import BANK, FAMILIES, MATERIALS, SHARED, slot_keys
from gateway.providers.guildwars2.types import (
    CHARACTER,
    CharacterContents,
    GuildWars2Account,
    GuildWars2Bag,
    GuildWars2BagSlot,
    GuildWars2Character,
    GuildWars2Item,
    GuildWars2Storage,
    GuildWars2Token,
)

_OWNER = re.compile(r"[^\x00-\x1f/\\]{1,64}\.[0-9]{4}\Z")


def _number(digits: int) -> str:
    return rf"(0|[1-9][0-9]{{0,{digits - 1}}})"


# A number is written in one way only, or one thing would have two keys.
_CHARACTER = r"character:[^\x00-\x1f/\\]{1,64}"
_CONTAINER = re.compile(rf"({_CHARACTER}(/{_number(3)})?|bank|shared|materials(/{_number(6)})?)\Z")
_ITEM = re.compile(rf"({_CHARACTER}/{_number(3)}|bank|shared)/{_number(6)}\Z|materials/{_number(6)}/{_number(10)}\Z")
_DEFINITION = re.compile(rf"({'|'.join(FAMILIES)}):{_number(10)}\Z")


def check_owner(key: str) -> None:
    """Raise InvalidInput unless this is an account name with its number."""
    _check(_OWNER, key, "an account name, such as `Name.1234`")


def check_container(key: str) -> None:
    """Raise InvalidInput unless this is a container's key."""
    _check(
        _CONTAINER,
        key,
        "`character:<name>`, `character:<name>/<bag index>`, `bank`, `shared`, `materials` or `materials/<category>`",
    )


def check_item(key: str) -> None:
    """Raise InvalidInput unless this is an item's key."""
    _check(_ITEM, key, "`<container>/<slot>`")


@lru_cache(maxsize=32_768)
def check_definition(key: str) -> None:
    """Raise InvalidInput unless this is a definition's key.

    The same ones are asked for again and again; those that raise, which may be of any length, are not remembered.
    """
    _check(_DEFINITION, key, "`item:<id>`, `skin:<id>`, `stat:<id>`, `color:<id>` or `material:<id>`")


def _check(form: re.Pattern[str], key: str, words: str) -> None:
    if not form.match(key):
        raise InvalidInput(f"This is not a key of Guild Wars 2: it has the form {words}.")


def contents(container: Container, children: Sequence[Container], items: Sequence[Item]) -> Contents:
    """Lay out a character's bags, a bag's or a storage's slots, or the holdings of a section of materials."""
    stacks = cast("Sequence[GuildWars2Item]", items)
    if isinstance(container, GuildWars2Character):
        return _character(container, [bag for bag in children if isinstance(bag, GuildWars2Bag)], stacks)
    key = container.key
    held = [item for item in stacks if item.container_key == key]
    if isinstance(container, GuildWars2Bag):
        return _slots(container, container.size, held, partial(wire.render_bag, container))
    if isinstance(container, GuildWars2Storage) and key in (BANK, SHARED):
        return _slots(container, container.slot_count or 0, held, wire.render_slots)
    return Contents(
        container=container,
        capacity=None,
        free_slots=None,
        slots=None,
        items=cast("list[Item]", held),
        digest=lambda: _digest([wire.render_material(item) for item in held]),
    )


def _by_container(items: Iterable[GuildWars2Item]) -> Mapping[str | None, list[GuildWars2Item]]:
    """Sort items by container; what lies together comes together, so that a change of container is rare."""
    found: dict[str | None, list[GuildWars2Item]] = {}
    at: str | None = None
    held = found[at] = []
    for item in items:
        key = item.container_key
        if key != at:
            at = key
            held = found.setdefault(key, [])
        held.append(item)
    return found


def _character(
    character: GuildWars2Character, bags: Sequence[GuildWars2Bag], items: Sequence[GuildWars2Item]
) -> CharacterContents:
    by_container = _by_container(items)
    placed: dict[int, GuildWars2Bag] = {}
    inside: dict[int, Contents] = {}
    capacity = free = 0
    for bag in bags:
        held = by_container.get(bag.key, [])
        laid = _slots(bag, bag.size, held, partial(wire.render_bag, bag))
        placed[bag.index], inside[bag.index] = bag, laid
        bag.parent = character
        bag.capacity, bag.free_slots, bag.slots = laid.capacity, laid.free_slots, laid.slots
        capacity += laid.capacity or 0
        free += laid.free_slots or 0
    count = max([character.bag_slot_count, *(index + 1 for index in placed)])
    bag_slots = [_bag_slot(index, placed.get(index)) for index in range(count)]
    # In hand, and so not loaded for who holds the character.
    character.capacity, character.free_slots, character.bag_slots = capacity, free, bag_slots
    return CharacterContents(
        container=character,
        capacity=capacity,
        free_slots=free,
        slots=None,
        items=[],
        digest=lambda: _digest(
            [
                wire.render_bag(placed[index], inside[index].slots or []) if index in placed else None
                for index in range(count)
            ]
        ),
        bag_slots=bag_slots,
        inside=inside,
    )


def _bag_slot(index: int, bag: GuildWars2Bag | None) -> GuildWars2BagSlot:
    place = bare(GuildWars2BagSlot)
    place.index, place.bag = index, bag
    return place


def _slots(
    container: GuildWars2Bag | GuildWars2Storage,
    size: int,
    held: list[GuildWars2Item],
    render: Callable[[Sequence[Slot]], object],
) -> Contents:
    placed = {item.slot_key: item for item in held}
    slots, seen = _laid(container, slot_keys(size), placed)
    if seen < len(placed):
        # An answer longer than the bag says keeps all: the longer length counts.
        size = max([size, *(int(key or 0) + 1 for key in placed)])
        slots, _ = _laid(container, slot_keys(size), placed)
    return Contents(
        container=container,
        capacity=size,
        free_slots=size - len(placed),
        slots=slots,
        items=cast("list[Item]", held),
        digest=lambda: _digest(render(slots)),
    )


def _laid(
    container: Container, keys: Sequence[str], placed: Mapping[str | None, GuildWars2Item]
) -> tuple[list[Slot], int]:
    """Make the slots of a container, tell what lies in them where it is, and count it."""
    slots: list[Slot] = []
    count = 0
    # `bare`, in place: at a thousand slots even the call counts.
    new = object.__new__
    for index, key in enumerate(keys):
        slot = new(Slot)
        slot.index, slot.key, slot.container = index, key, container
        item = slot.item = placed.get(key)
        if item is not None:
            item.container, item.slot = container, slot
            count += 1
        slots.append(slot)
    return slots, count


def _digest(payload: object) -> str:
    return hashlib.blake2b(orjson.dumps(payload), digest_size=9).hexdigest()


ACCOUNT_SCOPES = ("account",)
NAME_SCOPES = ("account", "characters")
INVENTORY_SCOPES = ("account", "characters", "inventories")
STORAGE_SCOPES = ("account", "inventories")


_INSIDE = ("contents_by_container", "items_by_container")
_BELOW = ("containers_by_container", "descendants_by_container")


def scopes_for(read: str, kind: str) -> tuple[str, ...]:
    """Give the scopes of a read, in the order in which the service lists them; `kind` is a key, or a kind of fact."""
    match read:
        case "containers_by_key" | "containers_by_owner":
            if "/" in kind:
                # A bag, or a section of the material storage: only what lies in them tells that they exist.
                return INVENTORY_SCOPES if kind.startswith(CHARACTER) else STORAGE_SCOPES
            return NAME_SCOPES if kind.startswith(CHARACTER) else ACCOUNT_SCOPES
        case "facts_by_key":
            # What a key may do, its holder may know.
            return NAME_SCOPES if kind == CHARACTER else () if kind == CREDENTIAL else ACCOUNT_SCOPES
        case "contents_by_container" | "containers_by_container" | "descendants_by_container" | "items_by_container":
            if kind.startswith("character:"):
                return INVENTORY_SCOPES
            # What holds nothing of a kind by its nature is known without looking.
            holds = {BANK: _INSIDE, SHARED: _INSIDE, MATERIALS: _BELOW}.get(kind, (*_INSIDE, *_BELOW))
            return STORAGE_SCOPES if read in holds else ACCOUNT_SCOPES
        case "items_by_key":
            return INVENTORY_SCOPES if kind.startswith("character:") else STORAGE_SCOPES
        case "items_by_owner" | "totals_by_owner" | "ownership_by_key" | "visibility_by_owner":
            return INVENTORY_SCOPES
        case _:
            return ACCOUNT_SCOPES


def lacking(scopes: Sequence[str]) -> Forbidden:
    """Refuse for want of scopes, as the service does."""
    return Forbidden(
        f"The API key lacks the scope {', '.join(scopes)}.",
        scopes=tuple(scopes),
        provider_code=f"requires scope {','.join(scopes)}",
    )


_FIELD_SCOPES = {
    "guilds": ("guild_leader",),
    "progression": ("fractal_level", "daily_ap", "monthly_ap"),
}
"""Fields of an account that take a scope of their own; without it they are left out."""


def shown(fact: object, scopes: Collection[str]) -> object:
    """Give a document about an owner as a credential with these scopes may see it."""
    if not isinstance(fact, GuildWars2Account):
        return fact
    hidden = [field for scope, fields in _FIELD_SCOPES.items() if scope not in scopes for field in fields]
    return replace(fact, **cast("dict[str, Any]", dict.fromkeys(hidden)))


TOP_LEVEL = (ContainerKind.CHARACTER, ContainerKind.STORAGE)
"""The kinds that an inventory's top level lists."""


def mint(wanted: Wanted) -> Minted:
    """Make an API key (two GUIDs run together, upper case); limited in time or to paths, a subtoken, which is a JWT."""
    key = "-".join(secrets.token_hex(size // 2).upper() for size in (8, 4, 4, 4, 20, 4, 4, 4, 12))
    token_id = key[:36]
    # A key has no end, and no paths.
    subtoken = bool(wanted.limits) or wanted.expires_at is not None
    secret = key
    if subtoken:
        claims = {"sub": token_id, "iat": int(wanted.issued_at.timestamp()), "permissions": list(wanted.scopes)}
        # The signature only gives the form: a key of ours is known by its hash, whatever it says of itself.
        secret = jwt.encode({"alg": "HS256"}, claims, OctKey.generate_key(256))
    facts = GuildWars2Token(
        id=token_id,
        name=wanted.name,
        permissions=list(wanted.scopes),
        type="Subtoken" if subtoken else "APIKey",
        issued_at=wanted.issued_at if subtoken else None,
        expires_at=wanted.expires_at if subtoken else None,
        urls=list(wanted.limits) or None,
    )
    return Minted(secret=secret, label=token_id, facts=facts, expires_at=wanted.expires_at)


RENEWED: Mapping[str, Collection[str]] = {}
"""Which parts of a credential are made in exchange for which: none."""


def unknown(definition: str) -> Refusal | None:
    """Tell that what is in no catalogue may exist."""
    del definition
    return None


def own_key(holder: Holder, key: str) -> str:
    """Give the account of the holder of a key; InvalidInput for what can be no key at all."""
    if key != ME:
        check_owner(key)
    return holder.owner


def may_read(holder: Holder, owner: str) -> bool:
    """Say whether it is the holder's own account: a key tells of no other."""
    return holder.owner == owner


def may_write(holder: Holder, owner: str, verb: Capability) -> bool:
    """Say whether it is the holder's own account, though nothing can be written."""
    del verb
    return holder.owner == owner


def secret(part: str, sent: str) -> str:
    """Tell that what is sent is the secret itself."""
    del part
    return sent


def fault_code(part: str | None, *, expired: bool) -> str | None:
    """Tell that the service has no words of its own for keys that are no good."""
    del part, expired
    return None


def shared_by(owner: str) -> str | None:
    """Tell that accounts lie over nothing that they share."""
    del owner
    return None
