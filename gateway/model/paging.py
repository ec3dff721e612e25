"""Cursors and pages: how a long list is read in parts, in the same order whatever the backend."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar, cast

import orjson

from gateway.model.errors import InvalidInput

PAGE_CAP = 250
"""The most entries that `first`, `last` and argument lists may ask for."""

DEFAULT_PAGE = 50
_MAX_CURSOR = 2_048

NATURAL, NAME, QUANTITY, ACQUIRED, SERIAL, NUMBER = "natural", "name", "quantity", "acquired", "serial", "number"
"""The orders of lists; the value of a position is text in NAME, a number in the others (always 0 in NATURAL).

NUMBER goes by the numbers that keys of one kind end with: by the length of the key, then by the key itself.
"""

T = TypeVar("T")


class Position(NamedTuple):
    """Where an entry stands in a list: the value the list is ordered by (a number or text), then its own sort text.

    Both ascend; two entries of one list never share a position. A position stays good when others come or go.
    """

    order: str
    value: int | str
    sort: str


def encode_cursor(position: Position) -> str:
    """Make the opaque cursor of a position."""
    return urlsafe_b64encode(orjson.dumps(tuple(position))).rstrip(b"=").decode()


def decode_cursor(cursor: str, order: str) -> Position:
    """Read a cursor back; InvalidInput where it is none, or belongs to a list in another order."""
    refused = InvalidInput("This is not a cursor of this list.")
    if len(cursor) > _MAX_CURSOR or not cursor.isascii():
        raise refused
    try:
        decoded: object = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        raise refused from None
    match decoded:
        case [str() as made_for, int() | str() as value, str() as sort] if made_for == order:
            position = Position(made_for, value, sort)
        case _:
            raise refused
    # Two places of one list are compared, so the values must be of one type; and one place has one cursor.
    if isinstance(value, bool) or isinstance(value, str) != (order == NAME) or encode_cursor(position) != cursor:
        raise refused
    return position


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which part of a list is wanted: `size` entries after `after`, or, `backwards`, as many before `before`.

    `skip` entries are passed over first: for callers who number their pages, of the catalogue alone.
    """

    order: str
    size: int
    skip: int = 0
    after: Position | None = None
    before: Position | None = None
    backwards: bool = False


def window(
    order: str, *, first: int | None, after: str | None, last: int | None = None, before: str | None = None
) -> Window:
    """Check Relay's paging arguments and make the window; InvalidInput says which one is wrong."""
    for name, size in (("first", first), ("last", last)):
        if size is not None and not 1 <= size <= PAGE_CAP:
            raise InvalidInput(f"`{name}` is {size}; it goes from 1 to {PAGE_CAP}.")
    if first is not None and last is not None:
        raise InvalidInput("Give `first` or `last`, not both.")
    if last is not None and after is not None:
        raise InvalidInput("`after` goes with `first`; `last` goes with `before`.")
    if last is None and before is not None:
        raise InvalidInput("`before` goes with `last`; `first` goes with `after`.")
    return Window(
        order=order,
        size=first or last or DEFAULT_PAGE,
        after=None if after is None else decode_cursor(after, order),
        before=None if before is None else decode_cursor(before, order),
        backwards=last is not None,
    )


@dataclass(slots=True, kw_only=True)
class Part(Generic[T]):
    """The entries of one window, in the list's order, each with its position."""

    entries: list[tuple[Position, T]]
    has_next: bool
    has_previous: bool
    total: int | None = None


def part_of(entries: Sequence[T], asked: Window, *, position: Callable[[T], Position]) -> Part[T]:
    """Cut a window out of a whole list that is in memory, in any order."""
    placed = sorted(((position(entry), entry) for entry in entries), key=_placed)
    after, before = asked.after, asked.before
    within = [
        pair
        for pair in placed
        if (after is None or _place(pair[0]) > _place(after)) and (before is None or _place(pair[0]) < _place(before))
    ]
    found = within[-asked.size - 1 :] if asked.backwards else within[asked.skip : asked.skip + asked.size + 1]
    return trimmed(found, asked, total=len(placed))


def trimmed(found: list[tuple[Position, T]], asked: Window, *, total: int | None = None) -> Part[T]:
    """Make the part from the window's entries and one more, if there is one: it only tells that the list goes on.

    Whether there is something on the side that the cursor came from is not looked up: the entry it was made for.
    """
    more = len(found) > asked.size
    if asked.backwards:
        return Part(
            entries=found[1:] if more else found, has_next=asked.before is not None, has_previous=more, total=total
        )
    before = asked.after is not None or asked.skip > 0
    return Part(entries=found[:-1] if more else found, has_next=more, has_previous=before, total=total)


def _place(position: Position) -> tuple[Any, str]:
    return cast("Any", position.value), position.sort


def _placed(pair: tuple[Position, object]) -> tuple[Any, str]:
    return _place(pair[0])
