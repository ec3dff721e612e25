"""Quotas: how often a caller may ask in a minute, by fixed windows that begin with the clock's minutes."""

from __future__ import annotations

from typing import NamedTuple

from cachetools import LRUCache

from gateway.model.ports import Clock

_WINDOW = 60
_MOST_CALLERS = 100_000


class Quota(NamedTuple):
    """How a caller stands: the limit, what is left, in how many seconds it is full again, and if this one is over."""

    limit: int
    remaining: int
    reset: int
    is_over: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """What an answer tells of it."""
        told = {
            "x-ratelimit-limit": f"{self.limit}, {self.limit};w={_WINDOW}",
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-reset": str(self.reset),
        }
        return {**told, "retry-after": str(self.reset)} if self.is_over else told


class Quotas:
    """Counts the requests of callers; those that have been silent longest are forgotten."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: LRUCache[tuple[str, str], tuple[int, int]] = LRUCache(maxsize=_MOST_CALLERS)

    def take(self, name: str, caller: str, limit: int) -> Quota:
        """Count a request of a caller; one that is refused does not count."""
        now = self._clock().timestamp()
        window = int(now // _WINDOW)
        reset = max(int((window + 1) * _WINDOW - now), 1)
        known, count = self._counts.get((name, caller), (window, 0))
        count = count if known == window else 0
        if count >= limit:
            return Quota(limit, 0, reset, is_over=True)
        self._counts[name, caller] = window, count + 1
        return Quota(limit, limit - count - 1, reset)
