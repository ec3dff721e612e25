"""No mixing: whoever asks at the same time, with whatever credentials, is answered what is theirs, or is refused."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple, cast

import httpx
import orjson
import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from structlog.testing import capture_logs

from gateway.api import loaders
from gateway.backends.guarded import Guarded
from gateway.backends.local import issue, now
from gateway.model import credentials
from gateway.model.credentials import MIXING, Credential
from gateway.model.ids import decode_id
from gateway.model.ports import Wanted
from gateway.providers.provider import Provider
from gateway.registry import PROVIDERS
from gateway.settings import (
    AccessSettings,
    ApiKeySettings,
    ProviderSettings,
    ServerSettings,
    VaultSettings,
)
from gateway.store.store import Store
from gateway.transport.cache import Private
from tests.conformance.worlds import WORLDS, World
from tests.gateways import DIALECT, Asked, header, running, seed, settings

USERS = 4
VERSIONS = 3
"""How many credentials each of them has had: the first was revoked before, the second may be at any moment."""
BACKENDS = ("local", "upstream")
QUERIES = (
    "query($me: OwnerInput!) { inventory(owner: $me) { id items { isComplete nodes { id key quantity name } } } }",
    "query($me: OwnerInput!) { inventoryOwner(owner: $me) { id key inventory { containers { isComplete nodes { id name "
    "} } } } }",
    "query($me: OwnerInput!) { inventory(owner: $me) { totals { isComplete edges { quantity node { id } } } "
    "containers { nodes { id version slots { key item { id quantity } } items { isComplete nodes { id quantity name "
    "} } } } } }",
)
LINK = "mutation($me: OwnerInput!) { linkAccount(input: { owner: $me }) { account { owner { key } } errors { code } } }"
UNLINK = "mutation($p: ProviderKey!) { unlinkAccount(input: { provider: $p }) { errors { code } } }"
REFUSALS = {"UNAUTHENTICATED", "RATE_LIMITED", "NOT_FOUND", "FORBIDDEN"}


class Op(NamedTuple):
    """What one user does: ask with a credential of theirs, or by their linked account, link, unlink or revoke one."""

    what: str
    user: int
    version: int
    query: int
    turns: int
    """How many turns of the loop it waits before it begins."""
    gives_up: int | None
    """After how many turns its client leaves."""


@st.composite
def operations(draw: DrawFn) -> list[Op]:
    number = st.integers(0, USERS - 1)
    op = st.builds(
        Op,
        what=st.sampled_from(["ask", "ask", "ask", "ask", "linked", "linked", "link", "unlink", "revoke", "nobody"]),
        user=number,
        version=st.integers(0, VERSIONS - 1),
        query=st.integers(0, len(QUERIES) - 1),
        turns=st.integers(0, 40),
        gives_up=st.none() | st.none() | st.none() | st.integers(0, 60),
    )
    return draw(st.lists(op, min_size=40, max_size=60))


def secret(user: int) -> str:
    return f"a-key-of-user-{user}-that-nobody-guesses"


def bearer(user: int) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret(user)}"}


ACCESS = AccessSettings(
    keys=tuple(
        ApiKeySettings(name=str(user), hash=hashlib.sha256(secret(user).encode()).hexdigest()) for user in range(USERS)
    )
)
VAULT = VaultSettings.model_validate({"keys": [Fernet.generate_key().decode()]})


class Far(httpx.AsyncBaseTransport):
    """A service whose answers come in turns that differ, so that those who ask overtake each other."""

    def __init__(self, app: Any) -> None:
        self._inner = httpx.ASGITransport(app=app)
        self._number = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._number += 1
        for _ in range(self._number * 7 % 11):
            await asyncio.sleep(0)
        return await self._inner.handle_async_request(request)


class Scene(NamedTuple):
    """A store with several users of one provider, and gateways in front of it."""

    provider: Provider
    world: World
    backend: str
    near: Asked
    headers: list[list[dict[str, str]]]
    """By user and version, their credentials."""
    labels: dict[int, set[str]]
    """By user, what their second credential is called."""
    expected: dict[tuple[int, int], Any]
    """By user and query, what is theirs."""

    def __repr__(self) -> str:
        return f"<Scene {self.provider.key} {self.backend}>"

    def me(self) -> dict[str, str]:
        return {"provider": self.provider.manifest.provider.name, "key": self.world.me}

    @asynccontextmanager
    async def gateway(self, keep: float = 60.0) -> AsyncGenerator[Asked]:
        """Run a gateway that has kept nothing yet."""
        shared = {"access": ACCESS, "vault": VAULT}
        if self.backend == "local":
            async with running(settings(self.near.gateway.settings.store.url, **shared), clock=now) as asked:
                yield asked
            return
        key = self.provider.key
        found = ProviderSettings(
            backend="upstream",
            base_url=f"{DIALECT}/rest/{key}",
            account_cache=keep,
            requests_per_minute=100_000,
        )
        there = settings("sqlite://", providers={key: found}, **shared)
        async with running(there, pool=Far(self.near.gateway.app()), clock=now) as asked:
            yield asked


def documents(provider: Provider, world: World, number: int) -> Any:
    """Give the samples as another owner's."""
    text = (resources.files(provider.demo) / "demo.json").read_text("utf-8")
    for old, new in world.likeness:
        assert old in text, (provider.key, old)
        text = text.replace(old, new.format(n=number))
    return orjson.loads(text)


def owner_like(world: World, number: int) -> str:
    text = f"users/{world.owner}" if world.owner.isdecimal() else world.owner
    for old, new in world.likeness:
        text = text.replace(old, new.format(n=number))
    return text.removeprefix("users/")


async def mint(asked: Asked, provider: Provider, owner: str, part: str) -> str:
    # By the clock of the world: what is revoked now is so from now on.
    scopes = provider.manifest.scopes
    wanted = Wanted(part=part, owner=owner, name="test", scopes=scopes, issued_at=now(), expires_at=None, limits=())
    return await issue(asked.gateway.store, provider.key, provider.rules, wanted)


_SET: dict[tuple[str, str], tuple[Path, Scene]] = {}
"""By provider and backend, the store of a scene in which nothing was done yet, and the scene."""


@pytest.fixture(params=[pytest.param((key, kind), id=f"{key}-{kind}") for key in PROVIDERS for kind in BACKENDS])
async def scene(
    request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Scene]:
    key, backend = request.param
    if (key, backend) not in _SET:
        kept = tmp_path_factory.mktemp("scene") / "store.db"
        _SET[key, backend] = kept, await set_scene(key, backend, f"sqlite:///{kept}")
    kept, found = _SET[key, backend]
    async with in_front_of(f"sqlite:///{shutil.copy(kept, tmp_path)}") as near:
        yield found._replace(near=near)


def in_front_of(url: str) -> AbstractAsyncContextManager[Asked]:
    server = ServerSettings(rest_rate_limit=False, max_operations=10_000)
    return running(settings(url, server=server), clock=now)


async def set_scene(key: str, backend: str, url: str) -> Scene:
    """Fill a store with users and what they hold, and ask for it on behalf of each of them alone."""
    provider, world = PROVIDERS[key], WORLDS[key]
    store = await Store.open(url)
    await store.migrate()
    await store.aclose()
    async with in_front_of(url) as near:
        headers: list[list[dict[str, str]]] = []
        labels: dict[int, set[str]] = {}
        parts = world.parts or (provider.manifest.credential_parts[0].key,)
        for user in range(USERS):
            await seed(near.gateway, provider, documents(provider, world, user + 1))
            headers.append([])
            for version in range(VERSIONS):
                known = {one.label for one in await near.gateway.store.grants(key)}
                owner = owner_like(world, user + 1)
                headers[user].append(
                    {header(provider, part): await mint(near, provider, owner, part) for part in parts}
                )
                made_now = {one.label for one in await near.gateway.store.grants(key)} - known
                if version == 1:
                    labels[user] = made_now
                for label in made_now if version == 0 else ():
                    assert await near.gateway.store.revoke_grant(key, label)
        found = Scene(provider, world, backend, near, headers, labels, {})
        for user in range(USERS):
            for number, query in enumerate(QUERIES):
                async with found.gateway(keep=0.0) as alone:
                    answer = await alone.ask(query, headers=headers[user][-1], me=found.me())
                found.expected[user, number] = answer.whole()
        distinct = {orjson.dumps(answer) for answer in found.expected.values()}
        assert len(distinct) == len(found.expected)
        return found


class Tally(NamedTuple):
    """How many were answered what is theirs, and how many were refused by reason of what code."""

    answered: list[Op]
    refused: list[tuple[Op, set[str]]]


async def act(scene: Scene, asked: Asked, op: Op, tally: Tally) -> None:
    """Do one thing; whatever is answered must be the user's own."""
    for _ in range(op.turns):
        await asyncio.sleep(0)
    if op.what == "revoke":
        for label in scene.labels[op.user]:
            await scene.near.gateway.store.revoke_grant(scene.provider.key, label)
        return
    own = scene.headers[op.user][op.version]
    headers = {
        "ask": {**bearer(op.user), **own},
        "linked": bearer(op.user),
        "link": {**bearer(op.user), **own},
        "unlink": bearer(op.user),
        "nobody": {},
    }[op.what]
    if op.what == "unlink":
        await asked.ask(UNLINK, headers=headers, p=scene.provider.manifest.provider.name)
        return
    if op.what == "link":
        answer = await asked.ask(LINK, headers=headers, me=scene.me())
        payload: dict[str, Any] = (answer.data and answer.data["linkAccount"]) or {"account": None}
        account: dict[str, Any] | None = payload["account"]
        assert account is None or account["owner"]["key"] == owner_like(scene.world, op.user + 1)
        assert account is None or op.version > 0
        tally.refused.append((op, {*answer.codes}))
        return
    answer = await asked.ask(QUERIES[op.query], headers=headers, me=scene.me())
    if op.what == "nobody" or (op.what == "ask" and op.version == 0):
        # Not a word, whatever is kept of others, and of the same user.
        assert answer.codes
        assert not any(answer.data.values()), op
    elif answer.errors or b'"isComplete":false' in orjson.dumps(answer.data):
        # Of what was refused in parts, the rest is the user's own as well.
        assert {*owners(answer.data)} <= {"", owner_like(scene.world, op.user + 1)}, op
        tally.refused.append((op, {*answer.codes}))
    else:
        assert answer.data == scene.expected[op.user, op.query], op
        tally.answered.append(op)


async def leaving(turns: int, work: asyncio.Task[None]) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
    work.cancel()


async def play(scene: Scene, *waves: list[Op]) -> Tally:
    """Do all of a wave at once, before one gateway of its own; raises what any of it finds wrong."""
    tally = Tally([], [])
    async with scene.gateway() as asked:
        for ops in waves:
            working = [asyncio.create_task(act(scene, asked, op, tally)) for op in ops]
            leavers = [
                asyncio.create_task(leaving(op.turns + op.gives_up, work))
                for op, work in zip(ops, working, strict=True)
                if op.gives_up is not None
            ]
            for result in await asyncio.gather(*working, return_exceptions=True):
                if isinstance(result, Exception):
                    raise result
            await asyncio.gather(*leavers)
    return tally


def owners(data: Any) -> Iterator[str]:
    """Give the owner of everything in an answer, by its id; of the catalogue, nobody."""
    if isinstance(data, dict):
        found = cast("dict[str, Any]", data)
        if isinstance(node_id := found.get("id"), str):
            yield getattr(decode_id(node_id)[1], "owner", "")
        for value in found.values():
            yield from owners(value)
    elif isinstance(data, list):
        for value in cast("list[Any]", data):
            yield from owners(value)


CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@examples(
    # The same askings every time: what overtakes what differs enough from run to run.
    derandomize=True,
    max_examples=8,
    deadline=None,
    database=None,
    suppress_health_check=CHECKS,
    phases=[Phase.generate],
)
@given(ops=operations())
async def test_nobody_is_ever_answered_what_is_anothers(scene: Scene, ops: list[Op]) -> None:
    before = MIXING.count
    tally = await play(scene, ops)
    assert MIXING.count == before
    for op, codes in tally.refused:
        assert codes <= REFUSALS, (op, codes)
    # What is in force and was asked for to the end was answered.
    good = [op for op in ops if op.what == "ask" and op.version == VERSIONS - 1 and op.gives_up is None]
    assert len([op for op in tally.answered if op in good]) >= len(good)


def a_cache_that_forgets_whose(patch: pytest.MonkeyPatch) -> None:
    def at(_self: object, _credential: Credential, key: Any) -> Any:
        return "everybody", key

    patch.setattr(Private, "_at", at)


def a_session_of_the_one_before(patch: pytest.MonkeyPatch) -> None:
    session = Guarded.session
    first: dict[Any, Credential] = {}

    def another(self: Guarded, credential: Credential) -> Any:
        return session(self, first.setdefault(self, credential))

    patch.setattr(Guarded, "session", another)


faulty = pytest.mark.parametrize(
    ("scene", "fault"),
    [
        pytest.param((key, kind), fault, id=f"{key}-{kind}-{fault}")
        for key in PROVIDERS
        # The store has no cache that goes by credential.
        for kind, fault in (("upstream", "cache"), ("upstream", "session"), ("local", "session"))
    ],
    indirect=["scene"],
)
FAULTS = {"cache": a_cache_that_forgets_whose, "session": a_session_of_the_one_before}


@faulty
async def test_a_faulty_key_is_found_out_at_the_edge(scene: Scene, fault: str) -> None:
    before = MIXING.count
    with pytest.MonkeyPatch.context() as patch, capture_logs():
        FAULTS[fault](patch)
        tally = await play(scene, *WAVES[fault])
    # Still nobody was answered what is another's; that was looked at with every answer.
    assert MIXING.count > before
    assert any("INTERNAL" in codes for _, codes in tally.refused)


@faulty
async def test_without_the_edge_it_would_be_seen(scene: Scene, fault: str) -> None:
    with pytest.MonkeyPatch.context() as patch, capture_logs():
        FAULTS[fault](patch)
        for place in (loaders, credentials):
            patch.setattr(place, "check_partition", unchecked)
        with pytest.raises(AssertionError):
            await play(scene, *WAVES[fault])


def unchecked(_partition: str, _reader: Credential) -> None:
    """Check nothing."""


ALIKE = [
    Op("ask", user, VERSIONS - 1, query, 40 * query + 7 * user, None)
    for query in range(len(QUERIES))
    for user in range(USERS)
]
"""All ask for the same, some at once and some after each other."""

WAVES = {"cache": (ALIKE, ALIKE, [op._replace(version=0) for op in ALIKE]), "session": (ALIKE,)}
"""By fault, what brings it out: what is kept is asked for when it has come, and then with what was revoked."""


async def test_what_was_revoked_meanwhile_is_told_and_shown_as_no_empty_list(scene: Scene) -> None:
    async with scene.gateway(keep=0.0) as asked:
        before = [await asked.ask(query, headers=scene.headers[0][1], me=scene.me()) for query in QUERIES]
        assert [answer.whole() for answer in before] == [scene.expected[0, query] for query in range(len(QUERIES))]
        for label in scene.labels[0]:
            assert await scene.near.gateway.store.revoke_grant(scene.provider.key, label)
        for number in (1, 0, 2):
            answer = await asked.ask(QUERIES[number], headers=scene.headers[0][1], me=scene.me())
            shown = orjson.dumps(answer.data)
            assert "UNAUTHENTICATED" in answer.codes or b'"isComplete":false' in shown
            assert shown.count(b"[]") <= orjson.dumps(scene.expected[0, number]).count(b"[]")
