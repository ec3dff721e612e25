"""Answers that come by and by over one HTTP request: server-sent events, and parts of a multipart body."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

import orjson
from starlette.types import Message, Send

from gateway.http.accept import EVENTS, MULTIPART, Accepted
from gateway.http.answers import head
from gateway.http.body import Disconnected
from gateway.http.results import Body


class Form(NamedTuple):
    """How parts are written: what stands before, around and after them, and what keeps an idle stream open.

    Where it `wraps`, an answer is the `payload` of its part. `beside` stands in the part that tells why all ends.
    """

    media_type: str
    opening: bytes
    before: bytes
    after: bytes
    closing: bytes
    idle: bytes
    wraps: bool = False
    beside: Mapping[str, Any] = {}
    is_newer: bool = False


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

_PART = b"\r\nContent-Type: application/json; charset=utf-8\r\n\r\n"

_IN_PARTS = Form(
    media_type=f'{MULTIPART};boundary="-"',
    # The boundary is written behind each part, so that none is waited for.
    opening=b"\r\n---",
    before=_PART,
    after=b"\r\n---",
    closing=b"--\r\n",
    idle=_PART + b"{}\r\n---",
)


def changes_in_parts(wanted: Accepted) -> Form:
    """Give the form of a subscription's answers: as Apollo's clients know it, where they say so."""
    if wanted.parameters.get("subscriptionspec") != "1.0":
        return _IN_PARTS
    media_type = f"{_IN_PARTS.media_type};subscriptionSpec=1.0"
    return _IN_PARTS._replace(media_type=media_type, wraps=True, beside={"payload": None})


def answer_in_parts(wanted: Accepted) -> Form:
    """Give the form of an answer parts of which come later: that of 2022, but for clients that know the newer one."""
    is_newer = wanted.parameters.get("incrementalspec") == "v0.2"
    media_type = f"{_IN_PARTS.media_type}{'' if is_newer else ';deferSpec=20220824'}"
    idle = _PART + b'{"hasNext":true}\r\n---'
    return _IN_PARTS._replace(media_type=media_type, idle=idle, beside={"hasNext": False}, is_newer=is_newer)


async def send_within(seconds: float, send: Send, message: Message) -> None:
    """Send a message; raises Disconnected for a client that takes longer than that to receive it, or is gone."""
    try:
        async with asyncio.timeout(seconds):
            await send(message)
    except (TimeoutError, OSError, RuntimeError):
        raise Disconnected from None


class Stream:
    """A body that is written part by part: `async with` opens and closes it, `put` sends a part.

    A client that does not take what is sent within `patience` seconds is given up as Disconnected. One that is sent
    nothing for `keep_alive` seconds is sent something empty, so that nothing between takes the connection for dead.
    """

    def __init__(self, send: Send, form: Form, *, patience: float, keep_alive: float) -> None:
        self._send = send
        self.form = form
        self._patience = patience
        self._keep_alive = keep_alive
        self._closing = form.closing
        self._turn = asyncio.Lock()
        self._idle: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        headers = head(self.form.media_type, {"X-Accel-Buffering": "no"})
        await self._write({"type": "http.response.start", "status": 200, "headers": headers})
        await self._body(self.form.opening)
        self._idle = asyncio.create_task(self._keep())
        return self

    async def put(self, body: Body) -> None:
        """Send an answer, or a part of one."""
        await self._put({"payload": body} if self.form.wraps else body)

    async def fail(self, body: Body) -> None:
        """Tell why all ends."""
        await self._put({**self.form.beside, **body})

    async def _put(self, body: Body) -> None:
        await self._body(self.form.before + orjson.dumps(body) + self.form.after)

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
                    await self._body(self.form.idle)

    async def _body(self, body: bytes, *, more: bool = True) -> None:
        await self._write({"type": "http.response.body", "body": body, "more_body": more})

    async def _write(self, message: Message) -> None:
        async with self._turn:
            await send_within(self._patience, self._send, message)
