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
