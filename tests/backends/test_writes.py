"""What all verbs of the local store share: repeats, versions, simulation, the change log; over a game of two boxes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import strawberry

from gateway.backends.plain import Laid
from gateway.backends.writes import write
from gateway.model.change import ChangeSet, ContainerVersion, no_changes
from gateway.model.container import Container, Contents
from gateway.model.errors import (
    DuplicateTransaction,
    InvalidInput,
    LimitExceeded,
    NotFound,
    PreconditionFailed,
    Refusal,
)
from gateway.model.ids import CONTAINER, ContainerRef, OwnerRef, encode_id
from gateway.model.item import Item
from gateway.model.manifest import Capability
from gateway.model.ports import Shown, Writing, Written
from gateway.model.relations import attribute, graph_input
from gateway.model.scalars import BigInt
from gateway.model.verbs import SharedInput
from gateway.store.store import Store
from gateway.store.writes import KEPT
from tests.store.game import ANN, TYPES, bag, item, owner

NOW = datetime(2026, 1, 2, tzinfo=UTC)
BOXES = ("a", "b")


@graph_input
class FillInput(SharedInput):
    """So many more to put in a box."""

    box: str = attribute("The box.")
    count: int | None = attribute("How many.", default=strawberry.UNSET)


def lay(container: Container, _children: Sequence[Container], items: Sequence[Item]) -> Contents:
    """A box's version is how many lie in it; the box without a version is called `none`."""
    count = sum(item.quantity for item in items)
    return Contents(
        container=container,
        capacity=None,
        free_slots=None,
        slots=None,
        items=list(items),
        digest=lambda: None if container.key == "none" else str(count),
    )


class Game(Laid):
    """A game whose verbs put things in boxes."""

    def __init__(self) -> None:
        super().__init__(lay)
        self.done = 0

    def check(self, verb: Capability, owner: OwnerRef, change: Any) -> None:
        if change.box == "":
            raise InvalidInput("No box.").at("box")

    async def write(self, store: Writing, verb: Capability, owner: OwnerRef, change: Any) -> Written:
        self.done += 1
        if change.count and change.count > 99:
            raise LimitExceeded("Too many.").at("count")
        box = ContainerRef(*owner, change.box)
        held = (await store.items([(thing := item(f"{change.box}1")).ref])).get(thing.ref)
        count = (held.quantity if held else 0) + (change.count or 0)
        writer: Any = store
        changes = no_changes(owner)
        if change.count:
            await writer.put_items([item(f"{change.box}1", container_key=change.box, quantity=BigInt(count))])
            there = strawberry.ID(encode_id(CONTAINER, box))
            changes.versions.append(ContainerVersion(container=there, version=str(count)))
        return Written(changes=changes, shown=Shown(parts={"count": count}, contents=[]))

    async def replay(self, store: Writing, verb: Capability, owner: OwnerRef, change: Any, changes: ChangeSet) -> Shown:
        return Shown(parts={"again": True}, contents=[])


class Played:
    """The game over a store."""

    def __init__(self, store: Store) -> None:
        self.store, self.game = store, Game()

    async def fill(
        self, box: str, count: int | None = strawberry.UNSET, *, verb: Capability = Capability.UPDATE_ITEMS, **more: Any
    ) -> Written:
        at = more.pop("at", NOW)
        return await write(self.store, self.game, verb, ANN, FillInput(box=box, count=count, **more), at=at)

    async def count(self, box: str) -> int:
        ref = item(f"{box}1").ref
        held = (await self.store.items([ref])).get(ref)
        return held.quantity if held else 0

    async def log(self) -> list[tuple[str, str | None]]:
        return [(change.verb, change.transaction_id) for change in await self.store.changes_after(ANN, 0)]


@pytest.fixture
async def played(tmp_path: Path) -> AsyncGenerator[Played]:
    store = await Store.open(f"sqlite:///{tmp_path}/store.db", TYPES)
    await store.migrate()
    async with store.writing(ANN) as writer:
        await writer.put_owner(owner())
        await writer.put_containers([bag(box) for box in (*BOXES, "none")])
    yield Played(store)
    await store.aclose()


def at(*versions: tuple[str, str], owner: OwnerRef = ANN) -> Any:
    from gateway.model.verbs import ContainerVersionInput

    return [
        ContainerVersionInput(container=strawberry.ID(encode_id(CONTAINER, ContainerRef(*owner, key))), version=version)
        for key, version in versions
    ]


async def test_what_changes_nothing_is_not_recorded_and_what_is_repeated_is_recorded_once(played: Played) -> None:
    await played.fill("a", 1)
    await played.fill("a", 0)
    await played.fill("a", 0, transaction_id="t")
    repeated = await played.fill("a", 0, transaction_id="t", client_mutation_id="mark")
    assert repeated.changes.is_replayed
    assert repeated.shown.parts == {"again": True}
    assert await played.log() == [("updateItems", None), ("updateItems", "t")]


async def test_a_repeat_answers_the_first_change_set_and_does_nothing(played: Played) -> None:
    first = await played.fill("a", 2, transaction_id="t")
    await played.fill("a", 5)
    again = await played.fill("a", 2, transaction_id="t")
    assert replace(again.changes, is_replayed=False) == first.changes
    simulated = await played.fill("a", 2, transaction_id="t", simulate=True)
    assert (simulated.changes.is_replayed, simulated.changes.is_simulated) == (True, True)
    assert await played.count("a") == 7
    assert played.game.done == 2


@pytest.mark.parametrize(
    ("box", "more"),
    [
        ("b", {"count": 2}),
        ("a", {"count": 3}),
        ("a", {"count": None}),
        ("a", {}),
        ("a", {"count": 2, "if_match": at(("a", "2"))}),
        ("a", {"count": 2, "verb": Capability.MOVE_ITEMS}),
    ],
)
async def test_another_input_under_one_name_is_refused(played: Played, box: str, more: dict[str, Any]) -> None:
    await played.fill("a", 2, transaction_id="t")
    with pytest.raises(DuplicateTransaction) as refused:
        await played.fill(box, transaction_id="t", **more)
    assert refused.value.path == ("transactionId",)
    assert await played.count("a") == 2


async def test_an_absent_part_is_not_a_null_one(played: Played) -> None:
    await played.fill("a", transaction_id="t")
    with pytest.raises(DuplicateTransaction):
        await played.fill("a", None, transaction_id="t")


async def test_names_are_an_owners_own_and_forgotten_in_time(played: Played) -> None:
    await played.fill("a", 1, transaction_id="t")
    later = NOW + KEPT
    await played.fill("a", 1, at=later)
    assert (await played.fill("a", 1, transaction_id="t", at=later)).changes.is_replayed
    await played.fill("a", 1, at=later + KEPT / 2)
    assert not (await played.fill("a", 1, transaction_id="t", at=later + KEPT / 2)).changes.is_replayed
    assert await played.count("a") == 4
    # Sequence numbers go on rising whatever was forgotten.
    sequences = [change.sequence for change in await played.store.changes_after(ANN, 0)]
    assert sequences == sorted(set(sequences))
    assert sequences[0] > 1


async def test_a_refused_or_simulated_write_leaves_nothing_and_its_name_free(played: Played) -> None:
    with pytest.raises(LimitExceeded):
        await played.fill("a", 100, transaction_id="t")
    simulated = await played.fill("a", 2, transaction_id="t", simulate=True)
    assert (simulated.changes.is_simulated, simulated.shown.parts) == (True, {"count": 2})
    assert (await played.count("a"), await played.log()) == (0, [])
    real = await played.fill("a", 2, transaction_id="t")
    assert replace(real.changes, is_simulated=True) == simulated.changes


async def test_what_can_be_no_input_is_refused_before_all_else(played: Played) -> None:
    cases: list[dict[str, Any]] = [{}, {"transaction_id": "t"}, {"if_match": at(("gone", "1"))}]
    for more in cases:
        with pytest.raises(InvalidInput) as refused:
            await played.fill("", 1, **more)
        assert refused.value.path == ("box",)
    assert played.game.done == 0


async def test_every_version_that_is_named_must_hold(played: Played) -> None:
    await played.fill("a", 1)
    await played.fill("b", 2, if_match=at(("a", "1"), ("b", "0")))
    for versions in ((("a", "1"), ("b", "1")), (("a", "0"), ("b", "2"))):
        with pytest.raises(PreconditionFailed) as refused:
            await played.fill("a", 1, if_match=at(*versions))
        assert refused.value.versions == {"a": "1", "b": "2"}
        assert refused.value.path == ("ifMatch",)
    assert await played.count("a") == 1


async def test_a_version_of_nothing_is_not_found_at_its_place(played: Played) -> None:
    for key in ("gone", "none"):
        with pytest.raises(NotFound) as refused:
            await played.fill("a", 1, if_match=at(("a", "0"), (key, "0")))
        assert refused.value.path == ("ifMatch", "1")
    with pytest.raises(InvalidInput):
        await played.fill("a", 1, if_match=at(("a", "0"), ("a", "0")))
    assert await played.count("a") == 0


async def test_a_repeat_is_answered_whatever_the_versions_are_by_now(played: Played) -> None:
    given: dict[str, Any] = {"transaction_id": "t", "if_match": at(("a", "0"))}
    await played.fill("a", 1, **given)
    assert (await played.fill("a", 1, **given)).changes.is_replayed


async def test_of_many_at_once_each_counts_and_one_name_is_done_once(played: Played) -> None:
    await asyncio.gather(*(played.fill("a", 1) for _ in range(10)))
    assert await played.count("a") == 10
    done = await asyncio.gather(*(played.fill("b", 1, transaction_id="t") for _ in range(10)))
    assert sorted(one.changes.is_replayed for one in done) == [False] + [True] * 9
    assert await played.count("b") == 1


async def test_faults_are_told_together_and_part_from_their_frames() -> None:
    from gateway.model.errors import refuse

    faults: list[Refusal] = [InvalidInput("one").at("a"), NotFound("other").at("b", "0")]
    with pytest.raises(InvalidInput) as refused:
        refuse(faults)
    assert [fault.path for fault in refused.value.all] == [("a",), ("b", "0")]
    refused.value.part()
    assert refused.value.__traceback__ is None
    refuse([])
