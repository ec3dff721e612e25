"""Loader: aiodataloader, made safe for keys that many wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, Generic, Self, TypeAlias, TypeVar

from aiodataloader import DataLoader

from gateway.model.errors import GatewayError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Found: TypeAlias = Mapping[K, V | Exception | None]
"""What keys came to: a value, an error, or None for what does not exist; a missing key reads as None."""


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
        self._queue: DataLoader[tuple[K, ...], Found[K, V]] | None = None
        self._groups: dict[K, asyncio.Future[Found[K, V]]] = {}
        self._alone = not batch
        self._closed = False

    @classmethod
    def alone(cls, read: Callable[[K], Awaitable[V | None]]) -> Self:
        """Make a loader that reads each key by itself: one may be slow, or wait for another, and none waits for it."""

        async def read_one(keys: Sequence[K]) -> Mapping[K, V | Exception | None]:
            return {key: await read(key) for key in keys}

        return cls(read_one, batch=False)

    def load(self, key: K) -> Awaitable[V | None]:
        """Give the value of one key; equal keys share one read, and each waiter has its own future."""
        waiter: asyncio.Future[V | None] = asyncio.get_running_loop().create_future()
        waiter.add_done_callback(_retrieved)
        self._ask(self._new((key,)))
        self._groups[key].add_done_callback(partial(_tell, waiter, key))
        return waiter

    def ask(self, keys: Sequence[K]) -> None:
        """Ask for unique keys that `load_many` will be awaited for: several who ask at once get one batch."""
        self._ask(self._new(keys))

    async def load_many(self, keys: Sequence[K]) -> Found[K, V]:
        """Give the values of unique keys, or their errors; what is absent is None, or missing.

        It costs one future for all that nobody has asked for yet. The mapping may hold other keys as well.
        """
        self._ask(self._new(keys))
        return await self._found(keys)

    async def read(self, key: K) -> V | None:
        """Give the value of one key as `read_many` does."""
        found = (await self.read_many((key,))).get(key)
        if isinstance(found, Exception):
            raise found
        return found

    async def read_many(self, keys: Sequence[K]) -> Found[K, V]:
        """Do as `load_many`, but read at once, as a part of the caller's own task, without waiting for more keys.

        It saves the turn of the loop and the tasks, for a caller who knows that nobody else asks now. Where the caller
        is cancelled, who waits for the same keys reads them.
        """
        new = self._new(keys)
        if not new or (self._alone and len(new) > 1):
            return await self.load_many(keys)
        if self._closed:
            raise asyncio.CancelledError
        future: asyncio.Future[Found[K, V]] = asyncio.get_running_loop().create_future()
        self._groups.update(dict.fromkeys(new, future))
        task = self._begin()
        try:
            found = await self._read(new)
        except asyncio.CancelledError:
            future.cancel()
            raise
        except Exception as error:
            future.set_exception(error)
            _retrieved(future)
            found = dict.fromkeys(new, error)
        else:
            future.set_result(found)
        finally:
            self._reading.discard(task)
        return found if len(new) == len(keys) else await self._found(keys)

    async def aclose(self) -> None:
        """Cancel the reads that are still under way, and wait until they have ended; none begins after this."""
        self._closed = True
        reading = list(self._reading)
        for task in reading:
            task.cancel()
        if reading:
            await asyncio.gather(*reading, return_exceptions=True)
        # What reads mostly holds the loader: parted, all that was read goes at once, and not when Python next looks for
        # circles.
        self._read, self._queue = _ended, None

    def _new(self, keys: Sequence[K]) -> tuple[K, ...]:
        """Pick the keys that nobody has asked for yet, or whose reader was cancelled."""
        groups = self._groups
        if not groups:
            return tuple(keys)
        return tuple([key for key in keys if (group := groups.get(key)) is None or group.cancelled()])

    def _ask(self, new: tuple[K, ...]) -> None:
        """Queue new keys."""
        if self._queue is None:
            # Only here: most loaders of a small request are never queued for. What the library queues are whole
            # groups of keys, as a future for each key of a bag costs more than its slot.
            self._queue = DataLoader(self._batch, cache=False, batch=not self._alone)
        for group in [(key,) for key in new] if self._alone else [new] if new else []:
            future = self._queue.load(group)
            future.add_done_callback(_retrieved)
            self._groups.update(dict.fromkeys(group, future))

    async def _found(self, keys: Sequence[K]) -> Found[K, V]:
        """Wait for keys that were asked for."""
        groups = {id(group): group for group in map(self._groups.__getitem__, keys)}.values()
        found: dict[K, V | Exception | None] = {}
        for group in groups:
            if not group.done():
                # Not cancelled with the one who waits, as others may wait for it as well.
                await asyncio.wait((group,))
            if group.cancelled() and not self._closed:
                return await self.load_many(keys)
            error = group.exception()
            if error is None and len(groups) == 1:
                return group.result()
            if error is None:
                found.update(group.result())
            elif isinstance(error, Exception):
                found.update((key, error) for key in keys if self._groups[key] is group)
            else:
                raise error
        return found

    def _begin(self) -> asyncio.Task[Any]:
        """Let `aclose` know which task is reading."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- a coroutine always runs in a task
        self._reading.add(task)
        return task

    async def _batch(self, groups: list[tuple[K, ...]]) -> list[Any]:
        if self._closed:
            # The library runs a batch a turn after its keys were asked for; by then the request may have ended.
            self._cancel(groups)
            return [None] * len(groups)
        task = self._begin()
        try:
            found = await self._read(groups[0] if len(groups) == 1 else [key for group in groups for key in group])
        except asyncio.CancelledError as stopped:
            # aiodataloader would leave every waiter hanging.
            self._cancel(groups)
            raise stopped
        finally:
            self._reading.discard(task)
        return [found] * len(groups)

    def _cancel(self, groups: Sequence[tuple[K, ...]]) -> None:
        for group in groups:
            self._groups[group[0]].cancel()


async def _ended(_keys: Sequence[Any]) -> Mapping[Any, Any]:
    raise asyncio.CancelledError


def _tell(waiter: asyncio.Future[V | None], key: K, group: asyncio.Future[Found[K, V]]) -> None:
    """Pass on what a group of keys came to, to one who waits for one of them."""
    if waiter.done():
        return
    if group.cancelled():
        waiter.cancel()
        return
    found = group.exception() or group.result().get(key)
    if isinstance(found, BaseException):
        waiter.set_exception(found)
    else:
        waiter.set_result(found)


def _retrieved(future: asyncio.Future[Any]) -> None:
    """Mark an error as seen: nobody may be left who waits for it, and that is no news for the log."""
    if not future.cancelled():
        future.exception()


async def each(keys: Sequence[K], read: Callable[[K], Awaitable[V]]) -> dict[K, V | GatewayError | None]:
    """Read every key at once; one that fails does so alone."""
    if len(keys) == 1:
        try:
            return {keys[0]: await read(keys[0])}
        except GatewayError as error:
            return {keys[0]: error}
    found = await asyncio.gather(*map(read, keys), return_exceptions=True)
    results: dict[K, V | GatewayError | None] = {}
    for key, entry in zip(keys, found, strict=True):
        if isinstance(entry, BaseException) and not isinstance(entry, GatewayError):
            raise entry
        results[key] = entry
    return results


async def one(read: Callable[[Sequence[K]], Awaitable[Mapping[K, V | GatewayError | None]]], key: K) -> V | None:
    """Read one key of a batch read; what fails is raised."""
    found = (await read([key])).get(key)
    if isinstance(found, GatewayError):
        raise found
    return found
