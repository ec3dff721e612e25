"""JWKS: the public keys of an issuer of tokens, from a file that may be replaced, or from where they are published."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import orjson
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gateway.model.errors import GatewayError

Fetch: TypeAlias = Callable[[str], Awaitable[bytes]]
"""Gets what is at an address, or raises a GatewayError."""

_LOOK = 1.0
"""Seconds between two looks at a file."""

_GRACE = 300.0
"""Seconds for which keys stay in force whose file cannot be read any longer."""

_REFRESH, _LEAST, _FETCHED_GRACE = 300.0, 10.0, 3_600.0
"""Seconds between two looks at an address, the fewest of them, and how long keys stay in force where none succeeds."""

_log = structlog.get_logger("gateway.http")


class BadAccess(Exception):
    """The settings of who may come in cannot be used; the message says why."""


class Keys(Protocol):
    """Where the keys come from."""

    def current(self) -> KeySet:
        """Give the keys that are in force."""
        ...

    def missed(self) -> None:
        """Note that a token was not good by them: there may be others by now."""
        ...

    async def keep(self, fetch: Fetch) -> None:
        """Keep them fresh, for as long as the gateway runs."""
        ...


class KeyFile:
    """Keys in a file, read anew when it changes; raises BadAccess where it is no good from the start."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._keys, self._read_of = _read(file)
        self._good_at = self._looked_at = time.monotonic()

    def current(self) -> KeySet:
        """Give the keys, read anew where the file is another.

        A file that is no good, as one that is just being written, leaves those before it in force for a while.
        """
        now = time.monotonic()
        if now - self._looked_at >= _LOOK:
            self._looked_at = now
            try:
                if _identity(self._file) != self._read_of:
                    self._keys, self._read_of = _read(self._file)
                self._good_at = now
            except (OSError, BadAccess) as error:
                _log.warning("keys_not_read", reason=str(error))
                if now - self._good_at > _GRACE:
                    self._keys = KeySet([])
        return self._keys

    def missed(self) -> None:
        """Do nothing: the file is looked at in any case."""

    async def keep(self, fetch: Fetch) -> None:
        """Do nothing: the file is looked at when it is needed."""


class KeyAddress:
    """Keys at an address, which is looked at every few minutes, and sooner after a token that is not good by them.

    Nobody who asks waits for that. Until the first look there are none.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys = KeySet([])
        self._good_at = 0.0
        self._missed = asyncio.Event()

    def current(self) -> KeySet:
        """Give the keys of the last look that succeeded."""
        if time.monotonic() - self._good_at > _FETCHED_GRACE:
            self._keys = KeySet([])
        return self._keys

    def missed(self) -> None:
        """Look again soon."""
        self._missed.set()

    async def keep(self, fetch: Fetch) -> None:
        """Look again and again."""
        while True:
            self._missed.clear()
            pause = _REFRESH
            try:
                self._keys = key_set(await fetch(self._url), "what is at access.jwt.jwks_url")
                self._good_at = time.monotonic()
            except (GatewayError, BadAccess) as error:
                _log.warning("keys_not_fetched", reason=str(error))
                pause = _LEAST
            except Exception:
                # Whatever it was: the next look may be well.
                _log.exception("keys_not_fetched")
                pause = _LEAST
            await asyncio.sleep(_LEAST)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause - _LEAST):
                    await self._missed.wait()


def key_set(content: bytes, what: str) -> KeySet:
    """Read a JWK set; raises BadAccess."""
    try:
        document: Any = orjson.loads(content)
        # A set of none is one: nobody is trusted any longer.
        return KeySet([]) if document == {"keys": []} else KeySet.import_key_set(document)
    except (ValueError, KeyError, TypeError, AttributeError, JoseError):
        raise BadAccess(f"{what} is no JWK set.") from None


def _identity(file: Path) -> tuple[int, int, int]:
    """Tell a file from what it was before."""
    found = file.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read(file: Path) -> tuple[KeySet, tuple[int, int, int]]:
    try:
        identity = _identity(file)
        return key_set(file.read_bytes(), str(file)), identity
    except OSError as error:
        raise BadAccess(f"The keys of access.jwt, {file}, cannot be read: {error.strerror}.") from None
