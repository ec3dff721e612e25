"""The ledger: where avatars are minted. The store's own touches no blockchain, and only keeps the record."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

import orjson

from gateway.providers.community.rules import Order
from gateway.providers.community.types import MINTED, PENDING, CommunityMint


class Ledger(Protocol):
    """Mints avatars, and tells what became of it."""

    async def submit(self, order: Order, *, at: datetime) -> CommunityMint:
        """Take an order; the record may be pending, minted or failed. It is taken anew only after a failure."""
        ...

    def current(self, mint: CommunityMint, *, user: str, inventory: str, at: datetime) -> CommunityMint:
        """Give a record as it stands at a moment."""
        ...


class LocalLedger:
    """A ledger without a blockchain: after `delay` a record is minted of itself, under an id made of its four parts."""

    def __init__(self, delay: timedelta = timedelta()) -> None:
        self._delay = delay

    async def submit(self, order: Order, *, at: datetime) -> CommunityMint:
        """Take an order."""
        mint = CommunityMint(blockchain=order.blockchain, version=order.version, status=PENDING, requested_at=at)
        return self.current(mint, user=order.user, inventory=order.inventory, at=at)

    def current(self, mint: CommunityMint, *, user: str, inventory: str, at: datetime) -> CommunityMint:
        """Give a record, minted once its time has come."""
        due = None if mint.requested_at is None else mint.requested_at + self._delay
        # One that does not tell since when it is pending has been so for long enough.
        if mint.status.strip().casefold() != PENDING or (due is not None and at < due):
            return mint
        parts = (user, inventory, mint.version, mint.blockchain.strip().casefold())
        return replace(
            mint,
            status=MINTED,
            token_id=_derived("token", parts, 16),
            tx_hash=f"0x{_derived('transaction', parts, 32)}",
            minted_at=due,
        )


def _derived(word: str, parts: tuple[object, ...], size: int) -> str:
    return hashlib.blake2b(orjson.dumps((word, *parts)), digest_size=size).hexdigest()
