"""The service, played: its answers lie ready as bytes, so that it is no bottleneck.

    python -m bench.emulator

It prints its address. `/calls` tells how many calls it has answered; asking that is not one of them.
"""

from __future__ import annotations

import asyncio
import functools
from typing import cast

import httptools
import orjson
import uvloop

from bench.account import SIZES, definition, documents, inventory, sized

OWN, SHARED = "private, no-cache", "public, max-age=3600"
"""What is said of an account's own data, and of the catalogue."""

_MOST_IDS = 200
_TOKEN = {
    "id": "C0FFEE00-0000-4000-8000-000000000002",
    "name": "bench",
    "permissions": ["account", "characters", "inventories"],
}


def _response(status: str, body: bytes, cache: str) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json; charset=utf-8\r\n"
        f"Cache-Control: {cache}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Service:
    """What is answered, by path."""

    def __init__(self) -> None:
        found = documents()
        self._items = {str(entry["id"]): orjson.dumps(definition(entry["id"])) for entry in found.pop("/v2/items")}
        found["/v2/tokeninfo"] = _TOKEN
        for seed, slots in enumerate(SIZES):
            found[f"/v2/characters/{sized(slots)}/inventory"] = inventory(slots, seed)
        self._ready = {
            path.encode(): _response("200 OK", orjson.dumps(document), OWN) for path, document in found.items()
        }
        self._missing = _response("404 Not Found", b'{"text":"no such id"}', OWN)
        self._too_many = _response("400 Bad Request", b'{"text":"id list too long; this endpoint is limited"}', OWN)
        self.calls = 0
        # The same characters are asked for again and again, and so are the same batches of items.
        self._answered = functools.lru_cache(maxsize=10_000)(self._made)

    def answer(self, address: bytes) -> bytes:
        """Give the whole response to a path and query."""
        if address == b"/calls":
            return _response("200 OK", b"%d" % self.calls, OWN)
        self.calls += 1
        return self._answered(address)

    def _made(self, address: bytes) -> bytes:
        url = httptools.parse_url(address)
        if url.path != b"/v2/items":
            return self._ready.get(url.path, self._missing)
        for part in (url.query or b"").decode().split("&"):
            name, _, value = part.partition("=")
            if name == "ids":
                numbers = value.replace("%2C", ",").split(",")
                if len(numbers) > _MOST_IDS:
                    return self._too_many
                entries = [self._items[number] for number in numbers if number in self._items]
                return _response("200 OK", b"[%b]" % b",".join(entries), SHARED)
        return self._missing


class Connection(asyncio.Protocol):
    """One client's connection; it is kept open."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._parser = httptools.HttpRequestParser(self)
        self._address = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read on; the parser calls the methods below."""
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """Take the address, which may come in pieces."""
        self._address += url

    def on_message_complete(self) -> None:
        """Answer."""
        self._transport.write(self._service.answer(self._address))
        self._address = b""


async def main() -> None:
    """Serve on a free port of the loopback until told to stop."""
    service = Service()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(service), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
