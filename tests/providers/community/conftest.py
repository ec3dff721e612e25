"""A gateway that serves the dialect over the provider's bundled samples."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from gateway.providers.community import PROVIDER
from tests.databases import fresh_database, make_database
from tests.gateways import Asked, copied, local, mint, running, seed, settings

ROOT = "/rest/community"
NOVA = "/v1/community/nova/inventory"


class Dialect:
    """The dialect, asked by HTTP with a session of one user unless told otherwise."""

    def __init__(self, asked: Asked, token: str) -> None:
        self.asked = asked
        self.token = token

    async def send(
        self, method: str, path: str, *, token: str | None = "", content: bytes | None = None, **headers: str
    ) -> httpx.Response:
        """Ask; `token` None sends none. Underscores in the names of headers stand for hyphens."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent.setdefault("Authorization", f"Bearer {token or self.token}")
        return await self.asked.client.request(method, f"{ROOT}{path}", headers=sent, content=content)

    async def get(self, path: str, *, token: str | None = "") -> httpx.Response:
        """Ask for something."""
        return await self.send("GET", path, token=token)

    async def post(self, path: str, body: Any, *, token: str | None = "") -> httpx.Response:
        """Send a document."""
        return await self.send("POST", path, token=token, content=orjson.dumps(body), Content_Type="application/json")

    async def json(self, path: str, *, token: str | None = "") -> Any:
        """Give the body of an answer that must be good."""
        answer = await self.get(path, token=token)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        return answer.json()

    async def mint(self, owner: str, **more: Any) -> str:
        """Make a session token of a user's, or with `part` another."""
        return await mint(self.asked.gateway, PROVIDER, owner, **more)

    async def seed(self, documents: Any) -> None:
        """Import documents in the service's own format."""
        await seed(self.asked.gateway, PROVIDER, documents)


@pytest.fixture
async def store_url(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> str:
    """Give the URL of a store of the test's own with the samples in it."""
    return await copied(PROVIDER, tmp_path_factory, tmp_path)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try what the contract numbers on both databases."""
    if "served" in metafunc.fixturenames and "Behaviour" in (metafunc.function.__doc__ or ""):
        metafunc.parametrize("served", ["sqlite", "postgres"], indirect=True)


_TEMPLATES: list[str] = []
"""The database on PostgreSQL that has the samples in it, made on first use."""


@pytest.fixture
async def served(request: pytest.FixtureRequest, store_url: str) -> AsyncGenerator[Dialect]:
    """Serve the dialect; `u_1` asks."""
    async with AsyncExitStack() as stack:
        if getattr(request, "param", "sqlite") == "postgres":
            server = request.getfixturevalue("postgres_url")
            if not _TEMPLATES:
                template = await make_database(server)
                async with local(PROVIDER, template):
                    _TEMPLATES.append(template)
            store_url = await stack.enter_async_context(fresh_database(server, _TEMPLATES[0]))
        asked = await stack.enter_async_context(running(settings(store_url)))
        yield Dialect(asked, await mint(asked.gateway, PROVIDER, "nova/u_1"))
