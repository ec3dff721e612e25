"""The services behind our client: the dialects over the samples, or what a test answers in their place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx

from gateway.providers.roblox import PROVIDER
from gateway.settings import ProviderSettings
from tests.gateways import Asked, running, settings
from tests.providers.roblox.conftest import ROOT, Dialects

BASE = "http://services.test"

Instead = Callable[[httpx.Request], httpx.Response | None]


@dataclass
class Services(httpx.AsyncBaseTransport):
    """Passes calls on to the dialects, unless a test answers them; notes them all, and how many were under way."""

    inner: httpx.AsyncBaseTransport | None
    instead: Instead = lambda _: None
    requests: list[httpx.Request] = field(default_factory=list[httpx.Request])
    most: int = 0
    _now: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            await asyncio.sleep(0)
            answer = self.instead(request)
            if answer is None:
                assert self.inner is not None, f"nobody answers {request.url}"
                answer = await self.inner.handle_async_request(request)
            return answer
        finally:
            self._now -= 1

    @property
    def paths(self) -> list[str]:
        """The paths of the calls, with their queries."""
        return [request.url.raw_path.decode().removeprefix(ROOT) for request in self.requests]


@dataclass
class Front:
    """A gateway in front of the services."""

    asked: Asked
    services: Services

    async def ask(self, query: str, **variables: Any) -> Any:
        """Ask, and give the data of an answer without errors."""
        return (await self.asked.ask(query, **variables)).whole()

    async def inventory(self, selected: str, owner: str = "42") -> Any:
        """Select parts of an inventory; the whole answer."""
        query = f'{{ inventory(owner: {{ provider: ROBLOX, key: "{owner}" }}) {{ {selected} }} }}'
        return await self.asked.ask(query)

    def use(self, **parts: str | None) -> None:
        """Ask with these parts of a credential from now on."""
        self.asked.headers = {
            f"X-Credential-roblox-{part}": secret for part, secret in parts.items() if secret is not None
        }


async def open_front(
    stack: AsyncExitStack, dialects: Dialects | None, instead: Instead = lambda _: None, **options: Any
) -> Front:
    """Run a gateway in front of the dialects, or of what a test answers."""
    inner = None if dialects is None else httpx.ASGITransport(app=dialects.asked.gateway.app())
    services = Services(inner, instead)
    found = settings(
        "sqlite://",
        providers={PROVIDER.key: ProviderSettings(backend="upstream", base_url=f"{BASE}{ROOT}", **options)},
    )
    asked = await stack.enter_async_context(running(found, pool=services))
    return Front(asked, services)


def page(items: list[Any], token: str | None = "") -> httpx.Response:
    """Answer with a page of the cloud."""
    return httpx.Response(200, json={"inventoryItems": items, "nextPageToken": token})


def badge(number: int) -> dict[str, Any]:
    """Give a badge of the cloud."""
    return {"path": "x", "badgeDetails": {"badgeId": str(number)}, "addTime": f"2024-01-01T00:{number % 60:02}:00Z"}
