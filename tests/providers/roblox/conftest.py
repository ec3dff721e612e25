"""A gateway that serves the dialects over the provider's bundled samples, with credentials as they are asked for."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from gateway.providers.roblox import PROVIDER
from gateway.settings import ProviderSettings, ServerSettings
from tests.databases import lent_database, make_database
from tests.gateways import NOW, Asked, copied, local, mint, running, seed, settings

ROOT = "/rest/roblox"
MIRA, THEO, NOBODY = "42", "43", "9"
CROWN, STRAW_HAT, FACE, GEAR, GLASS_CROWN, MUSIC = 7100, 7101, 7104, 7103, 7107, 7108
HUGE = 2**53 + 1
"""The number of the copy of a hat, which no float holds."""


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW.replace(second=0)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


class Dialects:
    """Both dialects, asked by HTTP."""

    def __init__(self, asked: Asked, clock: Clock) -> None:
        self.asked = asked
        self.clock = clock
        self._secrets: dict[tuple[Any, ...], str] = {}

    async def secret(self, part: str, owner: str = MIRA, **more: Any) -> str:
        """Give a credential: the same for the same question."""
        at = (part, owner, *sorted(more.items()))
        if at not in self._secrets:
            self._secrets[at] = await mint(self.asked.gateway, PROVIDER, owner, part=part, **more)
        return self._secrets[at]

    async def cookie(self, owner: str = MIRA) -> dict[str, str]:
        return {"Cookie": f".ROBLOSECURITY={await self.secret('cookie', owner)}"}

    async def key(self, owner: str = MIRA, **more: Any) -> dict[str, str]:
        return {"x-api-key": await self.secret("key", owner, **more)}

    async def token(self, owner: str = MIRA, **more: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {await self.secret('token', owner, **more)}"}

    async def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return await self.asked.client.get(ROOT + path, headers=headers or {})

    async def web(self, path: str, *, of: str | None = MIRA, status: int = 200) -> Any:
        """Get a document of v1 in somebody's session, or in nobody's."""
        response = await self.get(path, await self.cookie(of) if of else None)
        assert response.status_code == status, response.text
        return orjson.loads(response.content)

    async def fault(self, path: str, *, of: str | None = MIRA) -> tuple[int, int, str]:
        """Give the status, code and message of a refusal of v1."""
        return told(await self.get(path, await self.cookie(of) if of else None))

    async def cloud(self, user: str = MIRA, headers: dict[str, str] | None = None, **query: Any) -> httpx.Response:
        """List the cloud's items, with the owner's key unless told otherwise."""
        return await self.asked.client.get(
            f"{ROOT}/cloud/v2/users/{user}/inventory-items",
            params=query,
            headers=await self.key() if headers is None else headers,
        )

    async def items(self, user: str = MIRA, headers: dict[str, str] | None = None, **query: Any) -> list[Any]:
        """Give all items that the cloud lists, over all pages."""
        found: list[Any] = []
        token = ""
        while True:
            response = await self.cloud(user, headers, pageToken=token, **query)
            assert response.status_code == 200, response.text
            page = response.json()
            found += page["inventoryItems"]
            token = page["nextPageToken"]
            if not token:
                return found

    async def pages(self, path: str, *, of: str | None = MIRA) -> list[list[Any]]:
        """Give the pages of a list of v1."""
        found: list[list[Any]] = []
        cursor = ""
        while True:
            page = await self.web(f"{path}{'&' if '?' in path else '?'}cursor={cursor}", of=of)
            found.append(page["data"])
            cursor = page["nextPageCursor"]
            if cursor is None:
                return found

    async def write(
        self, method: str, path: str, *, of: str | None = MIRA, token: str | None = None, **more: Any
    ) -> httpx.Response:
        """Write in somebody's session, the token of the handshake got before, or given."""
        headers = await self.cookie(of) if of else {}
        if token is None:
            asked = await self.asked.client.request(method, ROOT + path, headers=headers)
            token = asked.headers.get("x-csrf-token")
            if token is None:
                return asked
        return await self.asked.client.request(
            method, ROOT + path, headers={**headers, "x-csrf-token": token or ""}, **more
        )

    async def seed(self, documents: Any) -> None:
        await seed(self.asked.gateway, PROVIDER, documents)


def told(response: httpx.Response) -> tuple[int, int, str]:
    """Read a refusal of v1: one error, with a whole number for a code."""
    assert response.headers["content-type"].startswith("application/json")
    (error,) = response.json()["errors"]
    assert type(error["code"]) is int
    return response.status_code, error["code"], error["message"]


def ids(items: list[Any]) -> list[str]:
    """Give the number of each item of the cloud, with its kind."""
    found: list[str] = []
    for item in items:
        (kind,) = [name for name in item if name.endswith("Details")]
        details = item[kind]
        found.append(details.get("instanceId") or f"{kind[:-7]}:{details[f'{kind[:-7]}Id']}")
    return found


async def open_dialects(
    stack: AsyncExitStack, url: str, *, is_limited: bool = False, clock: Clock | None = None, **options: Any
) -> Dialects:
    clock = clock or Clock()
    providers = {PROVIDER.key: ProviderSettings(**options)}
    server = ServerSettings(rest_rate_limit=is_limited)
    found = settings(url, server=server, providers=providers)
    asked = await stack.enter_async_context(running(found, clock=clock))
    return Dialects(asked, clock)


@pytest.fixture
async def dialects(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Dialects]:
    """Serve the dialects over a copy of the samples."""
    async with AsyncExitStack() as stack:
        yield await open_dialects(stack, await copied(PROVIDER, tmp_path_factory, tmp_path))


@pytest.fixture
async def limited(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Dialects]:
    """Serve the dialects with their quotas."""
    async with AsyncExitStack() as stack:
        yield await open_dialects(stack, await copied(PROVIDER, tmp_path_factory, tmp_path), is_limited=True)


_TEMPLATES: dict[str, str] = {}


@pytest.fixture(params=["sqlite", "postgres"])
async def stored(
    request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Dialects]:
    """Serve the dialects from either database."""
    async with AsyncExitStack() as stack:
        url = await copied(PROVIDER, tmp_path_factory, tmp_path)
        if request.param == "postgres":
            server = request.getfixturevalue("postgres_url")
            if server not in _TEMPLATES:
                _TEMPLATES[server] = await make_database(server)
                async with local(PROVIDER, _TEMPLATES[server]):
                    pass
            url = await stack.enter_async_context(lent_database(server, _TEMPLATES[server]))
        yield await open_dialects(stack, url)
