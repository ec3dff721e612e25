"""Limiter: holds callers of a dialect to the service's own rate limit, by address."""

from __future__ import annotations

import math

from aiolimiter import AsyncLimiter
from cachetools import LRUCache

from gateway.model.manifest import CallBudget

_ADDRESSES = 10_000


class Limiter:
    """A token bucket for each address that calls; the addresses longest silent are forgotten."""

    def __init__(self, budget: CallBudget) -> None:
        self._budget = budget
        self._buckets: LRUCache[str, AsyncLimiter] = LRUCache(maxsize=_ADDRESSES)

    async def wait(self, address: str) -> int | None:
        """Take a token; where there is none, give the whole seconds until there is."""
        bucket = self._buckets.get(address)
        if bucket is None:
            seconds = self._budget.burst * 60 / self._budget.per_minute
            bucket = self._buckets[address] = AsyncLimiter(self._budget.burst, seconds)
        if bucket.has_capacity():
            await bucket.acquire()
            return None
        return math.ceil(60 / self._budget.per_minute)
