"""Answers that come by and by over one HTTP request: server-sent events, and parts of a multipart body."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from types import TracebackType
from typing import NamedTuple, Self

import orjson
from starlette.types import Send

from gateway.http.accept import EVENTS, MULTIPART
from gateway.http.answers import head
from gateway.http.body import Disconnected
from gateway.http.results import Body


class Form(NamedTuple):
    """How parts are written: what stands before, around and after them, and what keeps an idle stream open."""

    media_type: str
    opening: bytes
    before: bytes
    after: bytes
    closing: bytes
    idle: bytes


EVENT_STREAM = Form(
    media_type=EVENTS,
    # At once, so that the client knows that it is heard.
    opening=b":\n\n",
    before=b"event: next\ndata: ",
    after=b"\n\n",
    closing=b"event: complete\ndata:\n\n",
    idle=b":\n\n",
)
"""The protocol of graphql-sse, one connection for each operation."""


def multipart(parameters: Mapping[str, str]) -> Form:
    """Give the form of a multipart body; the boundary is written behind each part, so that none is waited for."""
    shown = "".join(f";{name}={value}" for name, value in parameters.items())
    return Form(
        media_type=f'{MULTIPART};boundary="-"{shown}',
        opening=b"\r\n---",
        before=b"\r\nContent-Type: application/json; charset=utf-8\r\n\r\n",
        after=b"\r\n---",
        closing=b"--\r\n",
        idle=b"\r\nContent-Type: application/json; charset=utf-8\r\n\r\n{}\r\n---",
    )


class Stream:
    """A body that is written part by part: `async with` opens and closes it, `put` sends a part.

    A client that does not take what is sent within `patience` seconds is given up as Disconnected. One that is sent
    nothing for `keep_alive` seconds is sent something empty, so that nothing between takes the connection for dead.
    """

    def __init__(self, send: Send, form: Form, *, patience: float, keep_alive: float) -> None:
        self._send = send
        self._form = form
        self._patience = patience
        self._keep_alive = keep_alive
        self._closing = form.closing
        self._turn = asyncio.Lock()
        self._idle: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        headers = head(self._form.media_type, {"X-Accel-Buffering": "no"})
        await self._write({"type": "http.response.start", "status": 200, "headers": headers})
        await self._body(self._form.opening)
        self._idle = asyncio.create_task(self._keep())
        return self

    async def put(self, body: Body) -> None:
        """Send a part."""
        await self._body(self._form.before + orjson.dumps(body) + self._form.after)

    async def __aexit__(self, kind: type[BaseException] | None, _e: object, _t: TracebackType | None) -> None:
        if self._idle is not None:
            self._idle.cancel()
        if kind is None:
            await self._body(self._closing, more=False)

    def break_off(self) -> None:
        """Let the body end in the middle, so that its client knows that there is more, and comes back."""
        self._closing = b""

    async def _keep(self) -> None:
        # Of a client that is gone, or too slow, whoever sends the next part is told.
        with contextlib.suppress(Disconnected):
            while True:
                await asyncio.sleep(self._keep_alive)
                if not self._turn.locked():
                    await self._body(self._form.idle)

    async def _body(self, body: bytes, *, more: bool = True) -> None:
        await self._write({"type": "http.response.body", "body": body, "more_body": more})

    async def _write(self, message: dict[str, object]) -> None:
        async with self._turn:
            try:
                async with asyncio.timeout(self._patience):
                    await self._send(message)
            except TimeoutError:
                raise Disconnected from None
