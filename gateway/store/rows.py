"""Rows: graph types as the columns of their tables, and back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from gateway.model.arguments import ContainerKind, fold
from gateway.model.container import Container
from gateway.model.definition import ItemDefinition
from gateway.model.errors import InvalidInput
from gateway.model.ids import OwnerRef
from gateway.model.item import Item
from gateway.model.manifest import ProviderKey
from gateway.model.owner import InventoryOwner
from gateway.model.ports import Fact
from gateway.model.positions import microseconds, moment_of
from gateway.model.relations import UNLOADED
from gateway.store.details import Codec
from gateway.store.tables import CONTAINERS, DEFINITIONS, ITEMS, owner_text

Row = dict[str, Any]

_BOUND = 2**63
_NUMBER_WIDTH = 12

ITEM_COLUMNS = [
    ITEMS.c[name]
    for name in (
        "key",
        "container_key",
        "slot_key",
        "definition_key",
        "linked_key",
        "name",
        "kind",
        "quantity",
        "acquired_at",
        "sort",
        "type",
        "details",
    )
]
"""What `read_item` takes behind a number, in its order."""

CONTAINER_COLUMNS = [
    CONTAINERS.c.key,
    CONTAINERS.c.parent_key,
    CONTAINERS.c.kind,
    CONTAINERS.c.role,
    CONTAINERS.c.name,
    DEFINITIONS.c.name,
    CONTAINERS.c.sort,
    CONTAINERS.c.type,
    CONTAINERS.c.details,
]
"""What `read_container` takes behind a number, in its order."""

DEFINITION_COLUMNS = [DEFINITIONS.c[name] for name in ("key", "kind", "name", "rarity", "type", "details")]
"""What `read_definition` takes behind a number, in its order."""


def storable(text: str) -> bool:
    """Say whether a text can be in the store at all; what cannot be is not asked for."""
    if "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def checked(row: Row) -> Row:
    """Raise InvalidInput for a text or number that a column cannot hold."""
    for name, value in row.items():
        if type(value) is str:
            # What the codec wrote, it has checked.
            if name != "details" and not storable(value):
                raise InvalidInput(f"`{name}` has a character that cannot be stored.")
        elif type(value) is int and not -_BOUND <= value < _BOUND:
            raise InvalidInput(f"`{name}` is {value}; it goes up to 64 bits.")
    return row


def stamp(moment: datetime | None, name: str) -> int | None:
    """Count a moment's microseconds; InvalidInput where it does not know its offset."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise InvalidInput(f"`{name}` needs its offset from UTC.")
    try:
        return microseconds(moment.astimezone(UTC))
    except OverflowError:
        raise InvalidInput(f"`{name}` is out of range.") from None


def _known(value: Any) -> Any:
    """Give an attribute; where a type has a relation in its place, only what a backend put there."""
    return None if value is UNLOADED else value


def item_row(item: Item, codec: Codec) -> Row:
    """Write a holding."""
    kind, details = codec.encode(item)
    name, word = _known(item.name), _known(item.kind)
    serial = None if item.collectible is None else item.collectible.serial_number
    return checked(
        {
            "owner": owner_text(*item.owner),
            "key": item.key,
            "container_key": item.container_key,
            "slot_key": item.slot_key,
            "definition_key": item.definition_key,
            "linked_key": item.linked_key,
            "name": name,
            "folded": None if name is None else fold(name),
            "kind": word,
            "quantity": item.quantity,
            "is_collectible": item.collectible is not None,
            "serial": serial,
            "acquired_at": stamp(item.acquired_at, "acquired_at"),
            "sort": item.sort,
            "type": kind,
            "details": details,
        }
    )


def read_item(codec: Codec, owner: OwnerRef, row: Sequence[Any]) -> Item:
    """Make a holding of a number that is the caller's own business and `ITEM_COLUMNS`."""
    _, key, container, slot, definition, linked, name, kind, quantity, acquired_at, sort, type_name, details = row
    if acquired_at is not None:
        acquired_at = moment_of(acquired_at)
    make = codec.makers[type_name]
    # By position, in the order of `COLUMNS`, here and below: names would cost as much again.
    return make(details, owner, key, container, slot, definition, linked, name, kind, quantity, acquired_at, sort)


def container_row(container: Container, codec: Codec) -> Row:
    """Write a container; an empty name, where its type knows a definition, means none of its own."""
    kind, details = codec.encode(container)
    named = bool(container.name) or not hasattr(container, "definition_key")
    return checked(
        {
            "owner": owner_text(*container.owner),
            "key": container.key,
            "parent_key": container.parent_key,
            "kind": container.kind.value,
            "role": container.role,
            "name": container.name if named else None,
            "definition_key": getattr(container, "definition_key", None),
            "sort": container.sort,
            "type": kind,
            "details": details,
        }
    )


def read_container(codec: Codec, owner: OwnerRef, row: Sequence[Any]) -> Container:
    """Make a container of a number and `CONTAINER_COLUMNS`; without a name it shows its definition's, or its key."""
    _, key, parent_key, kind, role, name, definition_name, sort, type_name, details = row
    if name is None:
        name = key if definition_name is None else definition_name
    return codec.makers[type_name](details, owner, key, parent_key, _CONTAINER_KINDS[kind], role, name, sort)


# Half the price of calling the enum.
_CONTAINER_KINDS = {kind.value: kind for kind in ContainerKind}


def definition_row(definition: ItemDefinition, codec: Codec) -> Row:
    """Write a catalogue entry; see `sort_of` for its place among its family."""
    kind, details = codec.encode(definition)
    return checked(
        {
            "provider": definition.provider.value,
            "key": definition.key,
            "family": definition.family,
            "sort": sort_of(definition),
            "kind": definition.kind,
            "name": definition.name,
            "folded": None if definition.name is None else fold(definition.name),
            "rarity": definition.rarity,
            "type": kind,
            "details": details,
        }
    )


def sort_of(definition: ItemDefinition) -> str:
    """Give the text that the catalogue's order goes by: the type's own `sort`, or what its key has behind its family.

    Numbers go by their size.
    """
    own: str | None = getattr(definition, "sort", None)
    if own is not None:
        return own
    rest = definition.key.partition(":")[2] or definition.key
    return rest.zfill(_NUMBER_WIDTH) if rest.isdecimal() else rest


def fit_rows(definition: ItemDefinition) -> list[Row]:
    """Write which slots a catalogue entry is made for."""
    sort = sort_of(definition)
    return [
        checked({"provider": definition.provider.value, "slot": slot, "sort": sort, "key": definition.key})
        for slot in dict.fromkeys(definition.fits)
    ]


def read_definition(codec: Codec, provider: ProviderKey, row: Sequence[Any]) -> ItemDefinition:
    """Make a catalogue entry of a number and `DEFINITION_COLUMNS`."""
    _, key, kind, name, rarity, type_name, details = row
    return codec.makers[type_name](details, provider, key, kind, name, rarity)


def owner_row(owner: InventoryOwner) -> Row:
    """Write an owner."""
    name = None if owner.name is UNLOADED else owner.name
    return checked({"owner": owner_text(*owner.ref), "provider": owner.provider.value, "key": owner.key, "name": name})


def read_owner(ref: OwnerRef, name: str | None) -> InventoryOwner:
    """Make an owner, its name filled in."""
    owner = InventoryOwner(provider=ProviderKey(ref.provider), key=ref.owner)
    owner.name = name
    return owner


def fact_row(fact: Fact, codec: Codec) -> Row:
    """Write a document about an owner."""
    kind, details = codec.encode(fact.value)
    ref = fact.ref
    return checked(
        {
            "owner": owner_text(ref.provider, ref.owner),
            "kind": ref.kind,
            "key": ref.key,
            "type": kind,
            "details": details,
        }
    )
