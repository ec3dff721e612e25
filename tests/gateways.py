"""Gateways for tests: seeded, in process, and asked as a client asks."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from gateway.app import Gateway
from gateway.backends.local import issue
from gateway.files import Line
from gateway.importing import import_documents
from gateway.model.credentials import Caller, Credential
from gateway.model.ports import Clock, Wanted
from gateway.model.principal import EVERYONE
from gateway.providers.provider import Provider
from gateway.registry import MANIFESTS
from gateway.settings import AccessSettings, ProviderSettings, ServerSettings, Settings, StoreSettings, VaultSettings
from gateway.store.store import Store

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOST = "http://localhost"
DIALECT = "http://dialect.test"
TEMPORARY = "sqlite://"


def caller(*own: Credential) -> Caller:
    """Make one who may do everything, with the gateway's own credentials."""
    lent = {manifest.key: Credential(manifest.key) for manifest in MANIFESTS}
    return Caller(EVERYONE, {}, {**lent, **{credential.provider: credential for credential in own}})


@dataclass
class Answer:
    """What an operation was answered."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def data(self) -> Any:
        return self.body.get("data")

    @property
    def errors(self) -> list[Any]:
        return self.body.get("errors", [])

    @property
    def codes(self) -> list[str]:
        return [error["extensions"]["code"] for error in self.errors]

    def whole(self) -> Any:
        """Give the data of an answer that must have no errors."""
        assert not self.errors, self.errors
        return self.data


@dataclass
class Asked:
    """A gateway that is up, and what it asked of others."""

    gateway: Gateway
    client: httpx.AsyncClient
    headers: dict[str, str] = field(default_factory=dict[str, str])
    calls: list[str] = field(default_factory=list[str])
    statements: list[str] = field(default_factory=list[str])

    async def ask(self, query: str, /, *, headers: Mapping[str, str] | None = None, **variables: Any) -> Answer:
        """Send an operation as a client does; `headers` replace the ones of the fixture."""
        self.calls.clear()
        self.statements.clear()
        response = await self.client.post(
            "/graphql",
            json={"query": query, "variables": variables},
            headers=self.headers if headers is None else headers,
        )
        return Answer(response.status_code, orjson.loads(response.content), response.headers)


def settings(url: str, **changes: Any) -> Settings:
    """Give settings for tests, which no file or variable reaches."""
    values: dict[str, Any] = {
        "server": ServerSettings(rest_rate_limit=False),
        "access": AccessSettings(),
        "store": StoreSettings(url=url),
        "vault": VaultSettings(),
        "providers": {},
    }
    return Settings.model_construct(**{**Settings().model_dump(), **values, **changes})


@contextlib.asynccontextmanager
async def running(
    found: Settings, *, pool: httpx.AsyncBaseTransport | None = None, clock: Clock = lambda: NOW
) -> AsyncGenerator[Asked]:
    """Run a gateway in process; calls of services go through `pool`."""
    counted = Counting(pool)
    async with contextlib.AsyncExitStack() as stack:
        if found.store.url == TEMPORARY:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            found = found.model_copy(update={"store": StoreSettings(url=await _empty(folder))})
        gateway = await stack.enter_async_context(Gateway(found, pool=counted, clock=clock))
        transport = httpx.ASGITransport(app=gateway.app())
        async with httpx.AsyncClient(transport=transport, base_url=HOST) as client:
            asked = Asked(gateway, client)
            counted.calls = asked.calls
            gateway.store.on_statement = asked.statements.append
            yield asked


_EMPTY: list[bytes] = []
"""What is in the file of a store with nothing in it, made on first use."""


async def _empty(folder: str) -> str:
    """Give the URL of a store with nothing in it: a copy, as making tables takes longer than most tests."""
    path = Path(folder, "store.db")
    url = f"sqlite:///{path}"
    if _EMPTY:
        await asyncio.to_thread(path.write_bytes, _EMPTY[0])
    else:
        store = await Store.open(url)
        await store.migrate()
        await store.aclose()
        _EMPTY.append(await asyncio.to_thread(path.read_bytes))
    return url


class Counting(httpx.AsyncBaseTransport):
    """Notes every call of a service, by path and query; without anything behind it, calls fail."""

    def __init__(self, inner: httpx.AsyncBaseTransport | None) -> None:
        self.inner = inner
        self.calls: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request.url.raw_path.decode())
        if self.inner is None:
            raise httpx.ConnectError("there is no service in this test", request=request)
        return await self.inner.handle_async_request(request)


async def seed(gateway: Gateway, provider: Provider, documents: Any = None, owner: str | None = None) -> None:
    """Import documents in the provider's own format; its bundled samples, if none are given."""
    if documents is None:
        documents = orjson.loads((resources.files(provider.demo) / "demo.json").read_bytes())
    lines = [("documents", [Line(1, documents)])]
    report = await import_documents(
        gateway.store, provider.key, provider.archive, lines, owner=owner, kind=None, strict=True
    )
    assert not report.rejected


async def mint(
    gateway: Gateway,
    provider: Provider,
    owner: str,
    *,
    scopes: tuple[str, ...] | None = None,
    expires_at: datetime | None = None,
    limits: tuple[str, ...] = (),
    part: str | None = None,
) -> str:
    """Make a credential for the dialect."""
    wanted = Wanted(
        part=part or provider.manifest.credential_parts[0].key,
        owner=owner,
        name="test",
        scopes=provider.manifest.scopes if scopes is None else scopes,
        issued_at=NOW,
        expires_at=expires_at,
        limits=limits,
    )
    return await issue(gateway.store, provider.key, provider.rules, wanted)


def header(provider: Provider, part: str | None = None) -> str:
    """Name the header that carries a caller's credential, its first part if none is named."""
    return f"X-Credential-{provider.key}-{part or provider.manifest.credential_parts[0].key}"


Seed = Callable[[Gateway], Any]


@contextlib.asynccontextmanager
async def local(provider: Provider, url: str, *, documents: Any = None) -> AsyncGenerator[Asked]:
    """Run a gateway over a seeded store."""
    store = await Store.open(url)
    await store.migrate()
    await store.aclose()
    async with running(settings(url)) as asked:
        await seed(asked.gateway, provider, documents)
        yield asked


_FILLED: dict[str, Path] = {}
"""By provider, a store with its samples, filled on first use."""


async def copied(provider: Provider, kept: pytest.TempPathFactory, folder: Path) -> str:
    """Give the URL of a copy, in a test's own folder, of a store with the samples in it."""
    if provider.key not in _FILLED:
        store = kept.mktemp("samples") / "store.db"
        async with local(provider, f"sqlite:///{store}"):
            _FILLED[provider.key] = store
    return f"sqlite:///{shutil.copy(_FILLED[provider.key], folder)}"


@contextlib.asynccontextmanager
async def upstream(provider: Provider, dialect: Asked) -> AsyncGenerator[Asked]:
    """Run a gateway whose backend is our client of the service, in front of another gateway's dialect."""
    found = settings(
        "sqlite://",
        providers={provider.key: ProviderSettings(backend="upstream", base_url=f"{DIALECT}/rest/{provider.key}")},
    )
    async with running(found, pool=httpx.ASGITransport(app=dialect.gateway.app())) as asked:
        yield asked
