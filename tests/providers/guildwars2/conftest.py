"""A gateway that serves the dialect over the provider's bundled samples, and one in front of a scripted service."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.providers.guildwars2 import PROVIDER
from gateway.providers.guildwars2.manifest import MANIFEST
from tests.gateways import Asked, copied, mint, running, settings
from tests.providers.guildwars2.payloads import OWNER

ROOT = "/rest/guildwars2"


class Dialect:
    """The dialect, asked by HTTP with a key that has every scope unless told otherwise."""

    def __init__(self, asked: Asked, key: str) -> None:
        self.asked = asked
        self.key = key

    async def get(self, path: str, *, key: str | None = "", method: str = "GET", **headers: str) -> httpx.Response:
        """Ask; `key` None sends none. Underscores in the names of headers stand for hyphens."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            sent.setdefault("Authorization", f"Bearer {key or self.key}")
        return await self.asked.client.request(method, f"{ROOT}{path}", headers=sent)

    async def json(self, path: str, *, key: str | None = "", **headers: str) -> Any:
        """Give the body of an answer that must be good."""
        answer = await self.get(path, key=key, **headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def mint(self, *scopes: str, limits: Sequence[str] = (), owner: str = OWNER, **more: Any) -> str:
        """Make a key of these scopes; of all, if none are named."""
        wanted = scopes or MANIFEST.scopes
        return await mint(self.asked.gateway, PROVIDER, owner, scopes=wanted, limits=tuple(limits), **more)


@pytest.fixture
async def store_url(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> str:
    """Give the URL of a store of the test's own with the samples in it."""
    return await copied(PROVIDER, tmp_path_factory, tmp_path)


@pytest.fixture
async def served(store_url: str) -> AsyncGenerator[Dialect]:
    """Serve the dialect."""
    async with running(settings(store_url)) as asked:
        yield Dialect(asked, await mint(asked.gateway, PROVIDER, OWNER))
