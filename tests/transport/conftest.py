"""The pools that a test sends through, closed after it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import pytest

from gateway.transport.pool import Pool


class NewPool(Protocol):
    def __call__(self, *, limit: int = ..., max_body_bytes: int = ...) -> Pool: ...


@pytest.fixture
async def new_pool() -> AsyncIterator[NewPool]:
    pools: list[Pool] = []

    def new(*, limit: int = 20, max_body_bytes: int = 1 << 26) -> Pool:
        pools.append(Pool(limit=limit, max_body_bytes=max_body_bytes))
        return pools[-1]

    yield new
    for pool in pools:
        await pool.aclose()


@pytest.fixture
def pool(new_pool: NewPool) -> Pool:
    return new_pool()
