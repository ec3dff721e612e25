"""Limiter: each address has its own bucket."""

from __future__ import annotations

import asyncio

import pytest

from gateway.backends.limiter import Limiter
from gateway.model.manifest import BudgetScope, CallBudget

# The loop's time passes only while all wait: no token comes because the machine is slow.
pytestmark = pytest.mark.usefixtures("leaping")


async def test_a_bucket_runs_dry_for_its_own_address_alone() -> None:
    limiter = Limiter(CallBudget(burst=3, per_minute=60, scope=BudgetScope.ADDRESS))
    assert [await limiter.wait("a") for _ in range(5)] == [None, None, None, 1, 1]
    assert await limiter.wait("b") is None


async def test_a_bucket_fills_again_at_its_rate() -> None:
    limiter = Limiter(CallBudget(burst=3, per_minute=60, scope=BudgetScope.ADDRESS))
    for seconds in (0, 3, 60):
        await asyncio.sleep(seconds)
        assert [await limiter.wait("a") for _ in range(4)] == [None, None, None, 1]
    await asyncio.sleep(1)
    assert [await limiter.wait("a") for _ in range(2)] == [None, 1]


async def test_a_slow_bucket_tells_how_long_to_wait() -> None:
    limiter = Limiter(CallBudget(burst=1, per_minute=4, scope=BudgetScope.ADDRESS))
    assert await limiter.wait("a") is None
    assert await limiter.wait("a") == 15
