"""The one point in time by which a whole operation must have answered, known to everything that works for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator
from contextvars import ContextVar

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextlib.contextmanager
def deadline(seconds: float) -> Generator[None]:
    """Give everything started inside at most `seconds` from now; an earlier deadline already set stays in force."""
    at = asyncio.get_running_loop().time() + seconds
    outer = _deadline.get()
    token = _deadline.set(at if outer is None else min(at, outer))
    try:
        yield
    finally:
        _deadline.reset(token)


def time_left() -> float | None:
    """Seconds until the deadline, never below 0; None where none is set."""
    at = _deadline.get()
    return None if at is None else max(0.0, at - asyncio.get_running_loop().time())
