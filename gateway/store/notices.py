"""Notices: who waits for changes of an owner's inventory is woken, whichever process writes them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

import structlog
from sqlalchemy import func, select

from gateway.store.arrays import packed, unpacked
from gateway.store.engine import Database
from gateway.store.tables import CHANGES

CHANNEL = "gateway_changes"
"""What PostgreSQL tells every process of a change by; the payload is `notice_of` its owner."""

POLL = 1.0
"""Seconds after which a change that another process wrote to a SQLite file is seen."""

CHECK = 30.0
"""Seconds after which the connection over which changes are heard is asked whether it is still there."""

_RETRY = 1.0

_log = structlog.get_logger("gateway.store")


def notice_of(owner: str) -> str:
    """Name an owner in a notice: short, and it tells those who hear it by chance nothing."""
    return hashlib.blake2b(owner.encode(), digest_size=16).hexdigest()


class Notices:
    """Wakes those who listen; nothing runs while nobody does."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: dict[str, set[asyncio.Event]] = {}
        self._owners: dict[str, str] = {}
        self._watching: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def listening(self, owner: str) -> AsyncGenerator[asyncio.Event]:
        """Give an event that is set with each change from now on; it may be set without one, never the other way."""
        event, name = asyncio.Event(), notice_of(owner)
        self._listeners.setdefault(name, set()).add(event)
        self._owners[name] = owner
        if self._watching is None:
            watch = self._poll if self._database.is_sqlite else self._listen
            self._watching = asyncio.create_task(watch())
        try:
            yield event
        finally:
            self._listeners[name].discard(event)
            if not self._listeners[name]:
                del self._listeners[name], self._owners[name]
            if not self._listeners:
                await self.aclose()

    def tell(self, owners: Iterable[str]) -> None:
        """Wake those who wait for any of these owners, in this process."""
        for owner in owners:
            self._wake(notice_of(owner))

    def _wake(self, name: str) -> None:
        for event in self._listeners.get(name, ()):
            event.set()

    async def aclose(self) -> None:
        """Look out no longer."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _poll(self) -> None:
        """Ask, time and again, for the newest change of every owner that somebody listens to; one statement."""
        known: dict[str, int] = {}
        while True:
            await asyncio.sleep(POLL)
            try:
                asked = packed([(owner,) for owner in self._owners.values()])
                found: dict[str, int] = dict(cast("Any", await self._database.rows(_NEWEST, {"asked": asked})))
            except Exception as error:
                _log.warning("notices_failed", reason=type(error).__name__)
                continue
            self.tell(owner for owner, last in found.items() if known.get(owner) != last)
            known = found

    async def _listen(self) -> None:
        """Hear what PostgreSQL tells; after a pause in which nothing could be heard, everybody looks for himself."""
        while True:
            reason = "the connection was lost"
            try:
                async with self._database.engine.connect() as connection:
                    driver: Any = (await connection.get_raw_connection()).driver_connection
                    try:
                        lost = asyncio.Event()
                        driver.add_termination_listener(partial(_set, lost))
                        await driver.add_listener(CHANNEL, self._heard)
                        for name in [*self._listeners]:
                            self._wake(name)
                        while not await _happens(lost, CHECK):
                            # A connection may be gone without a word.
                            async with asyncio.timeout(CHECK):
                                await driver.fetchval("SELECT 1")
                    finally:
                        # Not given back: the next to use it would hear what is not meant for him.
                        await connection.invalidate()
            except Exception as error:
                reason = type(error).__name__
            _log.warning("notices_failed", reason=reason)
            await asyncio.sleep(_RETRY)

    def _heard(self, _connection: object, _process: int, _channel: str, name: str) -> None:
        self._wake(name)


async def _happens(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def _set(event: asyncio.Event, _connection: object) -> None:
    event.set()


_ASKED = unpacked("asked")

_NEWEST = (
    select(CHANGES.c.owner, func.max(CHANGES.c.sequence))
    .where(CHANGES.c.owner.in_(select(_ASKED.c.a)))
    .group_by(CHANGES.c.owner)
)
