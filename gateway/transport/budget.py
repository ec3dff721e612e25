"""How often a service may be called: token buckets, in which one that must wait makes all wait."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx
from aiolimiter import AsyncLimiter
from cachetools import LRUCache

from gateway.model.deadline import time_left
from gateway.model.errors import RateLimited
from gateway.model.manifest import BudgetScope, CallBudget

MAX_BUCKETS = 10_000

# The longest time to wait for a service that says that nothing is left.
LONGEST_PAUSE = 600.0

# How long everybody waits after a refusal that names no time.
DEFAULT_PAUSE = 1.0


class Budget(httpx.AsyncBaseTransport):
    """Let calls through as fast as `budget` allows, in the order in which they came.

    With the scope CREDENTIAL every `request.extensions["partition"]` has its own bucket (the 10,000 last used are
    kept), with ADDRESS all share one; a call whose `extensions` bring a `budget` of its own draws on that instead, and
    one that names its `line` on that line's alone, as what the service says then is said of it alone. When
    the service itself answers RateLimited, the whole bucket pauses for the time that it names, at least `pause`
    seconds; and until it is full again, where the service says that nothing is left. Raises RateLimited at once where
    the wait would outlast the deadline.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, budget: CallBudget, *, pause: float = DEFAULT_PAUSE) -> None:
        self._inner = inner
        self._budget = budget
        self._pause = pause
        self._buckets: LRUCache[tuple[CallBudget, str, str], _Bucket] = LRUCache(MAX_BUCKETS)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Wait for a token, then call."""
        budget: CallBudget = request.extensions.get("budget") or self._budget
        bucket = self._bucket(budget, request.extensions["partition"], request.extensions.get("line") or "")
        await bucket.take()
        try:
            response = await self._inner.handle_async_request(request)
        except RateLimited as error:
            bucket.pause(max(error.retry_after or 0.0, self._pause))
            raise
        if (seconds := _until_more(response.headers)) is not None:
            bucket.pause(seconds)
        return response

    def _bucket(self, budget: CallBudget, partition: str, line: str) -> _Bucket:
        at = (budget, line, "" if budget.scope is BudgetScope.ADDRESS else partition)
        bucket = self._buckets.get(at)
        if bucket is None:
            bucket = self._buckets[at] = _Bucket(budget)
        return bucket


def _until_more(headers: Mapping[str, str]) -> float | None:
    """Give the seconds until a service that says that nothing is left has something again; None where some is."""
    left = headers.get("x-ratelimit-remaining")
    if left is None or not left.isdecimal() or int(left) > 0:
        return None
    reset = headers.get("x-ratelimit-reset")
    if reset is None or not reset.isdecimal():
        return None
    # What is longer is no number of seconds, but perhaps a moment.
    return float(reset) if len(reset) < 10 and float(reset) <= LONGEST_PAUSE else None


class _Bucket:
    """One bucket of tokens and the line of those who wait for one."""

    __slots__ = ("_limiter", "_rate", "_resumes", "_turn", "_waiting")

    def __init__(self, budget: CallBudget) -> None:
        self._rate = budget.per_minute / 60
        self._limiter = AsyncLimiter(budget.burst, budget.burst / self._rate)
        # Only the first in line waits at the limiter: it lets newcomers overtake and sends those who were overtaken
        # back to the end.
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._resumes = 0.0

    async def take(self) -> None:
        """Take one token, waiting for it in line."""
        paused = self._resumes and self._pause_left() > 0
        if not self._waiting and not paused and self._limiter.has_capacity():
            await self._limiter.acquire()
            return
        left = time_left()
        if left is not None and not self._comes_within(left):
            raise self._refusal()
        late = False
        self._waiting += 1
        try:
            # Only a pause that begins while this call is in line lets the time run out in here.
            async with asyncio.timeout(left), self._turn:
                await self._limiter.acquire()
                # After the token, for which a pause may have begun meanwhile.
                while (pause := self._pause_left()) > 0:  # noqa: ASYNC110  # the end may move while asleep
                    await asyncio.sleep(pause)
        except TimeoutError:
            late = True
        finally:
            self._waiting -= 1
        if late:
            raise self._refusal()

    def pause(self, seconds: float) -> None:
        """Let nobody through for so long; a longer pause already begun stays in force."""
        self._resumes = max(self._resumes, asyncio.get_running_loop().time() + seconds)

    def _pause_left(self) -> float:
        return self._resumes - asyncio.get_running_loop().time()

    def _comes_within(self, seconds: float) -> bool:
        # A token is there in time if there is room now for the line and this call less what drains until then.
        return self._pause_left() <= seconds and self._limiter.has_capacity(1 + self._waiting - seconds * self._rate)

    def _refusal(self) -> RateLimited:
        return RateLimited(
            "the gateway's budget of calls to the service is used up",
            retry_after=max(self._pause_left(), (1 + self._waiting) / self._rate),
        )
