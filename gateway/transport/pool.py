"""The sockets: one aiohttp session behind httpx's transport interface, without memory, detours or surprises."""

from __future__ import annotations

import io
import ssl
from contextvars import ContextVar

import aiohttp
import httpx
import yarl
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.tracing import Trace

from gateway.model.errors import (
    Failure,
    GatewayError,
    InvalidInput,
    OutcomeUnknown,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.transport.body import MAX_BODY_BYTES, Body, whole
from gateway.transport.errors import SAFE_METHODS

USER_AGENT = "inventory-gateway"

# aiohttp's ceiling for one header (a second one, 128, holds for their number).
MAX_HEADER_BYTES = 16 * 1024

_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)

# aiohttp computes them itself from the body it is given.
_BODY_HEADERS = frozenset({b"content-length", b"transfer-encoding"})


class Pool(httpx.AsyncBaseTransport):
    """Send requests over kept connections, at most `limit` to a host, and hand on answers read to their end.

    URLs go out exactly as built. Cookies are dropped, redirects and proxies not followed, answers decoded up to
    `max_body_bytes`. There is no time limit in here: the caller sets one around the call, and cancelling it closes the
    connection. Where a call that is not safe to repeat gets cancelled, `request.extensions["sent"]` tells whether it
    may have reached the service.

    Raises what `translated` tells; OutcomeUnknown instead, where a request that is not safe to repeat may have been
    sent. The session belongs to the loop of the first call; `aclose` ends it for good.
    """

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
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and read its answer."""
        content = await request.aread()
        if request.method in SAFE_METHODS:
            answer = await self._exchange(request, content)
        else:
            answer = await self._write(request, content)
        if isinstance(answer, GatewayError):
            # Raised here, where no other exception is being handled: aiohttp's show the URL, and an exception carries
            # the one that it was raised under along, whatever "from None" says.
            raise answer
        return answer

    async def aclose(self) -> None:
        """Close every connection; later calls answer that the service is unavailable."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def _write(self, request: httpx.Request, content: bytes) -> httpx.Response | GatewayError:
        sending = _Sending()
        token = _sending.set(sending)
        try:
            answer = await self._exchange(request, content)
        finally:
            _sending.reset(token)
            request.extensions["sent"] = sending.sent
        if sending.sent and isinstance(answer, Failure):
            return OutcomeUnknown(f"sent, but it is not known whether it was done: {answer.message}")
        return answer

    async def _exchange(self, request: httpx.Request, content: bytes) -> httpx.Response | GatewayError:
        if self._closed:
            return UpstreamUnavailable("the gateway is shutting down", retryable=False)
        session = self._session or self._open()
        try:
            answer = await session.request(
                request.method,
                yarl.URL(str(request.url), encoded=True),
                data=_payload(content),
                headers=[
                    (name.decode("ascii"), value.decode("utf-8", "surrogateescape"))
                    for name, value in request.headers.raw
                    if name.lower() not in _BODY_HEADERS
                ],
                allow_redirects=False,
            )
            try:
                body = Body(_encoding(answer), self._max_body_bytes)
                while chunk := await answer.content.readany():
                    body.feed(chunk)
            except BaseException:
                # With half an answer still to come, the connection cannot be used again.
                answer.close()
                raise
            # At the end of the answer aiohttp has put the connection back by itself.
            return whole(answer.status, answer.raw_headers, body.finish(), request)
        except GatewayError as error:
            return error
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            return translated(error)

    def _open(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=_Connector(limit=0, limit_per_host=self._limit, ssl=self._tls or True),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": self._user_agent, "Accept-Encoding": "gzip"},
            skip_auto_headers=("Content-Type",),
            timeout=_NO_TIMEOUT,
            auto_decompress=False,
            trust_env=False,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )
        return self._session


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


def _payload(content: bytes) -> bytes | io.BytesIO | None:
    # aiohttp writes bytes in one go, and warns where they are many; a file it writes piece by piece.
    return io.BytesIO(content) if len(content) > 1 << 16 else content or None


def _encoding(answer: aiohttp.ClientResponse) -> str | None:
    values = answer.headers.getall("Content-Encoding", None)
    return None if values is None else ",".join(values)


class _Sending:
    """Whether a request that must not be sent twice has had a connection to be sent on."""

    sent = False


_sending: ContextVar[_Sending | None] = ContextVar("sending", default=None)


class _Connector(aiohttp.TCPConnector):
    """Notes when a request gets its connection, and gives none to one that has had one.

    aiohttp by itself sends PUT and DELETE a second time when the connection breaks.
    """

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # aiohttp's signature
    ) -> Connection:
        sending = _sending.get()
        if sending is None:
            return await super().connect(req, traces, timeout)
        if sending.sent:
            raise aiohttp.ClientConnectionError
        connection = await super().connect(req, traces, timeout)
        sending.sent = True
        return connection
