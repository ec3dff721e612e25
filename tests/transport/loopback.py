"""A server on the loopback interface that answers with exactly the bytes it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable

Handler = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Loopback:
    """What the server has seen: every request whole, how many connections ever, which of them are open."""

    def __init__(self, port: int, scheme: str) -> None:
        self.origin = f"{scheme}://localhost:{port}"
        self.requests: list[bytes] = []
        self.connections = 0
        self.open: set[asyncio.StreamWriter] = set()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for what the other side of the connection will show, two seconds at most."""
        for _ in range(2000):
            if condition():
                return
            await asyncio.sleep(0.001)
        raise AssertionError("it did not happen")

    @property
    def targets(self) -> list[str]:
        return [request.split(b" ", 2)[1].decode() for request in self.requests]


@contextlib.asynccontextmanager
async def loopback(handler: Handler, *, tls: ssl.SSLContext | None = None) -> AsyncGenerator[Loopback]:
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    seen = Loopback(listening.getsockname()[1], "https" if tls else "http")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        seen.open.add(writer)
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: (\d+)", head)
                body = await reader.readexactly(int(length[1])) if length else b""
                seen.requests.append(head + body)
                await handler(head + body, writer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            seen.open.discard(writer)
            writer.close()

    server = await asyncio.start_server(serve, sock=listening, ssl=tls)
    try:
        yield seen
    finally:
        server.close()
        for writer in list(seen.open):
            writer.close()
        await seen.until(lambda: not seen.open)


def says(*answers: bytes) -> Handler:
    """Answer with these in turn, and with the last one from then on."""
    left = list(answers)

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])
        await writer.drain()

    return handler


def hangs_up(after: bytes = b"") -> Handler:
    """Write this much, then close."""

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(after)
        await writer.drain()
        writer.close()

    return handler


def resets(after: bytes = b"") -> Handler:
    """Write this much, then drop the connection with a RST."""

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(after)
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    return handler


async def never(_: bytes, __: asyncio.StreamWriter) -> None:
    """Answer nothing."""


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
