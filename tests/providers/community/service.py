"""A scripted community: it answers as its contract says, unless a test tells it otherwise, and notes every call."""

from __future__ import annotations

import asyncio
import contextlib
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qs, unquote

import httpx
import orjson

from gateway.backends.guarded import Guarded
from gateway.model.credentials import Credential
from gateway.providers.community import rules
from gateway.providers.community.manifest import MANIFEST
from gateway.providers.community.refusals import judge
from gateway.providers.community.upstream import Upstream
from gateway.settings import ProviderSettings, ServerSettings
from gateway.transport.client import Client
from tests.gateways import Answer, Asked, running, settings

URL = "http://service.test"
CKEY = "nova"
ROOT = f"/v1/community/{CKEY}/inventory"
SLOTS, ITEMS, AVATAR = f"{ROOT}/slots", f"{ROOT}/items", f"{ROOT}/avatar"
ALLOCATE, MINT = f"{SLOTS}/allocate", f"{AVATAR}/mint"
REFRESH = "/v1/user/auth/refresh-session"

Step = Callable[[httpx.Request], "httpx.Response | Awaitable[httpx.Response | None] | None"]


def jwt(mark: str, **claims: Any) -> str:
    """Make a session token that tells these of its user; `mark` tells it from others."""
    parts = ({"alg": "HS256", "typ": "JWT"}, {**claims, "jti": mark})
    return ".".join([*(urlsafe_b64encode(orjson.dumps(part)).rstrip(b"=").decode() for part in parts), "sig"])


SESSION, REFRESHING = jwt("first", sub="u_1"), "refresh-of-u-1"


def headers(session: str | None = SESSION, refresh: str | None = None) -> dict[str, str]:
    """Give the headers of a caller who has these tokens."""
    parts = {"session": session, "refresh": refresh}
    return {f"X-Credential-community-{name}": token for name, token in parts.items() if token is not None}


def answer(status: int, body: object = b"", **more: str) -> httpx.Response:
    """Make an answer; anything but bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return httpx.Response(
        status, content=content, headers={name.replace("_", "-"): text for name, text in more.items()}
    )


def refusal(status: int, name: str, *details: dict[str, str]) -> httpx.Response:
    """Make one of the service's error answers."""
    return answer(status, {"code": 1, "message": name, **({"details": [*details]} if details else {})})


def item(key: str, *slots: str, **more: Any) -> dict[str, Any]:
    """Make an item of the catalogue."""
    return {
        "id": key,
        "name": f"Item {key}",
        "description": None,
        "imageUrl": None,
        "modelUrl": None,
        "slotIds": [*slots],
        "type": "wearable",
        "rarity": "rare",
        "attributes": [{"traitType": "colour", "value": "blue"}],
        "token": None,
        "createdAt": "2025-01-01T00:00:00Z",
        **more,
    }


@dataclass
class Person:
    """What the service has of one user."""

    owned: dict[str, int] = field(default_factory=dict[str, int])
    slots: dict[str, str] = field(default_factory=dict[str, str])
    version: int = 0
    mints: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


class Service(httpx.AsyncBaseTransport):
    """The service: one community, its users, their tokens, and steps that come before all."""

    def __init__(self) -> None:
        self.slots: list[dict[str, Any]] = [
            {"id": f"s_{key}", "key": key, "name": key.title(), "description": None, "order": order, "required": False}
            for order, key in enumerate(("head", "back", "body"), 1)
        ]
        self.items = {
            one["id"]: one
            for one in (item("i_cap", "s_head"), item("i_wing", "s_back"), item("i_gem", "s_head", "s_body"))
        }
        self.people = {
            "u_1": Person({"i_cap": 1, "i_gem": 2}, {"s_head": "i_cap"}, 1),
            "u_2": Person({"i_wing": 3}, {"s_back": "i_wing"}, 4),
        }
        self.sessions = {SESSION: "u_1"}
        self.expired: set[str] = set()
        self.refreshing: dict[str, str] = {REFRESHING: "u_1"}
        self.made = 0
        self.wrapper: str | None = "items"
        self.tells_totals = True
        self.tells_ids = False
        self.silent = False
        self.done = 201
        self.done_body = b""
        self.steps: list[tuple[str, Step]] = []
        self.requests: list[httpx.Request] = []

    def grow(self, count: int, user: str = "u_1") -> None:
        """Give a user so many more items."""
        for number in range(count):
            key = f"i_{number:05}"
            self.items[key] = item(key, "s_body")
            self.people[user].owned[key] = 1

    def expire(self, *tokens: str) -> None:
        """End sessions."""
        self.expired.update(tokens or self.sessions)

    def calls(self, path: str) -> list[httpx.Request]:
        """Give the calls of one path."""
        return [request for request in self.requests if request.url.path == path]

    def bearers(self, path: str) -> list[str]:
        """Give the tokens that the calls of one path carried."""
        return [request.headers["authorization"].removeprefix("Bearer ") for request in self.calls(path)]

    def on(self, path: str, *steps: Step | httpx.Response | None) -> None:
        """Answer calls of a path with each step in turn, the last for ever; None lets pass, as what a step may give."""
        left = list(steps)

        def step(request: httpx.Request) -> Any:
            now = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(now, httpx.Response):
                return httpx.Response(now.status_code, content=now.content, headers=dict(now.headers))
            return now(request) if now else None

        self.steps.append((path, step))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await asyncio.sleep(0)
        path = unquote(request.url.raw_path.decode().partition("?")[0])
        for wanted, step in self.steps:
            if wanted in (path, "*"):
                found = step(request)
                given = await found if isinstance(found, Awaitable) else found
                if given is not None:
                    return given
        return self._renewed(request) if path == REFRESH else self._answered(path, request)

    def _renewed(self, request: httpx.Request) -> httpx.Response:
        user = self.refreshing.get(orjson.loads(request.content)["refreshToken"])
        if user is None:
            return refusal(401, "refresh_token_expired")
        self.made += 1
        token = jwt(f"made-{self.made}", sub=user)
        self.sessions[token] = user
        return answer(200, {"sessionToken": token})

    def _answered(self, path: str, request: httpx.Request) -> httpx.Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        caller = self.sessions.get(token)
        if caller is None:
            return refusal(401, "generic_unauthorized")
        if token in self.expired:
            return refusal(401, "session_token_expired")
        if not path.startswith(ROOT):
            return refusal(404, "generic_not_found")
        query = {name: values[0] for name, values in parse_qs(request.url.query.decode()).items()}
        parts = path.removeprefix(ROOT).strip("/").split("/")
        user = query.get("userId", caller)
        if user not in self.people:
            return refusal(404, "generic_not_found")
        person = self.people[user]
        body: dict[str, Any] = orjson.loads(request.content) if request.method == "POST" else {}
        match parts:
            case [""]:
                return answer(200, self.kit())
            case ["slots"]:
                return answer(200, self._wrapped([self._slot(slot, person) for slot in self.slots]))
            case ["slots", "allocate"]:
                return self._allocate(self.people[caller], body)
            case ["slots", slot, "items"] if any(one["id"] == slot for one in self.slots):
                return self._page([one for one in self.items.values() if slot in one["slotIds"]], person, query)
            case ["items"]:
                return self._page([*self.items.values()], person, query)
            case ["items", key] if key in self.items:
                return answer(200, self._item(key, person))
            case ["avatar"]:
                return answer(200, self._avatar(user, person))
            case ["avatar", "mint"]:
                return self._mint(person, body)
            case _:
                return refusal(404, "generic_not_found")

    def kit(self) -> dict[str, Any]:
        """Give the inventory's document."""
        return {
            "id": "inv_1",
            "communityId": "com_1",
            "ckey": CKEY,
            "name": "Nova kit",
            "blockchains": ["sui"],
            "slotCount": len(self.slots),
            "itemCount": len(self.items),
            "createdAt": "2025-01-01T00:00:00Z",
        }

    def _item(self, key: str, person: Person) -> dict[str, Any]:
        quantity = person.owned.get(key, 0)
        return {**self.items[key], "owned": quantity > 0, "quantity": quantity}

    def _slot(self, slot: dict[str, Any], person: Person) -> dict[str, Any]:
        key = person.slots.get(slot["id"])
        content = key if key is None or self.tells_ids else self.items[key] if self.silent else self._item(key, person)
        return {**slot, "item": content, "allocatedAt": "2025-01-03T00:00:00Z" if key else None}

    def _wrapped(self, entries: list[Any], **more: Any) -> Any:
        return entries if self.wrapper is None else {self.wrapper: entries, **more}

    def _page(self, listed: list[dict[str, Any]], person: Person, query: dict[str, str]) -> httpx.Response:
        found = [self._item(one["id"], person) for one in sorted(listed, key=lambda one: (one["name"], one["id"]))]
        if query["onlyOwned"] == "true":
            found = [one for one in found if one["owned"]]
        start, limit = (int(query["page"]) - 1) * int(query["limit"]), int(query["limit"])
        total = {"total": len(found)} if self.tells_totals else {}
        return answer(200, self._wrapped(found[start : start + limit], **total))

    def _avatar(self, user: str, person: Person) -> dict[str, Any]:
        return {
            "userId": user,
            "inventoryId": "inv_1",
            "version": person.version,
            "imageUrl": None,
            "modelUrl": None,
            "slots": [{"slotId": slot["id"], "itemId": person.slots.get(slot["id"])} for slot in self.slots],
            "mints": person.mints,
            "updatedAt": "2025-01-03T00:00:00Z",
        }

    def _allocate(self, person: Person, body: dict[str, Any]) -> httpx.Response:
        after = dict(person.slots)
        for entry in body["slots"]:
            after.pop(entry["slotId"], None)
            if entry["itemId"]:
                after[entry["slotId"]] = entry["itemId"]
        person.version += after != person.slots
        person.slots = after
        return answer(self.done, self.done_body)

    def _mint(self, person: Person, body: dict[str, Any]) -> httpx.Response:
        mint = {"blockchain": body["blockchain"], "version": person.version, "status": "minted", "tokenId": "t_1"}
        if mint not in person.mints:
            person.mints.insert(0, mint)
        return answer(self.done, self.done_body)


class Both(httpx.AsyncBaseTransport):
    """The service, which takes a community's id for its key as well."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        url = str(request.url).replace("/community/com_1/", f"/community/{CKEY}/")
        same = httpx.Request(request.method, url, headers=request.headers, content=request.content)
        return await self.service.handle_async_request(same)


async def stuck(_: httpx.Request) -> httpx.Response:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


class Far(Asked):
    """A gateway in front of the service."""

    async def of(self, query: str, owner: str = f"{CKEY}/u_1", /, **more: Any) -> Answer:
        """Ask about an owner, as `$owner`."""
        return await self.ask(query, owner={"provider": "COMMUNITY", "key": owner}, **more)


@contextlib.asynccontextmanager
async def fronted(
    service: httpx.AsyncBaseTransport,
    *,
    patience: float = 5.0,
    seconds: float = 20.0,
    account_cache: float = 0.0,
    clock: Callable[[], float] = time.monotonic,
    is_named: bool = True,
    **caller: str | None,
) -> AsyncGenerator[Far]:
    """Run a gateway whose calls reach the service, and whose waits are short.

    `patience` is for one call, `seconds` for a whole operation; `caller` are the caller's tokens, by part, to whom it
    is known, with `is_named`, that the community's key is its own.
    """
    found = settings(
        "sqlite://",
        server=ServerSettings(timeout=seconds),
        providers={MANIFEST.key: ProviderSettings(backend="upstream", base_url=URL)},
    )
    async with running(found, pool=service) as asked:
        client = Client(
            MANIFEST.key,
            pool=asked.gateway.pool,
            judge=judge,
            timeout=patience,
            wait_initial=0.001,
            wait_max=0.002,
            wait_jitter=0.0,
        )
        backends = cast("dict[str, Any]", asked.gateway.backends)
        backend = Upstream(client, URL, account_cache=account_cache, clock=clock)
        backends[MANIFEST.key] = Guarded(backend, rules)
        if is_named:
            parts = {"session": SESSION, **caller}
            credential = Credential(MANIFEST.key, {part: token for part, token in parts.items() if token is not None})
            backend.named(credential, CKEY)
        yield Far(asked.gateway, asked.client, headers(**caller), asked.calls, asked.statements)
