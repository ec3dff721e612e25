"""A transport that answers as told, and notes when it was called."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx

from gateway.model.errors import GatewayError

Step = GatewayError | Callable[[], Awaitable[object]] | None


class Scripted(httpx.AsyncBaseTransport):
    """Fails with each error in turn, awaits each function, answers 200 for None; the last step repeats."""

    def __init__(self, *steps: Step) -> None:
        self._steps = list(steps)
        self.times: list[float] = []

    @property
    def calls(self) -> int:
        return len(self.times)

    @property
    def gaps(self) -> list[float]:
        return [after - before for before, after in zip(self.times, self.times[1:], strict=False)]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.times.append(asyncio.get_running_loop().time())
        step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        if isinstance(step, GatewayError):
            raise step
        if step is not None:
            await step()
        return httpx.Response(200, content=b"{}", request=request)


async def forever() -> None:
    await asyncio.Event().wait()


def request(method: str = "GET", **extensions: object) -> httpx.Request:
    return httpx.Request(method, "http://service.test/SeCrEt", extensions=extensions)
