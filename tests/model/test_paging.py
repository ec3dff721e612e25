"""Cursors and pages: every entry once, in order, whatever the size and the direction."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.errors import InvalidInput
from gateway.model.paging import NAME, NATURAL, Position, decode_cursor, encode_cursor, part_of, window

NUMBERED = st.builds(Position, st.just(NATURAL), st.integers(-(2**53), 2**53), st.text("abc/\x01é", max_size=6))
NAMED = st.builds(Position, st.just(NAME), st.text("abé", max_size=3), st.text("abc", max_size=6))
LISTS = st.one_of(st.lists(NUMBERED, unique=True, max_size=12), st.lists(NAMED, unique=True, max_size=12))


@given(st.one_of(NUMBERED, NAMED))
def test_a_cursor_reads_back(position: Position) -> None:
    assert decode_cursor(encode_cursor(position), position.order) == position


@given(NAMED)
def test_a_cursor_of_another_order_is_refused(position: Position) -> None:
    with pytest.raises(InvalidInput):
        decode_cursor(encode_cursor(position), NATURAL)
    with pytest.raises(InvalidInput):
        decode_cursor(encode_cursor(position._replace(value=1)), NAME)


@given(st.text(max_size=60))
def test_anything_else_is_refused_and_never_breaks(text: str) -> None:
    try:
        position = decode_cursor(text, NATURAL)
    except InvalidInput:
        return
    assert encode_cursor(position) == text


@given(LISTS, st.integers(1, 5))
def test_pages_cover_everything_once_in_both_directions(entries: list[Position], size: int) -> None:
    order = entries[0].order if entries else NATURAL
    whole = sorted(entries)
    seen: list[Position] = []
    after: str | None = None
    while True:
        part = part_of(entries, window(order, first=size, after=after), position=lambda entry: entry)
        seen += [entry for _, entry in part.entries]
        assert part.total == len(entries)
        assert part.has_previous is (after is not None)
        if not part.has_next:
            break
        after = encode_cursor(part.entries[-1][0])
    assert seen == whole
    seen = []
    before: str | None = None
    while True:
        part = part_of(entries, window(order, first=None, after=None, last=size, before=before), position=lambda e: e)
        seen = [entry for _, entry in part.entries] + seen
        assert part.has_next is (before is not None)
        if not part.has_previous:
            break
        before = encode_cursor(part.entries[0][0])
    assert seen == whole


@pytest.mark.parametrize(
    ("first", "after", "last", "before"),
    [(0, None, None, None), (251, None, None, None), (None, None, -1, None), (1, None, 1, None), (None, "x", 1, None)],
)
def test_sizes_and_sides_that_cannot_be_are_refused(
    first: int | None, after: str | None, last: int | None, before: str | None
) -> None:
    with pytest.raises(InvalidInput):
        window(NATURAL, first=first, after=after, last=last, before=before)
