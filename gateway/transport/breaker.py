"""The circuit breaker: a service that has failed many times in a row is left alone for a while."""

from __future__ import annotations

import time

import httpx
from purgatory.domain.model import CLOSED, HALF_OPENED, Context, OpenedState

from gateway.model.errors import Refusal, UpstreamInvalid, UpstreamTimeout, UpstreamUnavailable
from gateway.transport.errors import CircuitOpen, DeadlinePassed


class Breaker(httpx.AsyncBaseTransport):
    """Refuse calls for `seconds` after `failures` in a row, then let one through to see whether the service is back.

    Failures are UpstreamUnavailable and UpstreamTimeout, unless they are marked as not worth a retry (one part of a
    service switched off by its operator) or came from our own deadline. Answers, refusals included, end the row. All
    else, cancelled calls and RateLimited among them, tells nothing and counts neither way. Raises CircuitOpen at once
    while open.
    """

    def __init__(
        self, inner: httpx.AsyncBaseTransport, *, provider: str, failures: int = 10, seconds: float = 10.0
    ) -> None:
        self._inner = inner
        # purgatory's state machine alone. Its own wrapper takes every exception for a failure or a success, also
        # cancellation, and lets all calls through while half open.
        self._circuit = Context(provider, failures, seconds)
        self._probing = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Call, unless the circuit is open."""
        circuit = self._circuit
        probing = circuit.state != CLOSED
        if probing:
            self._admit()
            self._probing = True
        try:
            response = await self._inner.handle_async_request(request)
        except (UpstreamUnavailable, UpstreamTimeout) as error:
            if error.retryable and not isinstance(error, DeadlinePassed):
                circuit.handle_exception(error)
            raise
        except (Refusal, UpstreamInvalid):
            circuit.handle_end_request()
            raise
        else:
            if circuit.failure_count != 0:
                circuit.handle_end_request()
            return response
        finally:
            if probing:
                self._probing = False
            # Meant for purgatory's message bus; nobody else empties it.
            circuit.messages.clear()

    def _admit(self) -> None:
        circuit = self._circuit
        wait = 0.0
        if circuit.state == HALF_OPENED:
            if not self._probing:
                return
            wait = circuit.ttl
        else:
            try:
                circuit.handle_new_request()
            except OpenedState as opened:
                # It is one object, raised again and again, and its traceback would grow with every call.
                opened.__traceback__ = None
                wait = max(0.0, opened.opened_at + circuit.ttl - time.time())
            else:
                return
        raise CircuitOpen("the service has failed many times in a row and is left alone for now", retry_after=wait)
