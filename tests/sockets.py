"""A WebSocket in process, driven message by message as its client would."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import orjson
from starlette.types import ASGIApp, Message

PATIENCE = 10.0


class Closed(Exception):
    """The gateway has closed the socket."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Socket:
    """The client's end; `accepted` is the subprotocol, None where the socket was refused."""

    def __init__(self, *, reads: bool = True) -> None:
        self.accepted: str | None = None
        self.reads = asyncio.Event()
        if reads:
            self.reads.set()
        self._to: asyncio.Queue[Message] = asyncio.Queue()
        self._from: asyncio.Queue[Message] = asyncio.Queue()

    async def say(self, message: Any) -> None:
        """Send a message: text as it is, bytes in a binary frame, anything else as JSON."""
        if isinstance(message, bytes):
            await self._to.put({"type": "websocket.receive", "bytes": message})
        else:
            text = message if isinstance(message, str) else orjson.dumps(message).decode()
            await self._to.put({"type": "websocket.receive", "text": text})

    async def hear(self) -> Any:
        """Give the next message; raises Closed."""
        async with asyncio.timeout(PATIENCE):
            message = await self._from.get()
        if message["type"] == "websocket.close":
            raise Closed(message["code"])
        return orjson.loads(message["text"])

    async def closed(self) -> int:
        """Give the code that the gateway closes the socket with, whatever it says before."""
        with contextlib.suppress(TimeoutError):
            while True:
                try:
                    await self.hear()
                except Closed as closed:
                    return closed.code
        raise AssertionError("the socket was left open")

    async def begin(self, payload: Mapping[str, Any] | None = None) -> Socket:
        """Initialise the socket."""
        await self.say({"type": "connection_init"} | ({} if payload is None else {"payload": payload}))
        assert await self.hear() == {"type": "connection_ack"}
        return self

    async def subscribe(self, key: str, query: str, **variables: Any) -> None:
        """Begin an operation."""
        await self.say({"id": key, "type": "subscribe", "payload": {"query": query, "variables": variables}})

    async def next(self, key: str = "1") -> Any:
        """Give the data of the next answer of an operation."""
        message = await self.hear()
        assert (message["id"], message["type"]) == (key, "next"), message
        assert "errors" not in message["payload"], message
        return message["payload"]["data"]

    async def receive(self) -> Message:
        return await self._to.get()

    async def send(self, message: Message) -> None:
        if message["type"] == "websocket.accept":
            self.accepted = message.get("subprotocol") or ""
            return
        # One who does not read keeps the sender waiting.
        await self.reads.wait()
        await self._from.put(message)

    def leave(self) -> None:
        self._to.put_nowait({"type": "websocket.disconnect", "code": 1001})


@contextlib.asynccontextmanager
async def socket(
    app: ASGIApp,
    *,
    protocols: Sequence[str] = ("graphql-transport-ws",),
    client: str = "127.0.0.1",
    reads: bool = True,
    **headers: str,
) -> AsyncGenerator[Socket]:
    """Connect; the names of headers are written with underscores."""
    given = {"host": "localhost", **{name.replace("_", "-").lower(): value for name, value in headers.items()}}
    end = Socket(reads=reads)
    await end._to.put({"type": "websocket.connect"})  # pyright: ignore[reportPrivateUsage]  # our own
    scope = {
        "type": "websocket",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "root_path": "",
        "scheme": "ws",
        "client": (client, 50_000),
        "subprotocols": [*protocols],
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    serving = asyncio.ensure_future(app(scope, end.receive, end.send))
    try:
        yield end
    finally:
        end.reads.set()
        end.leave()
        async with asyncio.timeout(PATIENCE):
            await serving
