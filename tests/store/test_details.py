"""Details come back as they went in, through the database too."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.model.collectible import BlockchainToken, Collectible
from gateway.model.errors import Internal, InvalidInput
from gateway.model.relations import UNLOADED
from gateway.model.scalars import BigInt
from gateway.store.details import Codec
from gateway.store.store import Store

from .game import ANN, TYPES, Binding, Dye, GameItem, Healing, Speed, item

CODEC = Codec(TYPES)

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
integers = st.integers(-(2**63), 2**64)
floats = st.floats(allow_nan=False, allow_infinity=False)
documents: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | integers | floats | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
moments = st.datetimes(
    # In UTC, the first day of all would be out of range.
    min_value=datetime(1, 1, 2),  # noqa: DTZ001 -- the strategy wants it without an offset
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)
dyes = st.builds(Dye, color=st.integers(0, 99), material=st.none() | texts)
effects = st.builds(Healing, seconds=floats, points=st.integers(0, 9)) | st.builds(
    Speed, seconds=floats, factor=floats, dyes=st.lists(dyes, max_size=2)
)
collectibles = st.builds(
    Collectible,
    serial_number=st.none() | st.integers(1, 2**62),
    token=st.none() | st.builds(BlockchainToken, blockchain=texts, token_id=st.none() | texts),
)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


@st.composite
def items(draw: st.DrawFn, key: str) -> GameItem:
    return item(
        key,
        name=draw(optional(texts)),
        kind=draw(optional(texts)),
        quantity=BigInt(draw(st.integers(0, 2**63 - 1))),
        container_key=draw(optional(texts)),
        slot_key=draw(optional(texts)),
        definition_key=draw(optional(texts)),
        acquired_at=draw(optional(moments)),
        collectible=draw(optional(collectibles)),
        charges=draw(optional(st.integers(-9, 9))),
        weight=draw(floats),
        bound=draw(optional(st.sampled_from(Binding))),
        upgrades=draw(optional(st.lists(optional(st.integers(0, 9)), max_size=3))),
        dyes=draw(optional(st.lists(optional(dyes), max_size=3))),
        effect=draw(optional(effects)),
        either=draw(optional(dyes | collectibles)),
        grid=draw(st.lists(st.lists(optional(st.integers(0, 9)), max_size=2), max_size=2)),
        seen_at=draw(optional(moments)),
        price=draw(optional(st.integers(0, 2**63 - 1))),
        extra=draw(st.dictionaries(texts, documents, max_size=4)),
    )


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(given_items=st.tuples(*(items(str(number)) for number in range(3))))
async def test_an_item_comes_back_from_the_database_as_it_went_in(
    store: Store, given_items: tuple[GameItem, ...]
) -> None:
    async with store.writing(ANN) as writer:
        await writer.put_items(given_items)
    found = await store.items([one.ref for one in given_items])
    for one in given_items:
        kept = found[one.ref]
        assert kept == one
        assert isinstance(kept, GameItem)
        assert list(kept.extra) == list(one.extra)
        # What is None unless told, its class says.
        told = {field.name for field in dataclasses.fields(one) if field.init and field.default is not None}
        assert told <= set(vars(kept)) <= {field.name for field in dataclasses.fields(one) if field.init}
        assert kept.related is UNLOADED


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=2))),
    ],
)
async def test_a_moment_that_utc_does_not_have_is_refused(store: Store, moment: datetime) -> None:
    with pytest.raises(InvalidInput, match="out of range"):
        async with store.writing(ANN) as writer:
            await writer.put_items([item("1", acquired_at=moment)])


def test_what_is_absent_costs_nothing() -> None:
    assert CODEC.encode(item("1", extra={"b": 1, "a": None})) == ("GameItem", '{"grid":[],"extra":{"b":1,"a":null}}')


@pytest.mark.parametrize(
    "values",
    [
        {"extra": {"a": [{"b": "x\0y"}]}},
        {"extra": {"a\0": 1}},
        {"extra": {"a": "\\\\\0"}},
        {"extra": {"a": "\ud800"}},
        {"extra": {"a": float("nan")}},
        {"extra": {1: "a key that is a number"}},
        {"extra": {"a": object()}},
        {"weight": float("inf")},
        {"charges": "many"},
        {"dyes": [Dye(color=1, material="\0")]},
        {"effect": Dye(color=1)},
    ],
)
def test_what_would_not_come_back_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        CODEC.encode(item("1", **values))


def test_a_backslash_before_u0000_is_no_nul() -> None:
    written = item("1", extra={"a": "\\u0000"})
    assert CODEC.decode(*CODEC.encode(written)).extra == written.extra


@pytest.mark.parametrize("column", ["key", "name", "kind", "container_key", "sort"])
async def test_nul_is_refused_in_every_column(store: Store, column: str) -> None:
    with pytest.raises(InvalidInput):
        async with store.writing(ANN) as writer:
            await writer.put_items([dataclasses.replace(item("1"), **{column: "a\0b"})])


@pytest.mark.parametrize(
    "values",
    [
        {"quantity": 2**63},
        {"acquired_at": datetime(2026, 1, 1)},  # noqa: DTZ001 -- it is what must be refused
        {"collectible": Collectible(serial_number=BigInt(2**63))},
    ],
)
async def test_numbers_and_times_that_no_column_holds_are_refused(store: Store, values: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        async with store.writing(ANN) as writer:
            await writer.put_items([item("1", **values)])


def test_a_type_that_nobody_knows_is_our_fault() -> None:
    with pytest.raises(Internal, match="Gone"):
        CODEC.decode("Gone", "{}")
    with pytest.raises(Internal, match="GameItem"):
        CODEC.decode("GameItem", '{"grid": 1}')
