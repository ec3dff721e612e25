"""Positions: where an item stands in each order; the store's statements and lists in memory agree by these rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.model.arguments import ItemOrder
from gateway.model.ids import DefinitionRef
from gateway.model.item import Item
from gateway.model.paging import NATURAL, Position

UNKNOWN_LAST = 2**63 - 1
"""The value that stands for an unknown date or serial number: the largest that a BIGINT holds."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def position_of(item: Item, order: ItemOrder, name_folded: str | None) -> Position:
    """Give an item's place in a list.

    `name_folded` is the folded name, the item's own or its definition's (`model.arguments.fold`), and is looked at
    in the order NAME only.
    """
    return Position(order.value, _value_of(item, order, name_folded), item.sort)


def position_of_total(definition: DefinitionRef) -> Position:
    """Give the place of a definition in a list of totals."""
    return Position(NATURAL, 0, definition.key)


def microseconds(moment: datetime) -> int:
    """Count the microseconds since 1970 of a moment that knows its offset; exact, as floats are not."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(count: int) -> datetime:
    """Give the moment, in UTC, that is so many microseconds after 1970 began."""
    return _EPOCH + count * _MICROSECOND


def _value_of(item: Item, order: ItemOrder, name_folded: str | None) -> int | str:
    match order:
        case ItemOrder.NATURAL:
            return 0
        case ItemOrder.NAME:
            return name_folded or ""
        case ItemOrder.QUANTITY_DESC:
            return -item.quantity
        case ItemOrder.ACQUIRED_DESC:
            return UNKNOWN_LAST if item.acquired_at is None else -microseconds(item.acquired_at)
        case ItemOrder.SERIAL_ASC:
            serial = None if item.collectible is None else item.collectible.serial_number
            return UNKNOWN_LAST if serial is None else serial
