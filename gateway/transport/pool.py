"""The sockets: aiohttp's connections behind httpx's transport interface, without memory, detours or surprises."""

from __future__ import annotations

import asyncio
import re
import ssl
from typing import NamedTuple

import aiohttp
import httpx
import yarl
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError

from gateway.model.errors import (
    Failure,
    GatewayError,
    InvalidInput,
    OutcomeUnknown,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.transport.body import MAX_BODY_BYTES, Body
from gateway.transport.errors import SAFE_METHODS
from gateway.transport.messages import Answer, Fields, taken_apart

USER_AGENT = "inventory-gateway"

# aiohttp's ceiling for one header (a second one, 128, holds for their number).
MAX_HEADER_BYTES = 16 * 1024

# Addresses come from the settings, and some from services' answers; those are not remembered without end.
MAX_ORIGINS = 1000

_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)

# Computed here from the body.
_BODY_HEADERS = frozenset({b"content-length", b"transfer-encoding"})

_FIELD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [^\r\n\0]*")


class Pool(httpx.AsyncBaseTransport):
    """Send requests over kept connections, at most `limit` to a host, and hand on answers read to their end.

    URLs go out exactly as built. Cookies are dropped, redirects and proxies not followed, answers decoded up to
    `max_body_bytes`. There is no time limit in here: the caller sets one around the call, and cancelling it closes the
    connection. For a call that is not safe to repeat, `request.extensions["sent"]` tells whether it may have reached
    the service.

    Raises what `translated` tells; OutcomeUnknown instead, where a request that is not safe to repeat may have been
    sent. The connections belong to the loop of the first call; `aclose` ends them for good.
    """

    # Of aiohttp this takes the connector and the parser, and calls them as aiohttp's session does; what it calls of the
    # parser is not documented, so a new major version wants a look. The session itself does nothing that is wanted here
    # (cookies, redirects, traces, sending PUT and DELETE twice), and costs more than the two together.

    def __init__(
        self,
        *,
        limit: int = 100,
        max_body_bytes: int = MAX_BODY_BYTES,
        user_agent: str = USER_AGENT,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._limit = limit
        self._max_body_bytes = max_body_bytes
        self._user_agent = user_agent
        self._tls = tls
        self._connector: aiohttp.TCPConnector | None = None
        self._origins: dict[str, _Origin] = {}
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and read its answer."""
        content = await request.aread()
        safe = request.method in SAFE_METHODS
        if not safe:
            request.extensions["sent"] = False
        try:
            if self._closed:
                raise UpstreamUnavailable("the gateway is shutting down", retryable=False)
            address, target, fields = taken_apart(request)
            origin = self._origins.get(address) or self._origin(address)
            head = origin.head(request.method, target, fields, None if safe and not content else len(content))
            try:
                return await self._exchange(request, origin, head, content, safe=safe)
            except aiohttp.ClientConnectorError:
                raise
            except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
                if not safe:
                    raise
            # A kept connection may have been closed by the service while the request was on its way.
            return await self._exchange(request, origin, head, content, safe=safe)
        except GatewayError as error:
            failure = error
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            failure = translated(error)
        if isinstance(failure, Failure) and request.extensions.get("sent"):
            failure = OutcomeUnknown(f"sent, but it is not known whether it was done: {failure.message}")
        # Raised here, where no other exception is being handled: aiohttp's show the URL, and an exception carries the
        # one that it was raised under along, whatever "from None" says.
        raise failure

    async def aclose(self) -> None:
        """Close every connection; later calls answer that the service is unavailable."""
        self._closed = True
        if self._connector is not None:
            await self._connector.close()

    async def _exchange(
        self, request: httpx.Request, origin: _Origin, head: bytes, content: bytes, *, safe: bool
    ) -> httpx.Response:
        connection = await self._connection(origin)
        try:
            protocol, transport = connection.protocol, connection.transport
            if protocol is None or transport is None:
                raise aiohttp.ServerDisconnectedError
            protocol.set_response_params(
                skip_payload=request.method == "HEAD",
                read_until_eof=True,
                auto_decompress=False,
                max_line_size=MAX_HEADER_BYTES,
                max_field_size=MAX_HEADER_BYTES,
            )
            if not safe:
                request.extensions["sent"] = True
            if content:
                transport.writelines((head, content))
            else:
                transport.write(head)
            message, payload = await protocol.read()
            while 100 <= message.code < 200 and message.code != 101:
                message, payload = await protocol.read()
            encodings = message.headers.getall(aiohttp.hdrs.CONTENT_ENCODING, ())
            body = Body(",".join(encodings), self._max_body_bytes)
            while not payload.at_eof():
                body.feed(await payload.readany())
            answer = Answer(message.code, message.raw_headers, body.finish(), request)
        except BaseException:
            # With half an answer still to come, the connection cannot be used again.
            connection.close()
            raise
        if content and transport.get_write_buffer_size():
            # Answered before all was sent, and the rest would be taken for the next request.
            connection.close()
        else:
            connection.release()
        return answer

    async def _connection(self, origin: _Origin) -> Connection:
        connector = self._connector or self._open()
        for _ in range(self._limit + 1):
            connection = await connector.connect(origin.request, [], _NO_TIMEOUT)
            if connection.protocol is not None and not connection.protocol.should_close:
                return connection
            # The service has said something unasked for, which would be taken for the next answer.
            connection.close()
        raise aiohttp.ClientConnectionError

    def _open(self) -> aiohttp.TCPConnector:
        self._connector = aiohttp.TCPConnector(limit=0, limit_per_host=self._limit, ssl=self._tls or True)
        return self._connector

    def _origin(self, address: str) -> _Origin:
        url = yarl.URL(address, encoded=True)
        if url.scheme not in {"http", "https"}:
            raise aiohttp.InvalidURL(url)
        request = aiohttp.ClientRequest("GET", url, loop=asyncio.get_running_loop())
        headers = {
            "Host": request.headers["Host"],
            "User-Agent": self._user_agent,
            "Accept": "*/*",
            "Accept-Encoding": "gzip",
        }
        lines = {name.lower().encode(): f"{name}: {value}\r\n".encode() for name, value in headers.items()}
        if len(self._origins) >= MAX_ORIGINS:
            self._origins.clear()
        origin = self._origins[address] = _Origin(request, lines, b"".join(lines.values()))
        return origin


class _Origin(NamedTuple):
    """One service's address: how the connector is told of it, and the headers of its calls, by name and all in one."""

    request: aiohttp.ClientRequest
    headers: dict[bytes, bytes]
    joined: bytes

    def head(self, method: str, target: bytes, fields: Fields, length: int | None) -> bytes:
        """Write a request up to its body, which is `length` bytes long; None for a request without one."""
        lines: list[bytes] = []
        replaced: set[bytes] = set()
        for name, value in fields:
            line = b"%b: %b" % (name, value)
            if _FIELD.fullmatch(line) is None:
                raise ValueError("this header would be more than one, or none")
            lowered = name.lower()
            if lowered in self.headers:
                replaced.add(lowered)
            if lowered not in _BODY_HEADERS:
                lines.append(line)
        if length is not None:
            lines.append(b"Content-Length: %d" % length)
        lines.append(b"\r\n")
        own = b"".join(line for name, line in self.headers.items() if name not in replaced) if replaced else self.joined
        return b"%b %b HTTP/1.1\r\n%b%b" % (method.encode("ascii"), target, own, b"\r\n".join(lines))


def translated(error: Exception) -> GatewayError:
    """Translate what aiohttp or a socket raises; no message shows a host, a URL or a header.

    | what happened | aiohttp's, or Python's | ours |
    |---|---|---|
    | a timeout of the system's | TimeoutError | UpstreamTimeout |
    | certificate or handshake | ClientSSLError | UpstreamUnavailable |
    | unknown host | ClientConnectorDNSError | UpstreamUnavailable |
    | refused, unreachable | ClientConnectorError | UpstreamUnavailable |
    | not a usable URL | InvalidURL | InvalidInput |
    | not HTTP, headers too long, a bad chunk | ClientResponseError, HttpProcessingError | UpstreamInvalid |
    | fewer bytes or chunks than announced | ClientPayloadError | UpstreamUnavailable |
    | hung up, reset | ServerDisconnectedError, ClientOSError, OSError | UpstreamUnavailable |
    | a header with a line break | ValueError | InvalidInput |

    One case never gets here: aiohttp's C parser (3.14) says nothing of a bad chunk that comes after good ones, and the
    call ends with its time.
    """
    match error:
        case TimeoutError():
            return UpstreamTimeout("the service did not answer in time")
        case aiohttp.ClientSSLError():
            return UpstreamUnavailable("the service cannot prove who it is")
        case aiohttp.ClientConnectorDNSError():
            return UpstreamUnavailable("the service's host is not known")
        case aiohttp.ClientConnectorError():
            return UpstreamUnavailable("the service cannot be reached")
        case aiohttp.InvalidURL():
            return InvalidInput("the call has no valid address")
        case aiohttp.ClientResponseError() | HttpProcessingError():
            return UpstreamInvalid("the service's answer is not HTTP")
        case aiohttp.ClientPayloadError():
            return UpstreamUnavailable("the service broke off in the middle of its answer")
        case aiohttp.ClientError() | OSError():
            return UpstreamUnavailable("the service broke off")
        case _:
            return InvalidInput("an argument or a credential holds what no call can carry")
