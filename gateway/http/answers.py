"""Headers in and answers out, at the cost that one small request can bear."""

from __future__ import annotations

import gzip
from collections.abc import Mapping

from starlette.types import Scope, Send

Headers = Mapping[str, str]
"""A request's headers, in lower case; of those that came more than once, the first."""


def headers_of(scope: Scope) -> Headers:
    """Read a request's headers."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(scope["headers"])}


class Answer:
    """A whole answer; nothing that is answered here may be stored, or taken for another type."""

    __slots__ = ("body", "headers", "media_type", "status")

    def __init__(self, body: bytes, media_type: str, status: int, headers: Mapping[str, str] | None = None) -> None:
        self.body = body
        self.media_type = media_type
        self.status = status
        self.headers = headers or {}

    async def send(self, scope: Scope, send: Send) -> None:
        """Send it; to HEAD, without its body."""
        headers = head(self.media_type, self.headers)
        headers.append((b"content-length", b"%d" % len(self.body)))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else self.body})

    def compressed(self) -> Answer:
        """Give the same answer, smaller; its client takes gzip."""
        headers = {**self.headers, "Content-Encoding": "gzip"}
        return Answer(gzip.compress(self.body, _EFFORT), self.media_type, self.status, headers)


_EFFORT = 1
"""Half the time of the usual 6, for a tenth more bytes. Measured on pages of items."""


def head(media_type: str, headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Write the headers of an answer."""
    return [
        (b"content-type", media_type.encode("latin-1")),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()),
    ]
