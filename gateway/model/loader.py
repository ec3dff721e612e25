"""Loader: aiodataloader, made safe for keys that many wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any, Generic, Self, TypeVar

from aiodataloader import DataLoader

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Loader(Generic[K, V]):
    """Batch the keys asked for in one turn of the event loop and call `read` once with the unique ones.

    `read` answers a mapping: a value, an exception for a key that fails alone, None or nothing for what does not
    exist. A waiter that is cancelled cancels only itself; `aclose` cancels the reads that are still under way.
    """

    def __init__(
        self, read: Callable[[Sequence[K]], Awaitable[Mapping[K, V | Exception | None]]], *, batch: bool = True
    ) -> None:
        self._read = read
        self._reading: set[asyncio.Task[Any]] = set()
        self._loader: DataLoader[K, V | None] = DataLoader(self._batch, cache=False, batch=batch)
        self._futures: dict[K, asyncio.Future[V | None]] = {}
        self._closed = False

    @classmethod
    def alone(cls, read: Callable[[K], Awaitable[V | None]]) -> Self:
        """Make a loader that reads each key by itself: one may be slow, or wait for another, and none waits for it."""

        async def read_one(keys: Sequence[K]) -> Mapping[K, V | Exception | None]:
            return {key: await read(key) for key in keys}

        return cls(read_one, batch=False)

    def load(self, key: K) -> Awaitable[V | None]:
        """Give the value of one key; equal keys share one future, and each waiter has its own shield over it."""
        future = self._futures.get(key)
        if future is None:
            future = self._loader.load(key)
            future.add_done_callback(_retrieved)
            self._futures[key] = future
        return asyncio.shield(future)

    async def aclose(self) -> None:
        """Cancel the reads that are still under way, and wait until they have ended; none begins after this."""
        self._closed = True
        reading = list(self._reading)
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)

    async def _batch(self, keys: list[K]) -> list[Any]:
        if self._closed:
            # The library runs a batch a turn after its keys were asked for; by then the request may have ended.
            for key in keys:
                self._futures[key].cancel()
            return [None] * len(keys)
        task = asyncio.current_task()
        if task is not None:
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)
        try:
            found = await self._read(keys)
        except asyncio.CancelledError as stopped:
            # aiodataloader would leave every waiter hanging.
            for key in keys:
                self._futures[key].cancel()
            raise stopped
        return [found.get(key) for key in keys]


def _retrieved(future: asyncio.Future[Any]) -> None:
    """Mark an error as seen: nobody may be left who waits for it, and that is no news for the log."""
    if not future.cancelled():
        future.exception()
