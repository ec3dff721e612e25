"""A provider's way out: the layers between a call and the sockets, joined."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import httpx

from gateway.model.errors import GatewayError, InvalidInput
from gateway.model.manifest import CallBudget
from gateway.transport.attempt import Attempt
from gateway.transport.body import MAX_BODY_BYTES
from gateway.transport.breaker import Breaker
from gateway.transport.budget import DEFAULT_PAUSE, Budget
from gateway.transport.errors import Judge, judge_status
from gateway.transport.messages import Get
from gateway.transport.retry import Retrying


class Client:
    """Call one provider's service through the pool that all providers share.

    From the outside in:

    - retries, so that each attempt passes all that follows;
    - the breaker, so that an open circuit costs no token and no waiting;
    - the budget, whose waiting must not count against the service's time;
    - one attempt: `timeout` seconds or what is left until the deadline, the whole answer, `judge`;
    - `pool`, which is a `Pool`, or an `httpx.ASGITransport` in tests.

    Every GatewayError that leaves names `provider`. Cancelling a call cancels the request under way.
    `on_call` is told every request that goes to the pool, repeated ones each time.
    """

    def __init__(
        self,
        provider: str,
        *,
        pool: httpx.AsyncBaseTransport,
        judge: Judge = judge_status,
        budget: CallBudget | None = None,
        timeout: float,
        attempts: int = 3,
        wait_initial: float = 0.1,
        wait_max: float = 5.0,
        wait_jitter: float = 0.1,
        pause: float = DEFAULT_PAUSE,
        breaker_failures: int = 10,
        breaker_seconds: float = 10.0,
        max_body_bytes: int = MAX_BODY_BYTES,
        on_call: Callable[[httpx.Request], None] | None = None,
    ) -> None:
        self._provider = provider
        layer: httpx.AsyncBaseTransport = Attempt(
            pool, judge, timeout=timeout, max_body_bytes=max_body_bytes, on_call=on_call
        )
        if budget is not None:
            layer = Budget(layer, budget, pause=pause)
        layer = Breaker(layer, provider=provider, failures=breaker_failures, seconds=breaker_seconds)
        self._layers = Retrying(
            layer, attempts=attempts, wait_initial=wait_initial, wait_max=wait_max, wait_jitter=wait_jitter
        )

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        partition: str,
        attempts: int | None = None,
        budget: CallBudget | None = None,
        line: str | None = None,
    ) -> httpx.Response:
        """Get `url`, which must be encoded already and goes out as it is.

        `partition` is the credential's, `attempts` overrides the client's number (1: no retries), `budget` and `line`
        what it draws on. Raises InvalidInput where the URL would not arrive as written (spaces, letters beyond ASCII,
        `..` as a step of the path) or a header holds what headers cannot carry: an argument or a credential was put in
        as it came.
        """
        try:
            request = Get(url, headers=headers, extensions={"attempts": attempts, "budget": budget, "line": line})
        except (ValueError, httpx.InvalidURL):
            # Encoding errors carry the whole text, so what is raised is raised outside.
            request = None
        if request is None:
            raise self._named(InvalidInput("an argument or a credential holds what no call can carry"))
        return await self.send(request, partition=partition)

    async def send(self, request: httpx.Request, *, partition: str) -> httpx.Response:
        """Send any request; only GET, HEAD, OPTIONS and those that are "repeatable" are ever sent twice."""
        request.extensions["partition"] = partition
        try:
            return await self._layers.handle_async_request(request)
        except GatewayError as error:
            self._named(error)
            raise

    def _named(self, error: GatewayError) -> GatewayError:
        if error.provider is None:
            error.provider = self._provider
        return error
