"""Connections: the server's own handling of HTTP, which waits for the head of a request no longer than it is told."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_ROOM = 4
"""How many times the limit the bytes of a head may come to before they are no longer read: the application, which
answers better, counts without the separators."""


def bounded(seconds: float, most: int) -> type[HttpToolsProtocol]:
    """Make the protocol: a head must be whole within so many seconds, and have no more than about so many bytes.

    uvicorn bounds neither; what is past the head the application bounds.
    """

    class Connection(HttpToolsProtocol):
        """One connection."""

        _is_whole = False
        _size = 0
        _late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            # Also for one that never says anything.
            self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def on_message_begin(self) -> None:
            self._is_whole = False
            super().on_message_begin()

        def on_headers_complete(self) -> None:
            self._is_whole = True
            super().on_headers_complete()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._is_whole:
                if self._late is not None:
                    self._stop()
                return
            self._size += len(data)
            if self._size > most * _ROOM:
                self.send_400_response("The headers are too large.")
            elif self._late is None:
                self._wait()

        def _wait(self) -> None:
            self._late = self.loop.call_later(seconds, self.transport.close)

        def _stop(self) -> None:
            self._size = 0
            if self._late is not None:
                self._late.cancel()
                self._late = None

    return Connection
