"""Loaders: unique keys, one batch, failures and cancellations that stay with whom they concern."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from gateway.model.errors import Internal
from gateway.model.loader import Loader


async def test_equal_keys_are_read_once_and_together() -> None:
    batches: list[Sequence[int]] = []

    async def read(keys: Sequence[int]) -> Mapping[int, str]:
        batches.append(keys)
        return {key: str(key) for key in keys}

    loader = Loader(read)
    assert await asyncio.gather(*map(loader.load, [1, 2, 1, 3, 2])) == ["1", "2", "1", "3", "2"]
    assert await loader.load(1) == "1"
    assert batches == [[1, 2, 3]]


async def test_one_failing_key_fails_alone() -> None:
    async def read(keys: Sequence[int]) -> Mapping[int, str | Exception]:
        return {1: "one", 2: Internal("no")}

    loader = Loader(read)
    found = await asyncio.gather(*map(loader.load, [1, 2, 3]), return_exceptions=True)
    assert found[0] == "one"
    assert isinstance(found[1], Internal)
    assert found[2] is None


async def test_a_cancelled_waiter_leaves_the_others_waiting() -> None:
    """The library shares one future: cancelling it would cancel all who wait for the key."""
    go = asyncio.Event()

    async def read(keys: Sequence[int]) -> Mapping[int, str]:
        await go.wait()
        return dict.fromkeys(keys, "here")

    loader = Loader(read)
    impatient, patient = (asyncio.ensure_future(loader.load(1)) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    go.set()
    assert await patient == "here"
    assert impatient.cancelled()


async def test_closing_cancels_what_is_being_read() -> None:
    ended: list[str] = []

    async def read(keys: Sequence[int]) -> Mapping[int, str]:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("read")
        return {}

    loader = Loader(read)
    waiting = asyncio.ensure_future(loader.load(1))
    await asyncio.sleep(0.01)
    await loader.aclose()
    assert ended == ["read"]
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_keys_read_alone_do_not_wait_for_each_other() -> None:
    """One key may even be read by way of another, which a batch would deadlock."""
    loader: Loader[int, int]

    async def read(key: int) -> int | None:
        return 1 if key == 0 else 1 + (await loader.load(key - 1) or 0)

    loader = Loader[int, int].alone(read)
    async with asyncio.timeout(1):
        assert await asyncio.gather(*map(loader.load, [3, 2, 1, 0])) == [4, 3, 2, 1]


async def test_an_error_that_nobody_waits_for_is_no_noise(recwarn: pytest.WarningsRecorder) -> None:
    async def read(keys: Sequence[int]) -> Mapping[int, str]:
        await asyncio.sleep(0.01)
        raise Internal("no")

    loader = Loader(read)
    waiting = asyncio.ensure_future(loader.load(1))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(0.03)
    assert not recwarn.list


async def test_no_read_begins_after_the_end() -> None:
    """The library runs a batch a turn after its keys were asked for."""
    begun: list[Sequence[int]] = []

    async def read(keys: Sequence[int]) -> Mapping[int, str]:
        begun.append(keys)
        return {}

    loader = Loader(read)
    waiting = asyncio.ensure_future(loader.load(1))
    await loader.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert begun == []


async def test_many_keys_are_read_in_one_batch_beside_those_asked_for_one_by_one() -> None:
    batches: list[Sequence[int]] = []

    async def read(keys: Sequence[int]) -> Mapping[int, str | Exception]:
        batches.append(keys)
        return {key: Internal("no") if key == 3 else str(key) for key in keys}

    loader = Loader(read)
    one = asyncio.ensure_future(loader.load(1))
    found, again = await asyncio.gather(loader.load_many([1, 2, 3]), loader.load_many([2, 3]))
    assert await one == "1"
    assert (found[1], found[2], again[2]) == ("1", "2", "2")
    assert isinstance(found[3], Internal)
    assert batches == [[1, 2, 3]]


async def test_what_is_asked_for_before_it_is_awaited_is_one_batch() -> None:
    batches: list[Sequence[int]] = []

    async def read(keys: Sequence[int]) -> Mapping[int, str]:
        batches.append(keys)
        return dict.fromkeys(keys, "here")

    loader = Loader(read)
    loader.ask([1, 2])
    loader.ask([2, 3])
    assert dict(await loader.load_many([3])) == {1: "here", 2: "here", 3: "here"}
    assert batches == [[1, 2, 3]]


async def test_a_read_at_once_is_shared_with_those_who_wait() -> None:
    go, reads = asyncio.Event(), list[Sequence[int]]()

    async def read(keys: Sequence[int]) -> Mapping[int, str]:
        reads.append(keys)
        await go.wait()
        return dict.fromkeys(keys, "here")

    loader = Loader(read)
    reader = asyncio.ensure_future(loader.read(1))
    await asyncio.sleep(0)
    waiting = [asyncio.ensure_future(loader.load(1)), asyncio.ensure_future(loader.read(1))]
    await asyncio.sleep(0)
    go.set()
    assert await asyncio.gather(reader, *waiting) == ["here"] * 3
    assert len(reads) == 1


async def test_a_read_at_once_whose_reader_is_cancelled_is_done_by_the_next() -> None:
    reads = 0

    async def read(keys: Sequence[int]) -> Mapping[int, str]:
        nonlocal reads
        reads += 1
        await asyncio.sleep(0.01)
        return dict.fromkeys(keys, f"read {reads}")

    loader = Loader(read)
    reader = asyncio.ensure_future(loader.read(1))
    await asyncio.sleep(0)
    other = asyncio.ensure_future(loader.read(1))
    await asyncio.sleep(0)
    reader.cancel()
    assert await other == "read 2"
    assert reader.cancelled()


async def test_an_error_of_a_read_at_once_is_every_keys() -> None:
    async def read(keys: Sequence[int]) -> Mapping[int, str]:
        raise Internal("no")

    loader = Loader(read)
    found = await loader.read_many([1, 2])
    assert all(isinstance(found[key], Internal) for key in (1, 2))
    with pytest.raises(Internal):
        await loader.read(1)
    with pytest.raises(Internal):
        await loader.load(2)


async def test_closing_cancels_a_read_at_once() -> None:
    loader: Loader[int, str]

    async def read(keys: Sequence[int]) -> Mapping[int, str]:
        await asyncio.Event().wait()
        return {}

    loader = Loader(read)
    reader = asyncio.ensure_future(loader.read(1))
    await asyncio.sleep(0)
    await loader.aclose()
    with pytest.raises(asyncio.CancelledError):
        await reader
    with pytest.raises(asyncio.CancelledError):
        await loader.read(2)
