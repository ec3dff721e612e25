"""Connections: the server's own handling of HTTP, with bounds for what comes around the bodies of requests."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_ROOM = 4
"""How many times the limit the bytes of a head may come to before they are no longer read: the application, which
answers better, counts without the separators."""

_FRAMING = 8
"""Bytes that may be sent around each byte of a body."""


def bounded(seconds: float, most: int) -> type[HttpToolsProtocol]:
    """Make the protocol: a head must be whole within so many seconds, and have no more than about so many bytes.

    The same holds for what comes around and behind a body. uvicorn bounds none of it; bodies the application bounds.
    """

    class Connection(HttpToolsProtocol):
        """One connection."""

        _is_whole = False
        _begins = False
        _around = 0
        _body = 0
        _late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            # Also for one that never says anything.
            self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def on_message_begin(self) -> None:
            self._is_whole, self._begins = False, True
            self._around = self._body = 0
            super().on_message_begin()

        def on_header(self, name: bytes, value: bytes) -> None:
            # What comes as a header behind the body is of no use to anybody.
            if not self._is_whole:
                super().on_header(name, value)

        def on_headers_complete(self) -> None:
            self._is_whole = True
            self._stop()
            super().on_headers_complete()

        def on_body(self, body: bytes) -> None:
            self._body += len(body)
            super().on_body(body)

        def data_received(self, data: bytes) -> None:
            self._begins = False
            before = self._body
            super().data_received(data)
            if not self._begins:
                # Where a request began in the middle of it, nobody knows how much of it was that one's.
                self._around += len(data) - (self._body - before)
                if self._around > most * _ROOM + _FRAMING * self._body:
                    self._end()
                    return
            cycle: Any = self.cycle
            answered = cycle is not None and cycle.response_complete
            # After an answer uvicorn waits for the next request, until anything at all comes.
            if self._late is None and (not self._is_whole or answered) and self.timeout_keep_alive_task is None:
                self._wait()

        def _wait(self) -> None:
            self._late = self.loop.call_later(seconds, self._end)

        def _end(self) -> None:
            self._stop()
            self.transport.close()

        def _stop(self) -> None:
            if self._late is not None:
                self._late.cancel()
                self._late = None

    return Connection
