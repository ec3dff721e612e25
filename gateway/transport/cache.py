"""Answers kept for as long as they are fresh, within bounds, and reads that all who ask at once share."""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from gateway.model.credentials import Confidential, Credential
from gateway.model.deadline import time_left
from gateway.model.errors import GatewayError, UpstreamTimeout
from gateway.telemetry import Figure

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

DAY = 86_400.0

# How much later than a shared read ends one's own time must end for its failure to be worth another read.
_MORE_TIME = 1.0

# A read that ends by the deadline itself tells better what was wrong than the one who waits for it can.
_GRACE = 0.1

_DIRECTIVE = re.compile(r'([a-z-]+)(?:\s*=\s*("[^"]*"|[^\s,;]*))?', re.ASCII)


def fresh_for(headers: Mapping[str, str], *, now: Callable[[], float] = time.time) -> float:
    """Give the seconds for which anyone may be served this answer again, by its headers; 0 where it may not be kept.

    `headers` are looked up without regard to case. By RFC 9111, as a shared cache that cannot ask whether a stale
    answer is still good; an answer that does not say how long is not kept.
    """
    found: dict[str, str] = {}
    for name, value in _DIRECTIVE.findall(headers.get("cache-control", "").lower()):
        # Of two that contradict each other, the first counts.
        found.setdefault(name, value.strip('"'))
    if found.keys() & {"no-store", "no-cache", "private"} or headers.get("vary", "").strip() == "*":
        return 0.0
    lifetime = 0.0
    told = found.get("s-maxage", found.get("max-age"))
    if told is not None:
        lifetime = _seconds(told)
    elif (expires := _moment(headers.get("expires"))) is not None:
        lifetime = expires - (_moment(headers.get("date")) or now())
    return max(0.0, lifetime - _seconds(headers.get("age", "")))


def _seconds(text: str) -> float:
    text = text.strip()
    return float(text[:12]) if text.isascii() and text.isdecimal() else 0.0


def _moment(text: str | None) -> float | None:
    try:
        found = parsedate_to_datetime(text or "")
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None


class Kept(NamedTuple, Generic[V]):
    """What was read of one key (None: it does not exist), the seconds that it is fresh for, and its size in bytes."""

    value: V
    seconds: float
    size: int


class _Entry(Generic[V]):
    __slots__ = ("size", "until", "value")

    def __init__(self, value: V, until: float, size: int) -> None:
        self.value = value
        self.until = until
        self.size = size


class Cache(Generic[K, V]):
    """What was read lately, each for as long as it is fresh: at most so many entries, and so many bytes in all.

    Where there is no room, what was used longest ago goes first. Nothing is fresh for longer than `longest` seconds.
    What is kept is handed to many, so none of them may change it. `hits` and `misses` count the keys asked for.
    """

    def __init__(
        self,
        *,
        entries: int,
        size: int,
        longest: float = DAY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.hits = 0
        self.misses = 0
        self.size = 0
        self._most_entries = entries
        self._most_size = size
        self._longest = longest
        self._clock = clock
        self._entries: OrderedDict[K, _Entry[V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def figures(self, name: str, provider: str) -> list[Figure]:
        """List what is to be watched of the cache, called `name`, of a provider."""
        told: tuple[tuple[str, str, Callable[[], float]], ...] = (
            ("hits", "Keys that were found in a cache.", lambda: self.hits),
            ("misses", "Keys that were not found in a cache.", lambda: self.misses),
            ("entries", "Entries in a cache.", lambda: len(self._entries)),
            ("bytes", "How many bytes of answers the entries of a cache were made from.", lambda: self.size),
        )
        return [
            Figure(
                name=f"gateway_cache_{part}",
                description=description,
                read=read,
                counts=part in ("hits", "misses"),
                labels={"cache": name, "provider": provider},
            )
            for part, description, read in told
        ]

    def fresh(self, keys: Sequence[K]) -> dict[K, V]:
        """Give what is kept of these keys and still fresh."""
        found = self.peek(keys)
        self.hits += len(found)
        self.misses += len(keys) - len(found)
        return found

    def peek(self, keys: Iterable[K]) -> dict[K, V]:
        """Give the same, not counted: for keys that were asked for a moment ago."""
        now = self._clock()
        entry_of, used = self._entries.get, self._entries.move_to_end
        found: dict[K, V] = {}
        for key in keys:
            entry = entry_of(key)
            if entry is not None and entry.until > now:
                found[key] = entry.value
                used(key)
        return found

    def drop(self, key: K) -> bool:
        """Forget what is kept of a key; False where nothing was."""
        old = self._entries.pop(key, None)
        if old is not None:
            self.size -= old.size
        return old is not None

    def keep(self, key: K, kept: Kept[V]) -> None:
        """Keep what was read just now, in the place of what was read before, unless it may not or will not fit."""
        self.drop(key)
        seconds = min(kept.seconds, self._longest)
        if seconds <= 0 or kept.size > self._most_size:
            return
        self._entries[key] = _Entry(kept.value, self._clock() + seconds, kept.size)
        self.size += kept.size
        while len(self._entries) > self._most_entries or self.size > self._most_size:
            _, oldest = self._entries.popitem(last=False)
            self.size -= oldest.size


class Private(Generic[K, V]):
    """What credentials were told, kept for each of them alone.

    Each entry says whose it is, and that is held against whoever reads it, whatever it was found by.
    """

    def __init__(
        self,
        *,
        entries: int,
        size: int = 1 << 30,
        seconds: float = DAY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """An entry is kept for `seconds`, unless it is told for how long."""
        self.cache: Cache[tuple[str, K], Confidential[V]] = Cache(
            entries=entries, size=size, longest=seconds, clock=clock
        )

    def _at(self, credential: Credential, key: K) -> tuple[str, K]:
        return credential.partition, key

    def get(self, credential: Credential, key: K) -> V | None:
        """Give what is kept for a credential and still fresh; raises Mixed rather than what is another's."""
        at = self._at(credential, key)
        found = self.cache.fresh((at,))
        return found[at].shown_to(credential) if found else None

    def keep(self, credential: Credential, key: K, value: V, *, seconds: float = DAY, size: int = 0) -> V:
        """Keep what a credential was told just now, and give it back."""
        self.cache.keep(self._at(credential, key), Kept(Confidential(credential.partition, value), seconds, size))
        return value

    def drop(self, credential: Credential, key: K) -> bool:
        """Forget what is kept; False where nothing was."""
        return self.cache.drop(self._at(credential, key))


class _Flight(Generic[K, V]):
    """A read under way, how many wait for it, and the moment of the event loop by which it ends."""

    __slots__ = ("deadline", "keys", "task", "waiting")

    def __init__(self, keys: Sequence[K], task: asyncio.Task[Mapping[K, V | Exception]], deadline: float) -> None:
        self.keys = keys
        self.task = task
        self.deadline = deadline
        self.waiting = 0


class SharedReads(Generic[K, V]):
    """Reads through a cache: those who ask for a key at the same time wait for one read of it.

    `read` gives what it has found out about each of its keys, a `Kept` or an error, which is never kept. `split` tells
    which keys are read together; a key that either leaves out does not exist. Whoever stops waiting stops alone; a
    read that nobody waits for any longer is cancelled. A read has the time of the one who began it: who has more asks
    again where it fails in passing.
    """

    def __init__(
        self,
        cache: Cache[K, V],
        read: Callable[[Sequence[K]], Awaitable[Mapping[K, Kept[V] | Exception]]],
        split: Callable[[Sequence[K]], Iterable[Sequence[K]]],
    ) -> None:
        self.cache = cache
        self._read = read
        self._split = split
        self._flying: dict[K, _Flight[K, V]] = {}

    async def load_many(self, keys: Sequence[K]) -> dict[K, V | Exception]:
        """Give the values of unique keys, or their errors; what does not exist is missing."""
        found: dict[K, V | Exception] = {**self.cache.peek(keys)}
        deadline = _deadline()
        missing: list[K] = [key for key in keys if key not in found]
        while missing:
            boarded = self._board(missing, deadline)
            missing = list[K]()
            if not boarded:
                break
            try:
                await asyncio.wait({flight.task for flight in boarded}, timeout=_patience())
            finally:
                for flight in boarded:
                    self._leave(flight)
            for flight, wanted in boarded.items():
                if flight.task.done():
                    landed = flight.task.result()
                else:
                    landed = dict.fromkeys(wanted, UpstreamTimeout("There was no answer in time."))
                hurried = deadline - flight.deadline > _MORE_TIME
                for key in wanted:
                    if hurried and isinstance(error := landed.get(key), GatewayError) and error.retryable:
                        missing.append(key)
                    elif key in landed:
                        found[key] = landed[key]
        return found

    def _board(self, keys: Sequence[K], deadline: float) -> dict[_Flight[K, V], list[K]]:
        """Begin to read what nobody reads yet, and wait for it and for what others read."""
        for together in self._split([key for key in keys if key not in self._flying]):
            flight: _Flight[K, V] = _Flight(together, asyncio.create_task(self._fly(together)), deadline)
            self._flying.update(dict.fromkeys(together, flight))
            flight.task.add_done_callback(partial(self._landed, flight))
        boarded: dict[_Flight[K, V], list[K]] = {}
        for key in keys:
            flying = self._flying.get(key)
            if flying is not None:
                boarded.setdefault(flying, []).append(key)
        for flight in boarded:
            flight.waiting += 1
        return boarded

    def _leave(self, flight: _Flight[K, V]) -> None:
        flight.waiting -= 1
        if not flight.waiting and not flight.task.done():
            flight.task.cancel()
            # It takes a turn to end; whoever asks in that must not wait for it.
            self._landed(flight)

    def _landed(self, flight: _Flight[K, V], _task: object = None) -> None:
        for key in flight.keys:
            if self._flying.get(key) is flight:
                del self._flying[key]

    async def _fly(self, keys: Sequence[K]) -> dict[K, V | Exception]:
        try:
            read = await self._read(keys)
        except Exception as error:
            # Handed to each who waits.
            return dict.fromkeys(keys, error)
        found: dict[K, V | Exception] = {}
        for key, one in read.items():
            if isinstance(one, Kept):
                self.cache.keep(key, one)
                found[key] = one.value
            else:
                found[key] = one
        return found


def _deadline() -> float:
    """Give the moment of the event loop at which the one who asks has no more time."""
    left = time_left()
    return float("inf") if left is None else asyncio.get_running_loop().time() + left


def _patience() -> float | None:
    left = time_left()
    return None if left is None else left + _GRACE
