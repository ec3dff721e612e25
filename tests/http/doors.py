"""The endpoint over a backend that does as it is told, asked by a client or driven message by message."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import httpx
import orjson
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message

from gateway.api.context import Context
from gateway.app import Gateway, schema
from gateway.backends.guarded import Guarded
from gateway.execution.documents import Documents
from gateway.http.access import Access
from gateway.http.callers import Credentials
from gateway.http.callers import Door as Entrance
from gateway.http.graphiql import Page
from gateway.http.operations import Operations
from gateway.http.persisted import persisted
from gateway.http.site import site
from gateway.model.credentials import Credential
from gateway.model.ids import DefinitionRef, OwnerRef
from gateway.model.manifest import BackendKind
from gateway.model.owner import InventoryOwner
from gateway.model.ports import Backend
from gateway.registry import MANIFESTS, PROVIDERS, is_owner
from gateway.settings import AccessSettings, ServerSettings, Settings
from gateway.telemetry import Figure
from tests.gateways import HOST, Answer

PROVIDER = next(iter(PROVIDERS.values()))
NAME = PROVIDER.manifest.provider.name
TYPENAME = {"query": "{ __typename }"}
OWNER = '{ inventoryOwner(owner: { provider: %s, key: "Some.1234" }) { key } }' % NAME  # noqa: UP031 -- braces
OWNER_AND_DEFINITIONS = (
    '{ inventoryOwner(owner: { provider: %s, key: "Some.1234" }) { key } '  # noqa: UP031 -- braces
    'itemDefinitions(provider: %s, keys: ["item:1"]) { key } }' % (NAME, NAME)
)
SUBSCRIPTION = 'subscription { inventoryChanged(owner: { provider: %s, key: "Some.1234" }) { cursor } }' % NAME  # noqa: UP031 -- braces

Read = Callable[[Sequence[Any]], Awaitable[Mapping[Any, Any]]]


class Told:
    """A backend whose reads are those that it is given; the others find nothing."""

    manifest = PROVIDER.manifest
    kind = BackendKind.LOCAL

    def __init__(self, **reads: Read) -> None:
        self.reads = reads
        self.credentials: list[Credential] = []

    def session(self, credential: Credential) -> Any:
        self.credentials.append(credential)
        return _Session(self.reads, credential)

    async def owners(self) -> list[OwnerRef]:
        return []

    def figures(self) -> list[Figure]:
        return []


class _Session:
    def __init__(self, reads: Mapping[str, Read], credential: Credential) -> None:
        self._reads = reads
        self.credential = credential

    def __getattr__(self, name: str) -> Read:
        return self._reads.get(name, _nothing)

    async def aclose(self) -> None:
        pass


async def _nothing(_keys: Sequence[Any]) -> Mapping[Any, Any]:
    return {}


async def known(refs: Sequence[OwnerRef]) -> Mapping[OwnerRef, Any]:
    """Know every owner."""
    return {ref: InventoryOwner(provider=PROVIDER.manifest.provider, key=ref.owner) for ref in refs}


async def for_ever(_keys: Sequence[Any]) -> Mapping[Any, Any]:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError


def failing(error: Exception) -> Read:
    """Make a read that raises."""

    async def read(_keys: Sequence[Any]) -> Mapping[Any, Any]:
        raise error

    return read


def each(error: Exception) -> Read:
    """Make a read each of whose keys fails by itself."""

    async def read(keys: Sequence[DefinitionRef]) -> Mapping[Any, Any]:
        return dict.fromkeys(keys, error)

    return read


class Live(Told):
    """A backend whose changes are those that the test tells."""

    def __init__(self, **reads: Any) -> None:
        super().__init__(owners_by_key=known, **reads)
        self.told: asyncio.Queue[Any] = asyncio.Queue()
        self.followers = 0

    async def follow(self, credential: Any, owner: OwnerRef, since: str | None) -> Any:
        self.credentials.append(credential)
        return self._changes()

    async def _changes(self) -> Any:
        self.followers += 1
        try:
            while True:
                told = await self.told.get()
                if isinstance(told, Exception):
                    raise told
                yield told
        finally:
            self.followers -= 1


@contextlib.asynccontextmanager
async def _lifespan(_app: Starlette) -> AsyncGenerator[None]:
    yield


class Door:
    """The endpoint, and a client of it at an address of its own."""

    def __init__(
        self,
        backend: Told | Guarded | None = None,
        *,
        client: str = "127.0.0.1",
        own: Mapping[str, Credential] | None = None,
        access: AccessSettings | None = None,
        **settings: Any,
    ) -> None:
        self.backend = backend or Told(owners_by_key=known)
        server = ServerSettings(**settings)
        documents = Documents.of(schema(Settings.model_construct()), server)
        self.operations = Operations(
            documents,
            persisted(server, documents),
            server,
            partial(Context.opened, cast("Mapping[str, Backend]", {PROVIDER.key: self.backend}), None),
            (access or AccessSettings()).requests_per_minute,
        )
        page = Page(MANIFESTS, {}) if server.graphiql else None
        entrance = Entrance(
            server, Access(server, access or AccessSettings(), is_owner), Credentials(MANIFESTS, own or {})
        )
        self.app = site(self.operations, server, entrance, page, others=(), lifespan=_lifespan)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app, client=(client, 50_000)), base_url=HOST
        )

    async def post(self, content: Any, **headers: str) -> httpx.Response:
        """Send a body as it is, or as JSON; the names of headers are written with underscores."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        body = content if isinstance(content, bytes) else orjson.dumps(content)
        return await self.client.post("/graphql", content=body, headers={"content-type": "application/json", **given})

    async def get(self, **headers: str) -> httpx.Response:
        return await self.client.get("/graphql", headers={k.replace("_", "-"): v for k, v in headers.items()})

    async def ask(self, query: str, **headers: str) -> Answer:
        response = await self.post({"query": query}, **headers)
        return Answer(response.status_code, orjson.loads(response.content), response.headers)

    async def serves(self) -> bool:
        """Say whether a good request is answered."""
        return (await self.post(TYPENAME)).content == b'{"data":{"__typename":"Query"}}'


class ByHand:
    """One POST of which each message is sent when the test says so."""

    def __init__(self, **headers: str) -> None:
        given = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        self.headers = {"content-type": "application/json", "host": "localhost", **given}
        self.sent: list[Message] = []
        self.received = 0
        self.takes = asyncio.Event()
        """Cleared, for a client that does not read what is sent."""
        self.takes.set()
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()

    def body(self, chunk: bytes, *, more: bool = False) -> None:
        self._incoming.put_nowait({"type": "http.request", "body": chunk, "more_body": more})

    def leave(self) -> None:
        self._incoming.put_nowait({"type": "http.disconnect"})

    def begin(self, door: Door | Gateway) -> asyncio.Future[None]:
        """Hand the request over."""
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/graphql",
            "query_string": b"",
            "client": ("127.0.0.1", 50_000),
            "headers": [
                (name.replace("_", "-").lower().encode(), value.encode()) for name, value in self.headers.items()
            ],
        }
        app: ASGIApp = door.app() if isinstance(door, Gateway) else door.app
        return asyncio.ensure_future(app(scope, self._receive, self._send))

    async def _receive(self) -> Message:
        self.received += 1
        return await self._incoming.get()

    async def _send(self, message: Message) -> None:
        await self.takes.wait()
        self.sent.append(message)

    @property
    def status(self) -> int:
        return self.sent[0]["status"]


async def until(condition: Callable[[], object]) -> None:
    """Wait for what other tasks will bring about, two seconds at most."""
    for _ in range(2_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not happen")
