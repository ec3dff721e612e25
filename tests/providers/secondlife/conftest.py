"""A gateway that serves the dialect over the provider's bundled samples, and what a viewer makes of its answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import pytest

from gateway.providers.secondlife import PROVIDER
from gateway.providers.secondlife.codec import JSON, LLSD, READERS, WRITERS
from gateway.settings import ProviderSettings
from tests.databases import fresh_database, make_database
from tests.gateways import Asked, copied, local, mint, running, seed, settings

ROOT_PATH = "/rest/secondlife"
AGENT = "aaaaaaaa-0000-4000-8000-00000000000a"
OTHER = "aaaaaaaa-0000-4000-8000-00000000000c"
NOTHING = "11111111-0000-4000-8000-0000000000ff"
ZERO = "00000000-0000-0000-0000-000000000000"


def category(number: int) -> str:
    """Give the id of a folder of the samples."""
    return f"11111111-0000-4000-8000-{number:012d}"


def item(number: int) -> str:
    """Give the id of an item of the samples."""
    return f"22222222-0000-4000-8000-{number:012d}"


def link(number: int) -> str:
    """Give the id of a link of the samples."""
    return f"44444444-0000-4000-8000-{number:012d}"


ROOT, CLOTHING, HATS, WINTER, BOOTS = (category(number) for number in (1, 5, 6, 7, 8))
TRASH, CURRENT, OUTFIT, OLD = (category(number) for number in (14, 46, 47, 15))
LIBRARY, LIBRARY_FOLDER, LIBRARY_OBJECTS = (category(number) for number in (900, 902, 903))
STRAW_HAT, SHIRT, JEANS, TOP_HAT, WOOL_HAT = (item(number) for number in (1, 2, 3, 4, 5))


class Dialect:
    """The dialect, asked by HTTP with the capability of one agent unless told otherwise; LLSD unless told otherwise."""

    def __init__(self, asked: Asked, capability: str, library: str) -> None:
        self.asked = asked
        self.capability = capability
        self.library = library
        self.media = LLSD

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        capability: str | None = None,
        content: bytes | None = None,
        media: str | None = None,
        **headers: str,
    ) -> httpx.Response:
        """Ask; underscores in the names of headers stand for hyphens."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        kind = media or self.media
        sent.setdefault("Accept", kind)
        # As viewers do, on every request.
        sent.setdefault("Content-Type", kind)
        if body is not None:
            content = WRITERS[kind](body)
        address = f"{ROOT_PATH}/{capability or self.capability}{path}"
        return await self.asked.client.request(method, address, headers=sent, content=content)

    async def ask(self, method: str, path: str, body: Any = None, *, status: int = 200, **more: Any) -> Any:
        """Give the document of an answer of a certain status, every id as text."""
        answer = await self.send(method, path, body, **more)
        assert answer.status_code == status, (method, path, answer.status_code, read(answer))
        return read(answer)

    async def get(self, path: str, **more: Any) -> Any:
        """Give the document that a GET shows."""
        return await self.ask("GET", path, **more)

    async def version(self, key: str) -> int:
        """Give the version that a folder is at."""
        return (await self.get(f"/category/{key}"))["version"]

    async def whole(self) -> Any:
        """Give all that the agent has, to see that nothing of it has changed."""
        return await self.get("/category/root/children?depth=*"), await self.get("/orphans")

    async def mint(self, owner: str = AGENT, **more: Any) -> str:
        """Make a capability."""
        return await mint(self.asked.gateway, PROVIDER, owner, **more)

    async def seed(self, documents: Any) -> None:
        """Import documents; the samples again, if none are given."""
        await seed(self.asked.gateway, PROVIDER, documents)


def read(answer: httpx.Response) -> Any:
    """Read an answer's document, every id as text."""
    return texts(READERS[answer.headers["content-type"]](answer.content))


def texts(value: Any) -> Any:
    """Put ids as texts, so that they compare."""
    if isinstance(value, dict):
        return {str(name): texts(part) for name, part in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [texts(part) for part in cast("list[Any]", value)]
    return str(value) if isinstance(value, UUID) else value


def tid() -> str:
    """Make a transaction id."""
    return str(uuid4())


_TEMPLATES: dict[str, str] = {}


async def open_dialect(stack: AsyncExitStack, url: str, **options: Any) -> Dialect:
    """Run a gateway over a seeded store."""
    providers = {"secondlife": ProviderSettings.model_validate(options)}
    asked = await stack.enter_async_context(running(settings(url, providers=providers)))
    capability = await mint(asked.gateway, PROVIDER, AGENT)
    library = await mint(asked.gateway, PROVIDER, AGENT, part="library")
    return Dialect(asked, capability, library)


@pytest.fixture(params=["sqlite", "postgres"])
async def either_url(
    request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[str]:
    """Give a database of either kind with the samples in it."""
    if request.param == "sqlite":
        yield await copied(PROVIDER, tmp_path_factory, tmp_path)
        return
    server = request.getfixturevalue("postgres_url")
    if server not in _TEMPLATES:
        template = await make_database(server)
        async with local(PROVIDER, template):
            _TEMPLATES[server] = template
    async with fresh_database(server, _TEMPLATES[server]) as url:
        yield url


@pytest.fixture
async def either(either_url: str) -> AsyncGenerator[Dialect]:
    """Serve the dialect from either database."""
    async with AsyncExitStack() as stack:
        yield await open_dialect(stack, either_url)


@pytest.fixture
async def two(either_url: str) -> AsyncGenerator[tuple[Dialect, Dialect]]:
    """Serve the dialect by two gateways over one database, of either kind."""
    async with AsyncExitStack() as stack:
        yield await open_dialect(stack, either_url), await open_dialect(stack, either_url)


@pytest.fixture
async def served(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Dialect]:
    """Serve the dialect from SQLite."""
    async with AsyncExitStack() as stack:
        yield await open_dialect(stack, await copied(PROVIDER, tmp_path_factory, tmp_path))


@pytest.fixture
async def strict(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Dialect]:
    """Serve the dialect with the gaps of the real service."""
    async with AsyncExitStack() as stack:
        yield await open_dialect(stack, await copied(PROVIDER, tmp_path_factory, tmp_path), strict=True)


__all__ = ["JSON", "LLSD"]
