"""One attempt at a call: within its time, within its size, and judged."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from gateway.model.deadline import Limit, time_left
from gateway.model.errors import GatewayError, OutcomeUnknown, UpstreamTimeout
from gateway.transport.body import MAX_BODY_BYTES, Body, TooLong
from gateway.transport.errors import SAFE_METHODS, DeadlinePassed, Judge
from gateway.transport.messages import Answer


class Attempt(httpx.AsyncBaseTransport):
    """Make one call through `pool`, read its answer to the end, and raise what `judge` finds wrong with it.

    It takes at most `timeout` seconds, less where the deadline comes first, whatever part of it is slow: waiting for a
    free connection counts. `pool` may be any transport; answers that it streams are read here. `on_call` is told every
    request that goes out. Raises UpstreamTimeout (DeadlinePassed where the deadline came first), and OutcomeUnknown
    for a request that is not safe to repeat and may have reached the service.
    """

    def __init__(
        self,
        pool: httpx.AsyncBaseTransport,
        judge: Judge,
        *,
        timeout: float,
        max_body_bytes: int = MAX_BODY_BYTES,
        on_call: Callable[[httpx.Request], None] | None = None,
    ) -> None:
        self._pool = pool
        self._judge = judge
        self._timeout = timeout
        self._max_body_bytes = max_body_bytes
        self._on_call = on_call

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Make the call once."""
        seconds = self._timeout
        left = time_left()
        hurried = left is not None and left < seconds
        if left is not None and hurried:
            if left <= 0:
                raise DeadlinePassed("no time was left to call the service")
            seconds = left
        response: httpx.Response | None = None
        clock = Limit(seconds)
        try:
            with clock:
                if self._on_call is not None:
                    self._on_call(request)
                response = await self._pool.handle_async_request(request)
                if not response.is_closed:
                    response = await self._read(response, request)
        except TimeoutError:
            if not clock.expired:
                raise
        # What follows is raised outside the handler: an exception carries along the one that it was raised under.
        if response is None or clock.expired:
            raise _late(request, hurried=hurried)
        if len(response.content) > self._max_body_bytes:
            raise TooLong("the service's answer is too long")
        error = self._judge(response)
        if error is not None:
            raise _for_writes(error, response.status_code, request)
        return response

    async def _read(self, response: httpx.Response, request: httpx.Request) -> httpx.Response:
        # Not httpx's own reading, which expands a compressed body to any size.
        try:
            body = Body(response.headers.get("content-encoding"), self._max_body_bytes)
            async for chunk in response.aiter_raw():
                body.feed(chunk)
            return Answer(response.status_code, response.headers.raw, body.finish(), request)
        finally:
            await response.aclose()


def _late(request: httpx.Request, *, hurried: bool) -> GatewayError:
    if request.method not in SAFE_METHODS and request.extensions.get("sent", True):
        return OutcomeUnknown("sent, but not answered in time: it is not known whether it was done")
    if hurried:
        return DeadlinePassed("the service did not answer in the time that was left")
    return UpstreamTimeout("the service did not answer in time")


def _for_writes(error: GatewayError, status: int, request: httpx.Request) -> GatewayError:
    # 502 and 504 come from something in front of the service that passed the request on and got no answer.
    if status in {502, 504} and request.method not in SAFE_METHODS:
        return OutcomeUnknown(
            "passed on, but never answered: it is not known whether it was done", provider_code=error.provider_code
        )
    return error
