"""Request bodies and their JSON: bounded, and refused with a 4xx where they are malformed."""

from __future__ import annotations

from typing import Any, cast

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
    return Refused(408, f"The body was not whole within {seconds:g} seconds.", {"Connection": "close"})


async def read_body(scope: Scope, receive: Receive, limit: int, seconds: float) -> bytes:
    """Read a body of at most `limit` bytes: what announces or turns out to be more is refused with 413.

    One that is not whole within `seconds` is refused with 408.
    """
    refused = Refused(413, f"The body is larger than {limit} bytes.")
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and (len(value) > 15 or int(value) > limit):
            raise refused
    try:
        with Limit(seconds):
            return await _whole(receive, limit, refused)
    except TimeoutError:
        raise late(seconds) from None


async def _whole(receive: Receive, limit: int, refused: Refused) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        chunk = cast("bytes", message.get("body", b""))
        size += len(chunk)
        if size > limit:
            raise refused
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def parse_json(data: bytes | str, what: str = "The body") -> Any:
    """Read strict JSON: UTF-8, no NaN, no nesting beyond about a thousand levels; else 400, naming `what` it was."""
    try:
        return orjson.loads(data)
    except ValueError:
        raise Refused(400, f"{what} is not JSON.") from None
