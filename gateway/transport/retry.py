"""Retries: what changes nothing and failed in passing is tried again, while there is time."""

from __future__ import annotations

import httpx
import stamina
import stamina.instrumentation

from gateway.model.deadline import time_left
from gateway.model.errors import GatewayError, OutcomeUnknown, RateLimited
from gateway.transport.errors import SAFE_METHODS, CircuitOpen

# By default stamina writes a log line for each retry. Nothing else in the process uses it.
stamina.instrumentation.set_on_retry_hooks(())


class Retrying(httpx.AsyncBaseTransport):
    """Repeat GET, HEAD and OPTIONS that fail with a retryable error, up to `attempts` times in all.

    Of other requests only those whose `extensions` say that they are "repeatable" are sent again, also where it is not
    known whether they were done: the service tells a repeat from the first time. `extensions` then say "repeated".

    Waits grow from `wait_initial` seconds to `wait_max` with up to `wait_jitter` added, and are never shorter than the
    error's `retry_after`. The last error is raised at once where a wait does not fit into the time left, is longer
    than `patience`, or would be for an open circuit. `request.extensions["attempts"]` overrides `attempts`.
    """

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        *,
        attempts: int = 3,
        wait_initial: float = 0.1,
        wait_max: float = 5.0,
        wait_jitter: float = 0.1,
        patience: float = 30.0,
    ) -> None:
        self._inner = inner
        self._attempts = attempts
        self._wait_initial = wait_initial
        self._wait_max = wait_max
        self._wait_jitter = wait_jitter
        self._patience = patience

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Call until it does well, or is no longer worth it."""
        try:
            return await self._inner.handle_async_request(request)
        except GatewayError as error:
            attempts: int = request.extensions.get("attempts") or self._attempts
            if attempts <= 1 or not _may_repeat(request) or not _passing(error, request):
                raise
            failed = error
        return await self._again(request, failed, attempts)

    async def _again(self, request: httpx.Request, failed: GatewayError | None, attempts: int) -> httpx.Response:
        next_wait = 0.0

        def worth(error: Exception) -> bool | float:
            if not isinstance(error, GatewayError) or not _passing(error, request):
                return False
            # What was turned away was not done: only after others does a repeat tell of the first time.
            if not isinstance(error, RateLimited):
                request.extensions["repeated"] = True
            # Without an asked-for wait it is stamina's, which is at most this.
            wait = max(next_wait + self._wait_jitter, error.retry_after or 0.0)
            left = time_left()
            if wait > self._patience or (left is not None and wait >= left):
                return False
            return True if error.retry_after is None else max(next_wait, error.retry_after)

        async for attempt in stamina.retry_context(
            on=worth,
            attempts=attempts,
            timeout=None,
            wait_initial=self._wait_initial,
            wait_max=self._wait_max,
            wait_jitter=self._wait_jitter,
        ):
            next_wait = attempt.next_wait
            with attempt:
                if failed is not None:
                    # The first attempt was made before stamina came in, whose bookkeeping costs a third of a call.
                    first, failed = failed, None
                    raise first
                return await self._inner.handle_async_request(request)
        raise AssertionError("stamina ends with a result or an error")


def _may_repeat(request: httpx.Request) -> bool:
    return request.method in SAFE_METHODS or bool(request.extensions.get("repeatable"))


def _passing(error: GatewayError, request: httpx.Request) -> bool:
    lost = isinstance(error, OutcomeUnknown) and bool(request.extensions.get("repeatable"))
    return lost or (error.retryable and not isinstance(error, CircuitOpen))
