"""A scripted Guild Wars 2: it answers as the service does, unless a test tells it otherwise, and notes every call."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any, cast
from urllib.parse import parse_qs, quote, unquote

import httpx
import orjson

from gateway.backends.guarded import Guarded
from gateway.providers.guildwars2 import rules
from gateway.providers.guildwars2.manifest import MANIFEST
from gateway.providers.guildwars2.upstream import Upstream, judge
from gateway.settings import ProviderSettings, ServerSettings
from gateway.transport.client import Client
from tests.gateways import Answer, Asked, running, settings
from tests.providers.guildwars2.payloads import OWNER

URL = "http://service.test"
KEY = "0A1B2C3D-1111-2222-3333-444455556666777788889999-AAAA-BBBB-CCCC-DDDDEEEEFFFF"
HEADER = "X-Credential-guildwars2-key"
OWNER_INPUT = {"provider": "GUILD_WARS_2", "key": OWNER}

Step = Callable[[httpx.Request], "httpx.Response | Awaitable[httpx.Response | None] | None"]


def answer(status: int, body: object = b"", **headers: str) -> httpx.Response:
    """Make an answer; anything but bytes and text is sent as JSON."""
    content = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else orjson.dumps(body)
    return httpx.Response(status, content=content, headers={name.replace("_", "-"): v for name, v in headers.items()})


def refusal(status: int, text: str) -> httpx.Response:
    """Make one of the service's error answers."""
    return answer(status, {"text": text})


def entry(number: int) -> dict[str, Any]:
    """Make an item of the catalogue."""
    return {
        "id": number,
        "name": f"Item {number}",
        "type": "Trophy",
        "level": 0,
        "rarity": "Basic",
        "vendor_value": 1,
        "game_types": [],
        "flags": [],
        "restrictions": [],
        "chat_link": "x",
    }


def bag(*items: Any, size: int = 0) -> dict[str, Any]:
    """Make a bag that holds these."""
    return {"id": 8932, "size": size or len(items), "inventory": [*items]}


class Account:
    """What the service has of one account: each document by its path, decoded."""

    def __init__(self, name: str = OWNER, scopes: str = "account characters inventories") -> None:
        self.name = name
        self.documents: dict[str, Any] = {
            "/v2/account": {"id": "x", "name": name},
            "/v2/tokeninfo": {"id": "t", "name": "my key", "permissions": scopes.split()},
            "/v2/characters": [],
            "/v2/account/bank": [],
            "/v2/account/inventory": [],
            "/v2/account/materials": [],
        }

    def character(self, name: str, *bags: Any) -> None:
        """Add a character and what it carries."""
        self.documents["/v2/characters"].append(name)
        self.documents[f"/v2/characters/{name}"] = {"name": name}
        self.documents[f"/v2/characters/{name}/inventory"] = {"bags": [*bags]}


class Service(httpx.AsyncBaseTransport):
    """The service: accounts by key, the catalogue by endpoint, and steps that come before either."""

    def __init__(self, **headers: str) -> None:
        """`headers` go with every answer of the catalogue."""
        self.headers = headers
        self.accounts = {KEY: Account()}
        self.catalogue: dict[str, dict[int, dict[str, Any]]] = {
            name: {} for name in ("items", "skins", "itemstats", "colors", "materials")
        }
        self.steps: list[tuple[str, Step]] = []
        self.requests: list[httpx.Request] = []
        self.times: list[float] = []

    @property
    def account(self) -> Account:
        return self.accounts[KEY]

    @property
    def paths(self) -> list[str]:
        """The calls so far: paths as they were sent, without the query."""
        return [request.url.raw_path.decode().partition("?")[0] for request in self.requests]

    def calls(self, path: str) -> list[httpx.Request]:
        """Give the calls of one endpoint."""
        return [request for request in self.requests if request.url.path == path]

    def ids(self, path: str) -> list[list[int]]:
        """Give the ids that each call of an endpoint of the catalogue asked for."""
        return [
            [int(number) for number in parse_qs(request.url.query.decode())["ids"][0].split(",")]
            for request in self.calls(path)
        ]

    def on(self, path: str, *steps: Step | httpx.Response) -> None:
        """Answer calls of a path with each step in turn, the last for ever; a step that gives None lets it pass."""
        left = list(steps)

        def step(request: httpx.Request) -> Any:
            now = left.pop(0) if len(left) > 1 else left[0]
            return now(request) if callable(now) else answer(now.status_code, now.content, **dict(now.headers))

        self.steps.append((path, step))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.times.append(asyncio.get_running_loop().time())
        path = unquote(request.url.raw_path.decode().partition("?")[0])
        for wanted, step in self.steps:
            if wanted in (path, "*"):
                found = step(request)
                given = await found if isinstance(found, Awaitable) else found
                if given is not None:
                    return given
        name = path.removeprefix("/v2/")
        if name in self.catalogue:
            return self._batch(self.catalogue[name], request)
        account = self.accounts.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if account is None:
            return refusal(401, "Invalid access token")
        document = account.documents.get(path)
        return refusal(404, "no such id") if document is None else answer(200, document)

    def _batch(self, entries: Mapping[int, Any], request: httpx.Request) -> httpx.Response:
        asked = parse_qs(request.url.query.decode())["ids"][0].split(",")
        if len(set(asked)) > 200:
            return refusal(400, "id list too long; this endpoint is limited to 200 ids at once")
        found = [entries[int(number)] for number in dict.fromkeys(asked) if int(number) in entries]
        if not found:
            return answer(404, {"text": "all ids provided are invalid"}, **self.headers)
        return answer(200 if len(found) == len(set(asked)) else 206, found, **self.headers)


def passing(_: httpx.Request) -> None:
    """Let a call through."""


async def stuck(_: httpx.Request) -> httpx.Response:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


class Far(Asked):
    """A gateway in front of the service."""

    async def me(self, query: str, /, **variables: Any) -> Answer:
        """Ask about the account of the key, as `$owner`."""
        return await self.ask(query, owner=OWNER_INPUT, **variables)


class Hands:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@contextlib.asynccontextmanager
async def fronted(
    service: Service,
    *,
    patience: float = 5.0,
    seconds: float = 20.0,
    second_look: float = 0.0,
    account_cache: float = 0.0,
    clock: Callable[[], float] = time.monotonic,
    **client: Any,
) -> AsyncGenerator[Far]:
    """Run a gateway whose calls reach the service, and whose waits are short.

    `patience` is for one call, `seconds` for a whole operation; `client` are further parts of its client.
    """
    found = settings(
        "sqlite://",
        server=ServerSettings(timeout=seconds),
        providers={MANIFEST.key: ProviderSettings(backend="upstream", base_url=URL)},
    )
    async with running(found, pool=service) as asked:
        quick: dict[str, Any] = {"wait_initial": 0.001, "wait_max": 0.002, "wait_jitter": 0.0, "pause": 0.01, **client}
        caller = Client(
            MANIFEST.key, pool=asked.gateway.pool, judge=judge, budget=MANIFEST.limits.budget, timeout=patience, **quick
        )
        backends = cast("dict[str, Any]", asked.gateway.backends)
        backend = Upstream(caller, URL, second_look=second_look, account_cache=account_cache, clock=clock)
        backends[MANIFEST.key] = Guarded(backend, rules)
        yield Far(asked.gateway, asked.client, {HEADER: KEY}, asked.calls, asked.statements)


def encoded(name: str) -> str:
    """Give the path of a character's inventory as it must be sent."""
    return f"/v2/characters/{quote(name, safe='')}/inventory"
