"""What is kept, for how long and how much of it; and reads that all who ask at once share."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Mapping, Sequence

import httpx
import pytest

from gateway.model.deadline import deadline
from gateway.model.errors import UpstreamInvalid, UpstreamTimeout, UpstreamUnavailable
from gateway.transport.cache import DAY, Cache, Kept, SharedReads, fresh_for

NOW = 1_767_323_045.0
DATE = "Fri, 02 Jan 2026 03:04:05 GMT"


class Hands:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def cache(*, entries: int = 100, size: int = 10_000, clock: Hands | None = None) -> Cache[str, str]:
    return Cache(entries=entries, size=size, clock=clock or Hands())


# --- how long ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"Cache-Control": "public,max-age=300"}, 300),
        ({"cache-control": "MAX-AGE=300"}, 300),
        ({"Cache-Control": 'max-age="300"'}, 300),
        ({"Cache-Control": "max-age=300, s-maxage=20"}, 20),
        ({"Cache-Control": "s-maxage=400,max-age=20"}, 400),
        ({"Cache-Control": "public, max-age=300", "Age": "100"}, 200),
        ({"Cache-Control": "public, max-age=300", "Age": "301"}, 0),
        ({"Cache-Control": "public, max-age=300", "Age": "soon"}, 300),
        ({"Cache-Control": "no-store, max-age=300"}, 0),
        ({"Cache-Control": "max-age=300, no-cache"}, 0),
        ({"Cache-Control": "private, max-age=300"}, 0),
        ({"Cache-Control": 'max-age=300, private="set-cookie"'}, 0),
        ({"Cache-Control": 'max-age=300, no-cache="a, b"'}, 0),
        ({"Cache-Control": 'max-age=300, hint="no-store, private"'}, 300),
        ({"Cache-Control": "max-age=300, x-no-store"}, 300),
        ({"Cache-Control": "max-age=0"}, 0),
        ({"Cache-Control": "max-age=-5"}, 0),
        ({"Cache-Control": "max-age=soon"}, 0),
        ({"Cache-Control": "max-age=٣"}, 0),
        ({"Cache-Control": "max-age"}, 0),
        ({"Cache-Control": ",,;=,"}, 0),
        ({"Cache-Control": "max-age=" + "9" * 400}, 999_999_999_999),
        ({"Cache-Control": "max-age=300", "Vary": "*"}, 0),
        ({"Cache-Control": "max-age=300", "Vary": "Accept-Encoding"}, 300),
        ({"Expires": "Fri, 02 Jan 2026 03:09:05 GMT", "Date": DATE}, 300),
        ({"Expires": "Fri, 02 Jan 2026 03:09:05 GMT", "Date": DATE, "Age": "60"}, 240),
        ({"Expires": "Fri, 02 Jan 2026 03:09:05 GMT"}, 300),
        ({"Expires": "Fri, 02 Jan 2026 03:09:05 GMT", "Date": "today"}, 300),
        ({"Expires": "Fri, 02 Jan 2026 03:04:00 GMT", "Date": DATE}, 0),
        ({"Expires": "0"}, 0),
        ({"Expires": "Fri, 99 Jan 99999 03:04:00 GMT"}, 0),
        ({"Expires": "Fri, 02 Jan 2026 03:09:05 GMT", "Date": DATE, "Cache-Control": "max-age=10"}, 10),
        ({"Expires": "Fri, 02 Jan 2026 03:09:05 GMT", "Date": DATE, "Cache-Control": "no-store"}, 0),
        ({"Expires": "Fri, 02 Jan 2026 03:09:05 GMT", "Date": DATE, "Cache-Control": "public"}, 300),
    ],
)
def test_the_headers_tell_how_long_an_answer_is_fresh(headers: dict[str, str], seconds: float) -> None:
    assert fresh_for(httpx.Headers([(k.encode(), v.encode()) for k, v in headers.items()]), now=lambda: NOW) == seconds


def test_what_is_kept_is_given_until_it_is_stale() -> None:
    clock = Hands()
    kept = cache(clock=clock)
    kept.keep("a", Kept("A", 10, 1))
    clock.now = 9.9
    assert kept.fresh(["a", "b"]) == {"a": "A"}
    clock.now = 10
    assert kept.fresh(["a"]) == {}
    assert (kept.hits, kept.misses) == (1, 2)


@pytest.mark.parametrize("seconds", [0, -1])
def test_what_is_stale_when_it_comes_replaces_what_was_kept_and_is_not_kept(seconds: float) -> None:
    kept = cache()
    kept.keep("a", Kept("A", 10, 5))
    kept.keep("a", Kept("B", seconds, 5))
    assert (kept.fresh(["a"]), len(kept), kept.size) == ({}, 0, 0)


def test_nothing_is_kept_for_longer_than_a_day() -> None:
    clock = Hands()
    kept = cache(clock=clock)
    kept.keep("a", Kept("A", 10 * DAY, 1))
    clock.now = DAY - 1
    assert kept.fresh(["a"])
    clock.now = DAY
    assert not kept.fresh(["a"])


# --- how much ---------------------------------------------------------------------------------------------------------


def test_what_was_used_longest_ago_goes_first() -> None:
    kept = cache(entries=3)
    for key in "abc":
        kept.keep(key, Kept(key.upper(), 10, 1))
    kept.fresh(["a"])
    kept.keep("d", Kept("D", 10, 1))
    assert kept.fresh([*"abcd"]) == {"a": "A", "c": "C", "d": "D"}


def test_a_large_one_takes_the_place_of_several_and_one_too_large_of_none() -> None:
    kept = cache(size=10)
    for key in "abc":
        kept.keep(key, Kept(key, 10, 3))
    kept.keep("d", Kept("d", 10, 7))
    assert [*kept.fresh([*"abcd"])] == ["c", "d"]
    kept.keep("e", Kept("e", 10, 11))
    assert [*kept.fresh([*"abcde"])] == ["c", "d"]


@pytest.mark.parametrize("seed", range(5))
def test_bounds_hold_whatever_is_kept(seed: int) -> None:
    luck = random.Random(seed)
    clock = Hands()
    kept = cache(entries=10, size=100, clock=clock)
    sizes: dict[str, int] = {}
    for step in range(2_000):
        key = str(luck.randrange(25))
        if luck.random() < 0.6:
            sizes[key] = luck.randrange(40)
            kept.keep(key, Kept(f"{key}:{step}", luck.choice([0, 5, 50]), sizes[key]))
        clock.now += luck.random()
        found = kept.fresh([str(number) for number in range(25)])
        assert all(value.startswith(f"{name}:") for name, value in found.items())
        assert len(found) <= len(kept) <= 10
        assert sum(sizes[name] for name in found) <= kept.size <= 100


# --- reads that are shared --------------------------------------------------------------------------------------------


class Source:
    """Answers when it is told to, and notes what it was asked."""

    def __init__(self, **answers: Kept[str] | Exception) -> None:
        self.answers = answers
        self.asked: list[list[str]] = []
        self.ended: list[str] = []
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def read(self, keys: Sequence[str]) -> Mapping[str, Kept[str] | Exception]:
        self.asked.append([*keys])
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.ended += keys
            raise
        if self.error is not None:
            raise self.error
        return {key: self.answers[key] for key in keys if key in self.answers}


def by_case(keys: Sequence[str]) -> Iterable[Sequence[str]]:
    return [part for part in ([k for k in keys if k.islower()], [k for k in keys if k.isupper()]) if part]


def shared(source: Source) -> SharedReads[str, str]:
    return SharedReads(cache(), source.read, by_case)


def good(value: str, seconds: float = 10) -> Kept[str]:
    return Kept(value, seconds, 1)


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_asks_at_once_shares_a_read_and_who_asks_later_what_was_kept() -> None:
    source = Source(a=good("1"), b=good("2"), c=good("3"), X=good("4"))
    reads = shared(source)
    first = asyncio.create_task(reads.load_many(["a", "b", "X"]))
    await turns()
    second = asyncio.create_task(reads.load_many(["b", "c"]))
    await turns()
    source.go.set()
    assert await first == {"a": "1", "b": "2", "X": "4"}
    assert await second == {"b": "2", "c": "3"}
    assert await reads.load_many(["a", "b", "c", "X"]) == {"a": "1", "b": "2", "c": "3", "X": "4"}
    assert source.asked == [["a", "b"], ["X"], ["c"]]


async def test_what_may_not_be_kept_is_shared_only_while_it_is_read() -> None:
    source = Source(a=good("1", 0))
    reads = shared(source)
    both = [asyncio.create_task(reads.load_many(["a"])) for _ in range(2)]
    await turns()
    source.go.set()
    assert await asyncio.gather(*both) == [{"a": "1"}] * 2
    assert await reads.load_many(["a"]) == {"a": "1"}
    assert source.asked == [["a"], ["a"]]


async def test_who_stops_waiting_stops_alone() -> None:
    source = Source(a=good("1"))
    reads = shared(source)
    first, second = [asyncio.create_task(reads.load_many(["a"])) for _ in range(2)]
    await turns()
    first.cancel()
    await turns()
    source.go.set()
    assert await second == {"a": "1"}
    assert (len(source.asked), source.ended) == (1, [])


async def test_a_read_that_nobody_waits_for_ends_and_the_next_one_begins_anew() -> None:
    source = Source(a=good("1"), b=good("2"), X=good("3"))
    reads = shared(source)
    waiting = [asyncio.create_task(reads.load_many(keys)) for keys in (["a", "X"], ["a"], ["b"])]
    await turns()
    for task in waiting[:2]:
        task.cancel()
    await asyncio.sleep(0)
    # In the very turn in which the old one ends.
    anew = asyncio.create_task(reads.load_many(["a"]))
    await turns()
    assert sorted(source.ended) == ["X", "a"]
    source.go.set()
    assert await anew == {"a": "1"}
    assert await waiting[2] == {"b": "2"}
    assert source.asked == [["a"], ["X"], ["b"], ["a"]]


async def test_one_who_is_gone_before_the_read_began_leaves_nothing_behind() -> None:
    source = Source(a=good("1"))
    reads = shared(source)
    task = asyncio.create_task(reads.load_many(["a"]))
    await asyncio.sleep(0)
    task.cancel()
    await turns()
    assert source.ended == source.asked[0] if source.asked else not source.ended
    source.go.set()
    assert await reads.load_many(["a"]) == {"a": "1"}


async def test_an_error_reaches_each_who_waits_and_is_not_kept() -> None:
    bad = UpstreamInvalid("no")
    source = Source(a=bad, b=good("2"))
    reads = shared(source)
    both = [asyncio.create_task(reads.load_many(["a", "b"])) for _ in range(2)]
    await turns()
    source.go.set()
    assert await asyncio.gather(*both) == [{"a": bad, "b": "2"}] * 2
    source.answers["a"] = good("1")
    assert await reads.load_many(["a", "b"]) == {"a": "1", "b": "2"}
    assert source.asked == [["a", "b"], ["a"]]


async def test_a_read_that_fails_as_a_whole_fails_for_each_of_its_keys() -> None:
    source = Source(X=good("4"))
    source.error = ZeroDivisionError()
    source.go.set()
    assert await shared(source).load_many(["a", "b"]) == {"a": source.error, "b": source.error}


async def test_what_does_not_exist_is_missing() -> None:
    source = Source(a=good("1"))
    source.go.set()
    # Neither split nor read knows the others.
    assert await shared(source).load_many(["a", "b", "1"]) == {"a": "1"}


async def test_who_has_less_time_stops_in_time_and_the_read_goes_on_for_the_others() -> None:
    source = Source(a=good("1"))
    reads = shared(source)

    async def hurried() -> Mapping[str, object]:
        with deadline(0.01):
            return await reads.load_many(["a"])

    patient = asyncio.create_task(reads.load_many(["a"]))
    await turns()
    found = await hurried()
    assert isinstance(found["a"], UpstreamTimeout)
    source.go.set()
    assert await patient == {"a": "1"}
    assert len(source.asked) == 1


@pytest.mark.parametrize(
    ("error", "calls"),
    [(UpstreamUnavailable("no time"), 2), (UpstreamUnavailable("no", retryable=False), 1), (UpstreamInvalid("no"), 1)],
)
async def test_who_has_more_time_than_a_read_that_failed_in_passing_asks_again(error: Exception, calls: int) -> None:
    source = Source(a=error)
    reads = shared(source)

    async def within(seconds: float) -> Mapping[str, object]:
        with deadline(seconds):
            return await reads.load_many(["a"])

    hurried = asyncio.create_task(within(5))
    await turns()
    alike, patient = asyncio.create_task(within(5.5)), asyncio.create_task(within(60))
    await turns()
    source.go.set()
    assert await hurried == await alike == {"a": error}
    assert await patient == {"a": error}
    assert len(source.asked) == calls
