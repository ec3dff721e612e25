"""Request bodies and their JSON: bounded, and refused with a 4xx where they are malformed."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.types import Receive, Scope

from gateway.model.deadline import Limit


class Refused(Exception):
    """A request that is answered with a status and one message."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers or {}


class Disconnected(Exception):
    """The client left before its request was whole."""


def late(seconds: float) -> Refused:
    """Refuse a body that was not whole in time."""
    return Refused(408, f"The body was not whole within {seconds:g} seconds.")


class Bodies:
    """What is held of all the bodies that are not whole yet.

    A small body always finds room: only what is more than that counts, and is refused with 503 where there is too much.
    """

    def __init__(self, most: int) -> None:
        """`most`: bytes, of all together."""
        self._most = most
        self.held = 0

    async def read(self, receive: Receive, limit: int) -> tuple[bytearray, bool]:
        """Read a body whole, or until it is longer than `limit`, and say whether it is whole."""
        # In one piece: many small ones take many times the room.
        body = bytearray()
        counted = 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Disconnected
                body += message.get("body", b"")
                is_whole = not message.get("more_body", False)
                if is_whole or len(body) > limit:
                    return body, is_whole
                more = max(0, len(body) - _SMALL) - counted
                if self.held + more > self._most:
                    raise Refused(503, "The gateway is reading as much as it bears.", {"Retry-After": "1"})
                self.held += more
                counted += more
        finally:
            self.held -= counted


_SMALL = 1 << 14


async def read_body(scope: Scope, receive: Receive, bodies: Bodies, limit: int, seconds: float) -> bytearray:
    """Read a body of at most `limit` bytes: what announces or turns out to be more is refused with 413.

    One that is not whole within `seconds` is refused with 408.
    """
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and (len(value) > 15 or int(value) > limit):
            raise _too_large(limit)
    try:
        with Limit(seconds):
            body, _ = await bodies.read(receive, limit)
    except TimeoutError:
        raise late(seconds) from None
    if len(body) > limit:
        raise _too_large(limit)
    return body


def _too_large(limit: int) -> Refused:
    return Refused(413, f"The body is larger than {limit} bytes.")


def parse_json(data: bytearray | bytes | str, what: str = "The body") -> Any:
    """Read strict JSON: UTF-8, no NaN, no nesting beyond about a thousand levels; else 400, naming `what` it was."""
    try:
        return orjson.loads(data)
    except ValueError:
        raise Refused(400, f"{what} is not JSON.") from None
