"""The one point in time by which a whole operation must have answered, known to everything that works for it."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import cast

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


class deadline:  # noqa: N801 -- read as a statement: `with deadline(5):`
    """Give everything started inside at most `seconds` from now; an earlier deadline already set stays in force."""

    __slots__ = ("_seconds", "_token")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        at = asyncio.get_running_loop().time() + self._seconds
        outer = _deadline.get()
        self._token = _deadline.set(at if outer is None else min(at, outer))

    def __exit__(self, *_: object) -> None:
        _deadline.reset(self._token)


def time_left() -> float | None:
    """Seconds until the deadline, never below 0; None where none is set."""
    at = _deadline.get()
    return None if at is None else max(0.0, at - asyncio.get_running_loop().time())


class Limit:
    """End what the task does inside with TimeoutError after so many seconds, and know afterwards whether it did.

    It is `asyncio.timeout` without what is not needed here, at a third of its cost.
    """

    __slots__ = ("_cancelling", "_seconds", "_task", "_timer", "expired")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.expired = False

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        self._task = cast("asyncio.Task[object]", asyncio.current_task(loop))
        self._cancelling = self._task.cancelling()
        self._timer = loop.call_later(self._seconds, self._expire)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._timer.cancel()
        # Where somebody else has cancelled the task too, it stays cancelled.
        if self.expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError

    def _expire(self) -> None:
        self.expired = True
        self._task.cancel()
