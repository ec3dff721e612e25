"""Two gateways on sockets of the loopback: one over a store with the samples, one in front of its dialect."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.app import Gateway
from gateway.registry import PROVIDERS
from gateway.settings import ProviderSettings, ServerSettings
from tests.conformance.worlds import WORLDS, World
from tests.gateways import NOW, Answer, header, mint, seed, settings

PROVIDER = PROVIDERS["guildwars2"]
NAME = PROVIDER.manifest.provider.name
WORLD: World = WORLDS[PROVIDER.key]
HEADER = header(PROVIDER)
SERVER = ServerSettings(rest_rate_limit=False, max_tokens=200_000, max_body_bytes=2_000_000)


class Server:
    """An application served by a thread with a loop of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self._listening.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self._server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=5)
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._server.serve(sockets=[self._listening]))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def __enter__(self) -> Server:
        self._thread.start()
        for _ in range(1_000):
            if self._server.started:
                return self
            threading.Event().wait(0.01)
        raise AssertionError("the server did not start")

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._listening.close()
        assert not self._thread.is_alive()

    def do(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Do something in the server's loop, where its store may be used."""

        async def done() -> Any:
            return await work()

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(10)

    @property
    def tasks(self) -> int:
        """Count what is under way, the server itself left out."""

        async def count() -> int:
            return len(asyncio.all_tasks()) - 1

        return asyncio.run_coroutine_threadsafe(count(), self._loop).result(10)


@dataclass
class Served:
    """A gateway that is up, asked as a client asks."""

    gateway: Gateway
    server: Server
    client: httpx.Client
    headers: dict[str, str] = field(default_factory=dict[str, str])

    def ask(self, query: str, /, *, headers: Mapping[str, str] | None = None, **variables: Any) -> Answer:
        response = self.client.post(
            "/graphql",
            json={"query": query, "variables": variables},
            headers=self.headers if headers is None else headers,
        )
        return Answer(response.status_code, orjson.loads(response.content), response.headers)


@contextlib.contextmanager
def serving(gateway: Gateway) -> Generator[Served]:
    with Server(gateway.app()) as server, httpx.Client(base_url=server.address, timeout=20) as client:
        yield Served(gateway, server, client)


def in_front_of(address: str) -> Gateway:
    """Make a gateway whose backend is our client of the service at an address."""
    providers = {PROVIDER.key: ProviderSettings(backend="upstream", base_url=address)}
    return Gateway(settings("sqlite://", server=SERVER, providers=providers), clock=lambda: NOW)


class Between:
    """What stands between a gateway and those who call it: it notes the requests, and may answer some itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.answer_headers: Callable[[dict[str, str]], Mapping[str, str]] = lambda _: {}
        self.instead: dict[str, ASGIApp] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.requests.append((scope["path"], headers))
        more = [(name.encode(), value.encode()) for name, value in self.answer_headers(headers).items()]

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *more]
            await send(message)

        found = next((app for part, app in self.instead.items() if part in scope["path"]), self._app)
        return await found(scope, receive, sending)


@dataclass
class Service:
    """A service made of the samples, and a gateway in front of it."""

    between: Between
    server: Server
    gateway: Served
    mint: Callable[[], str]


@pytest.fixture
def service(tmp_path: Path) -> Generator[Service]:
    """Serve the samples' dialect with something in between, and a gateway in front of it.

    Its address is a host's name: cookies of an IP address would be dropped by most clients anyhow.
    """
    dialect = Gateway(settings(f"sqlite:///{tmp_path}/service.db", server=SERVER), clock=lambda: NOW)
    between = Between(dialect.app())
    with Server(between) as server:
        server.do(lambda: seed(dialect, PROVIDER))
        with serving(in_front_of(f"http://localhost:{server.port}/rest/{PROVIDER.key}")) as gateway:
            yield Service(between, server, gateway, lambda: server.do(lambda: mint(dialect, PROVIDER, WORLD.owner)))


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """Serve the samples from a store."""
    store: Path = tmp_path_factory.mktemp("e2e") / "store.db"
    gateway = Gateway(settings(f"sqlite:///{store}", server=SERVER), clock=lambda: NOW)
    with serving(gateway) as served:
        served.server.do(lambda: seed(gateway, PROVIDER))
        served.headers[HEADER] = served.server.do(lambda: mint(gateway, PROVIDER, WORLD.owner))
        yield served


@pytest.fixture(scope="module")
def upstream(local: Served) -> Generator[Served]:
    """Serve the same over the dialect of the first; each file has one with a whole budget of calls."""
    with serving(in_front_of(f"{local.server.address}/rest/{PROVIDER.key}")) as served:
        served.headers.update(local.headers)
        yield served


def differences(here: Any, there: Any, place: str = "") -> Iterator[str]:
    """Tell where two answers differ; errors come in no certain order."""
    if place == "/errors":
        here, there = _by_path(here), _by_path(there)
    one, other = type(here).__name__, type(there).__name__
    if one == other == "dict":
        for name in {**here, **there}:
            yield from differences(here.get(name), there.get(name), f"{place}/{name}")
    elif one == other == "list" and len(here) == len(there):
        for at, (inner, outer) in enumerate(zip(here, there, strict=True)):
            yield from differences(inner, outer, f"{place}/{at}")
    elif one != other or here != there:
        yield f"{place}: {here!r:.300} here, {there!r:.300} there"


def _by_path(errors: Any) -> dict[str, Any]:
    return {".".join(map(str, error.get("path", ()))): error for error in errors or ()}


PAGE = "totalCount isComplete problems { code } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
CONTAINER = "id key name kind capacity freeSlots version"


def of_inventory(selected: str) -> str:
    """Select parts of an owner's inventory."""
    return f"query($owner: OwnerInput!) {{ inventory(owner: $owner) {{ {selected} }} }}"


@dataclass
class Pair:
    """Both gateways, of which the second must answer as the first does."""

    local: Served
    upstream: Served

    def ask(self, query: str, /, *, headers: Mapping[str, str] | None = None, **variables: Any) -> Answer:
        """Ask both, and give the one answer."""
        here = self.local.ask(query, headers=headers, **variables)
        there = self.upstream.ask(query, headers=headers, **variables)
        assert (there.status, [*differences(here.body, there.body)]) == (here.status, [])
        return here

    def mint(self, **facts: Any) -> dict[str, str]:
        """Make another credential, and give the headers that carry it."""
        made = self.local.server.do(lambda: mint(self.local.gateway, PROVIDER, WORLD.owner, **facts))
        return {HEADER: made}


@pytest.fixture(scope="module")
def pair(local: Served, upstream: Served) -> Pair:
    return Pair(local, upstream)


def owner(key: str = WORLD.owner) -> dict[str, str]:
    """Give the input for an owner."""
    return {"provider": NAME, "key": key}
