"""Shedding: what is more than the gateway bears is refused at once, so that what it has taken on is done in time."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.backends.limiter import Limiter
from gateway.http.body import Bodies, Disconnected, Refused, late
from gateway.model.manifest import BudgetScope, CallBudget
from gateway.model.principal import Principal
from gateway.settings import ServerSettings
from gateway.telemetry import Figure

SOON = 1
"""Seconds after which one who was shed may ask again; for so long the gateway is not ready."""


def _limiter(often: int | None) -> Limiter | None:
    if often is None:
        return None
    return Limiter(CallBudget(burst=often, per_minute=often, scope=BudgetScope.ADDRESS))


def _check(wait: int | None, who: str) -> None:
    if wait is not None:
        raise Refused(429, f"{who} asks too often.", {"Retry-After": str(wait)})


class Load:
    """What the gateway has taken on: the operations and requests of dialects under way, and who asks how often."""

    def __init__(self, settings: ServerSettings, per_principal: int | None = None) -> None:
        """`per_principal`: how often one principal may ask in a minute."""
        self.bodies = Bodies(settings.max_unfinished_bytes)
        self._most = settings.max_operations
        self._live = 0
        self.shed = 0
        self._shed_at = -float(SOON)
        self._addresses, self._principals = _limiter(settings.requests_per_minute), _limiter(per_principal)

    async def admit(self, client: tuple[str, int] | None, principal: Principal | None = None) -> None:
        """Raise Refused with 429 for an address, or a principal, that asks more often than it may."""
        if self._addresses is not None:
            _check(await self._addresses.wait(client[0] if client else ""), "This address")
        if self._principals is not None and principal is not None and principal.subject is not None:
            _check(await self._principals.wait(principal.subject), "Whom this token names")

    @contextmanager
    def taken_on(self) -> Generator[None]:
        """Count what is under way; raises Refused with 503 where there is as much as the gateway bears."""
        self.take()
        try:
            yield
        finally:
            self.done()

    def take(self) -> None:
        """Count one more; raises Refused with 503."""
        if self._live >= self._most:
            self.shed += 1
            self._shed_at = asyncio.get_running_loop().time()
            raise Refused(503, "The gateway has as much to do as it bears.", {"Retry-After": str(SOON)})
        self._live += 1

    def done(self) -> None:
        """Count one less."""
        self._live -= 1

    async def check(self) -> None:
        """Raise while there is more to do than the gateway bears: others are to be asked instead, if there are any."""
        if self._live >= self._most or asyncio.get_running_loop().time() - self._shed_at < SOON:
            raise RuntimeError(f"{self._live} operations are under way, the most is {self._most}")

    def figures(self) -> list[Figure]:
        """List what is to be watched of the load."""
        return [
            Figure(name="gateway_operations", description="Operations that are under way.", read=lambda: self._live),
            Figure(
                name="gateway_operations_shed",
                description="Operations that were refused, as too many were under way.",
                read=lambda: self.shed,
                counts=True,
            ),
        ]


def bearing(app: ASGIApp, load: Load, seconds: float, most: int) -> ASGIApp:
    """Hold the requests of a dialect to what the gateway bears; a body must be whole within so many seconds.

    A request takes its room only when its body is there, or is longer than the `most` bytes that the dialect reads:
    those who never send theirs would keep it from others.
    """

    async def held(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await load.admit(scope.get("client"))
            until = asyncio.get_running_loop().time() + seconds
            try:
                async with asyncio.timeout_at(until):
                    first, is_whole = await load.bodies.read(receive, most)
            except TimeoutError:
                raise late(seconds) from None
            with load.taken_on():
                await app(scope, _given(first, is_whole, receive, until), send)
        except Disconnected:
            return
        except Refused as refused:
            body = {"message": refused.message}
            await JSONResponse(body, refused.status, refused.headers)(scope, receive, send)

    return held


def _given(first: bytearray, is_whole: bool, receive: Receive, until: float) -> Receive:
    """Give what was taken, and then what comes; who takes too long over a body is as good as gone."""
    given = False

    async def receiving() -> Message:
        nonlocal given, is_whole
        if not given:
            given = True
            return {"type": "http.request", "body": bytes(first), "more_body": not is_whole}
        if is_whole:
            return await receive()
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError:
            return {"type": "http.disconnect"}
        is_whole = not message.get("more_body", False)
        return message

    return receiving
