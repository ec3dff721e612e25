"""Requests and answers that become httpx's own only where somebody looks inside, which is dear and seldom."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import httpx

Fields = Iterable[tuple[bytes, bytes]]
"""Headers as they travel."""

# What httpx leaves as it is, known without taking it apart: the host in small letters, no step of the path that begins
# with a dot. It may be narrower than the truth, since the rest is left to httpx to judge, but never wider.
_PLAIN = re.compile(
    r"(https?://[a-z0-9.-]+(?::[0-9]{1,5})?)"
    r"((?:/(?!\.)[A-Za-z0-9._~!$&'()*+,;=:@%-]*)+(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?)",
)

# httpx takes no longer URL.
_LONGEST = 65_536

# They describe the bytes as they travelled, which are no longer there.
_TRAVEL_HEADERS = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})


class Get(httpx.Request):
    """A GET; what httpx makes of one is made when somebody asks for it.

    Raises ValueError or httpx.InvalidURL where `url` would not go out exactly as it is, or where a header is not ASCII.
    """

    def __init__(self, url: str, *, headers: Mapping[str, str] | None, extensions: dict[str, Any]) -> None:
        # Not httpx's own __init__, which `__getattr__` calls when it must.
        self.method = "GET"
        self.extensions = extensions
        fields = [(name.encode("ascii"), value.encode("ascii")) for name, value in (headers or {}).items()]
        plain = _PLAIN.fullmatch(url) if len(url) <= _LONGEST else None
        if plain is not None:
            self._plain = (*plain.groups(), fields)
            return
        parsed = httpx.URL(url)
        # httpx quotes what is not quoted and resolves dots; neither may happen to what a provider has built.
        start = url.find("/", url.find("://") + 3)
        if parsed.raw_path.decode("ascii") != (url[start:] if start > 0 else "/"):
            raise ValueError("httpx would change the URL")
        super().__init__("GET", parsed, headers=fields, extensions=extensions)

    def __getattr__(self, name: str) -> Any:
        # Python calls it for what is not there: all that httpx's own __init__ sets.
        plain = self.__dict__.pop("_plain", None)
        if plain is None:
            raise AttributeError(name)
        origin, target, fields = plain
        extensions = self.extensions
        super().__init__("GET", origin + target, headers=fields)
        self.extensions = extensions
        return getattr(self, name)

    async def aread(self) -> bytes:
        """Give the body, of which there is none."""
        return b""


def taken_apart(request: httpx.Request) -> tuple[str, bytes, Fields]:
    """Give a request's origin, the target of its first line, and its headers."""
    plain = request.__dict__.get("_plain")
    if plain is not None:
        origin, target, fields = plain
        return origin, target.encode("ascii"), fields
    url = request.url
    return f"{url.scheme}://{url.netloc.decode('ascii')}", url.raw_path, request.headers.raw


class Answer(httpx.Response):
    """An answer, read and decoded; its headers no longer speak of any encoding.

    What httpx makes of it beyond its status and content is made when somebody asks for it.
    """

    def __init__(self, status: int, headers: Fields, content: bytes, request: httpx.Request) -> None:
        # Not httpx's own __init__, which `__getattr__` calls when it must.
        self.status_code = status
        self.is_closed = True
        self._arrived = (headers, content, request)

    def __getattr__(self, name: str) -> Any:
        # Python calls it for what is not there: all that httpx's own __init__ sets.
        arrived = self.__dict__.pop("_arrived", None)
        if arrived is None:
            raise AttributeError(name)
        headers, content, request = arrived
        kept = [header for header in headers if header[0].lower() not in _TRAVEL_HEADERS]
        super().__init__(self.status_code, headers=kept, stream=httpx.ByteStream(content), request=request)
        self.read()
        return getattr(self, name)

    @property
    def content(self) -> bytes:
        """The body."""
        arrived = self.__dict__.get("_arrived")
        return super().content if arrived is None else arrived[1]
