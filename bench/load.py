"""The load: clients on connections of their own, each asking again as soon as it is answered."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

from bench.processes import Running


def written(at: Running, path: str, body: Any, headers: Mapping[str, str]) -> bytes:
    """Write a request out once, so that sending it costs next to nothing."""
    content = orjson.dumps(body)
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {at.host}:{at.port}",
        "Content-Type: application/json",
        "Accept: application/json",
        f"Content-Length: {len(content)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def get(at: Running, path: str) -> bytes:
    """Write a request for a document."""
    return f"GET {path} HTTP/1.1\r\nHost: {at.host}:{at.port}\r\n\r\n".encode()


class Client(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._body_from = self._end = 0
        self._answer: asyncio.Future[bytes] | None = None

    @classmethod
    async def connect(cls, at: Running) -> Client:
        """Open a connection."""
        _, client = await asyncio.get_running_loop().create_connection(cls, at.host, at.port)
        return client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the server closed the connection"))

    async def ask(self, request: bytes) -> bytes:
        """Give the body that answers a request; ValueError for any status but 200."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        """Gather the answer."""
        self._received += data
        if not self._end:
            found = self._received.find(b"\r\n\r\n")
            if found < 0:
                return
            head = self._received[:found].lower()
            self._body_from = found + 4
            self._end = self._body_from + int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(self._received) < self._end or self._answer is None:
            return
        if self._received.startswith(b"HTTP/1.1 200"):
            self._answer.set_result(bytes(self._received[self._body_from : self._end]))
        else:
            self._answer.set_exception(ValueError(self._received[:500].decode(errors="replace")))
        self._received.clear()
        self._end = 0

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run told about a server."""

    cpu: float
    """Milliseconds of CPU a request."""
    rate: float
    """Requests a second."""
    median: float
    """Milliseconds that half of the requests took at most."""
    peak: float
    """MiB of memory at the most."""
    calls: float
    """Calls of the service a request."""


async def measure(
    at: Running, requests: Sequence[bytes], expected: Sequence[bytes], clients: int, seconds: float, service: Running
) -> Measured:
    """Ask for so many seconds; each answer must be as long as the one that is expected."""
    connections = [await Client.connect(at) for _ in range(clients)]
    counter = await Client.connect(service)
    turns = itertools.cycle(zip(requests, map(len, expected), strict=True))
    times: list[float] = []

    async def keep_asking(client: Client) -> None:
        while (asked := time.perf_counter()) < end:
            request, length = next(turns)
            answer = await client.ask(request)
            if len(answer) != length:
                raise SystemExit(f"an answer changed: {answer[:500]!r}")
            times.append(time.perf_counter() - asked)

    at.forget_peak()
    calls = int(await counter.ask(get(service, "/calls")))
    used, started = at.cpu(), time.perf_counter()
    end = started + seconds
    # Nobody is cut short: what was asked is answered, and counted.
    await asyncio.gather(*map(keep_asking, connections))
    took, used = time.perf_counter() - started, at.cpu() - used
    calls = int(await counter.ask(get(service, "/calls"))) - calls
    for client in (*connections, counter):
        client.close()
    return Measured(
        cpu=used / len(times) * 1_000,
        rate=len(times) / took,
        median=sorted(times)[len(times) // 2] * 1_000,
        peak=at.peak(),
        calls=calls / len(times),
    )
