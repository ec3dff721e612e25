"""What both backends make of a verb's input, and what they tell of its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import strawberry

from gateway.model.change import ContainerVersion, PlainChangeSet
from gateway.model.definition import ItemDefinition
from gateway.model.errors import InvalidInput, NotFound, Refusal, refuse
from gateway.model.ids import CONTAINER, ITEM, SLOT, ContainerRef, ItemRef, OwnerRef, SlotRef, decode_id, encode_id
from gateway.model.ports import Shown
from gateway.model.slot import Slot
from gateway.model.verbs import AllocateSlotsInput, MintAvatarInput
from gateway.providers.community import rules
from gateway.providers.community.keys import AVATAR, split
from gateway.providers.community.types import CommunityAvatar, CommunityContents, CommunitySlot, CommunityState


def check_avatar(owner: OwnerRef, change: AllocateSlotsInput | MintAvatarInput) -> None:
    """Refuse a container that is no avatar, and the avatar of a kit, which is nobody's."""
    _, ref = decode_id(change.container)
    if cast("ContainerRef", ref).key != AVATAR:
        raise NotFound("There is no such avatar.").at("container")
    if split(owner.owner)[1] is None:
        raise InvalidInput("This is the avatar of the kit, which is nobody's.").at("container")


def entries_of(owner: OwnerRef, change: AllocateSlotsInput) -> list[tuple[str, str | None]]:
    """Read the entries of an allocation as ids of slots and items; Refusals for those that are malformed, together."""
    rules.check_entries(change.slots)
    community = split(owner.owner)[0]
    entries: list[tuple[str, str | None]] = []
    faults: list[Refusal] = []
    for place, entry in enumerate(change.slots):
        if entry.definition_key is strawberry.UNSET:
            faults.append(rules.refusal("invalid_field").at(*rules.place_of(place, "invalid_field")))
            continue
        entries.append((entry.slot, None if entry.definition_key is None else _item(entry.definition_key, community)))
    refuse(faults)
    return entries


def _item(key: str, community: str) -> str:
    """Give an item's id; of another community, what can be nobody's id."""
    of, item = split(key)
    return item if item and of == community else f"\0{key}"


def payload(contents: CommunityContents, named: Sequence[str] | None) -> Shown:
    """Make the parts of a payload that show an avatar; with `named`, its slots of these keys as well.

    What the avatar shows is in hand: a write that is only simulated leaves nothing to read.
    """
    avatar = cast("CommunityAvatar", contents.container)
    state = contents.state
    avatar.slots, avatar.capacity, avatar.free_slots = contents.slots, contents.capacity, contents.free_slots
    avatar.version, avatar.mints, avatar.updated_at = state.version, state.mints, state.updated_at
    avatar.image_url, avatar.model_url = state.image_url, state.model_url
    for item in contents.items:
        if isinstance(item.definition, ItemDefinition):
            item.name, item.kind = item.definition.name, item.definition.kind
    by_key: dict[str, Slot] = {slot.key: slot for slot in contents.slots or ()}
    parts: dict[str, Any] = {"container": avatar}
    if named is not None:
        parts["slots"] = [by_key[key] for key in named if key in by_key]
    return Shown(parts=parts, contents=[contents])


def changed(
    owner: OwnerRef, before: CommunityState, after: CommunityState, slots: Sequence[CommunitySlot]
) -> PlainChangeSet:
    """Tell what became of an avatar: the slots with another content, and the items that lie elsewhere now."""
    old, new = ({one.slot: one.item for one in state.allocations} for state in (before, after))
    updated = [slot.id for slot in slots if old.get(slot.id) != new.get(slot.id)]
    moved = dict.fromkeys(item for slot in updated for item in (old.get(slot), new.get(slot)) if item is not None)
    container = strawberry.ID(encode_id(CONTAINER, ContainerRef(*owner, AVATAR)))
    versions = [ContainerVersion(container=container, version=after.version)] if after.number != before.number else []
    return PlainChangeSet(
        created_ids=[],
        updated_ids=[strawberry.ID(encode_id(SLOT, SlotRef(*owner, AVATAR, slot))) for slot in updated],
        moved_ids=[strawberry.ID(encode_id(ITEM, ItemRef(*owner, item))) for item in moved],
        removed_ids=[],
        versions=versions,
        is_simulated=False,
        is_replayed=False,
        provider=owner.provider,
    )
