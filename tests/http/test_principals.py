"""Principals: what is not yours does not exist, however it is asked for; what may be read need not be changed."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest

from gateway.http.access import Access, BadAccess
from gateway.model.ids import CONTAINER, ContainerRef, encode_id
from gateway.model.principal import Owners, Principal
from gateway.registry import PROVIDERS, is_owner
from gateway.settings import AccessSettings, ApiKeySettings, ProviderSettings, ServerSettings
from tests.api.test_federation import things
from tests.conformance.worlds import WORLDS
from tests.gateways import Answer, Asked, header, mint, running, seed, settings
from tests.sockets import socket

OWNERS = {key: world.owner for key, world in WORLDS.items()}
WRITTEN = "secondlife"
MAY: dict[str, tuple[list[str], list[str]]] = {
    "nobody": ([], []),
    "one": ([f"guildwars2/{OWNERS['guildwars2']}"], []),
    "some": (["roblox/*", f"community/{OWNERS['community']}"], []),
    "writer": ([], [f"{WRITTEN}/{OWNERS[WRITTEN]}"]),
    "reader": (["*"], []),
    "all": ([], ["*"]),
}
TREE = """query($owner: OwnerInput!) { inventoryOwner(owner: $owner) { __typename id inventory { __typename id
  items(first: 20) { nodes { __typename id slot { __typename id } } }
  containers { nodes { __typename id containers(first: 5) { nodes { __typename id } } } } } } }"""
ROOTS = """query($owner: OwnerInput!) { inventoryOwner(owner: $owner) { key } inventory(owner: $owner) { id }
  inventories(owners: [$owner]) { id } searchItems(owners: [$owner]) { nodes { id } problems { code } } }"""
RENAME = """mutation($i: UpdateContainersInput!) { updateContainers(input: $i) {
  changes { updatedIds } errors { code provider } } }"""
FOLLOW = "subscription($owner: OwnerInput!) { inventoryChanged(owner: $owner) { cursor } }"


def key_of(name: str) -> str:
    return f"a-key-of-{name}-that-nobody-guesses"


def hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


ACCESS = AccessSettings(
    open=False,
    keys=tuple(
        ApiKeySettings(name=name, hash=hashed(key_of(name)), reads=tuple(reads), writes=tuple(writes))
        for name, (reads, writes) in MAY.items()
    ),
)


@pytest.fixture
async def asked() -> AsyncGenerator[Asked]:
    async with running(settings("sqlite://", access=ACCESS)) as asked:
        for provider in PROVIDERS.values():
            await seed(asked.gateway, provider)
        yield asked


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key_of(name)}"}


async def ask(asked: Asked, name: str, query: str, /, **variables: Any) -> Answer:
    return await asked.ask(query, headers=bearer(name), **variables)


def owner_of(key: str) -> dict[str, str]:
    return {"provider": PROVIDERS[key].manifest.provider.name, "key": OWNERS[key]}


def principal(name: str) -> Principal:
    return Principal.of(name, *MAY[name])


@pytest.mark.parametrize("name", MAY)
async def test_what_is_not_ones_own_does_not_exist(asked: Asked, name: str) -> None:
    for key in PROVIDERS:
        owner = owner_of(key)
        found = things((await ask(asked, "all", TREE, owner=owner)).whole())
        assert len(found) > 5
        ids = [one["id"] for one in found]
        may = principal(name).may_read(key, OWNERS[key])
        nodes = (await ask(asked, name, "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids)).whole()["nodes"]
        assert [node is not None for node in nodes] == [may] * len(ids), (name, key)
        references = [
            {"__typename": one["__typename"], "id": one["id"]} for one in found if one["__typename"] != "Slot"
        ]
        entities = "query($r: [_Any!]!) { _entities(representations: $r) { __typename } }"
        found_again = (await ask(asked, name, entities, r=references)).whole()["_entities"]
        assert [one is not None for one in found_again] == [may] * len(references)
        roots = await ask(asked, name, ROOTS, owner=owner)
        data = roots.whole()
        assert (data["inventoryOwner"] is not None) == may
        assert (data["inventory"] is not None) == may
        assert (data["inventories"] != [None]) == may
        assert bool(data["searchItems"]["nodes"]) == may
        assert data["searchItems"]["problems"] == ([] if may else [{"code": "NOT_FOUND"}])


async def shown_to(asked: Asked, name: str) -> set[tuple[str, str]]:
    answer = await ask(asked, name, "{ inventoryViewer { owners { provider key } } }")
    return {(one["provider"], one["key"]) for one in answer.whole()["inventoryViewer"]["owners"]}


@pytest.mark.parametrize("name", MAY)
async def test_the_viewer_is_shown_those_whom_it_may_read(asked: Asked, name: str) -> None:
    shown, everyone = await shown_to(asked, name), await shown_to(asked, "all")
    names = {provider.manifest.provider.name: key for key, provider in PROVIDERS.items()}
    assert len(everyone) > 6
    assert shown == {one for one in everyone if principal(name).may_read(names[one[0]], one[1])}


@pytest.mark.parametrize("name", MAY)
async def test_what_may_be_read_need_not_be_changed(asked: Asked, name: str) -> None:
    folders = WORLDS[WRITTEN].folders
    assert folders is not None
    folder = encode_id(CONTAINER, ContainerRef(WRITTEN, OWNERS[WRITTEN], folders.folder))
    answer = await ask(asked, name, RENAME, i={"containers": [{"id": folder, "name": "Mine"}]})
    payload = answer.whole()["updateContainers"]
    codes = [error["code"] for error in payload["errors"]]
    if principal(name).may_write(WRITTEN, OWNERS[WRITTEN]):
        assert (codes, payload["changes"]["updatedIds"]) == ([], [folder])
    else:
        assert payload["changes"] is None
        assert codes == ["FORBIDDEN" if principal(name).may_read(WRITTEN, OWNERS[WRITTEN]) else "NOT_FOUND"]
        name_of = "query($id: ID!) { node(id: $id) { ... on SecondLifeCategory { name } } }"
        assert (await ask(asked, "all", name_of, id=folder)).whole()["node"]["name"] != "Mine"


async def test_nothing_is_copied_from_what_may_not_be_read(asked: Asked) -> None:
    folders = WORLDS[WRITTEN].folders
    assert folders is not None
    library = {"provider": PROVIDERS[WRITTEN].manifest.provider.name, "key": folders.library[0]}
    by_key = "query($owner: OwnerInput!, $key: String!) { inventory(owner: $owner) { container(key: $key) { id } } }"
    source = (await ask(asked, "all", by_key, owner=library, key=folders.library[1])).whole()["inventory"]["container"]
    to = (await ask(asked, "all", by_key, owner=owner_of(WRITTEN), key=folders.empty)).whole()["inventory"]["container"]
    copy = "mutation($i: CopyContainersInput!) { copyContainers(input: $i) { changes { createdIds } errors { code } } }"
    given = {"ids": [source["id"]], "to": to["id"]}
    assert (await ask(asked, "writer", copy, i=given)).whole()["copyContainers"]["errors"] == [{"code": "NOT_FOUND"}]
    assert (await ask(asked, "all", copy, i=given)).whole()["copyContainers"]["changes"]["createdIds"]


@pytest.mark.parametrize("name", ["writer", "all"])
@pytest.mark.parametrize("key", ["there", "not-there"])
async def test_a_condition_tells_nothing_of_another_inventory(asked: Asked, name: str, key: str) -> None:
    folders = WORLDS[WRITTEN].folders
    assert folders is not None
    foreign = folders.library[1] if key == "there" else folders.unknown
    ensure = """mutation($i: EnsureSpecialContainerInput!) { ensureSpecialContainer(input: $i) {
      errors { code path ... on PreconditionFailedError { currentVersions { version } } } } }"""
    for ref in (ContainerRef(WRITTEN, folders.library[0], foreign), ContainerRef("community", "nova/u_2", "avatar")):
        condition = {"container": encode_id(CONTAINER, ref), "version": "x"}
        given = {"owner": owner_of(WRITTEN), "key": folders.special, "simulate": True, "ifMatch": [condition]}
        (error,) = (await ask(asked, name, ensure, i=given)).whole()["ensureSpecialContainer"]["errors"]
        assert error == {"code": "INVALID_INPUT", "path": ["ifMatch"]}


@pytest.mark.parametrize("name", MAY)
async def test_nobody_follows_what_is_not_his_to_read(asked: Asked, name: str) -> None:
    async with socket(asked.gateway.app(), client="192.0.2.1") as end:
        await end.begin(bearer(name))
        for key in PROVIDERS:
            await end.subscribe(key, FOLLOW, owner=owner_of(key))
            if not principal(name).may_read(key, OWNERS[key]):
                message = await end.hear()
                assert (message["id"], message["type"]) == (key, "error")
                assert message["payload"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_a_kit_is_a_part_of_the_inventory_that_is_laid_over_it(asked: Asked) -> None:
    query = """query($owner: OwnerInput!) { inventory(owner: $owner) { catalogue { nodes { key } }
      container(key: "avatar") { ... on CommunityAvatar { kit { __typename } } } } }"""
    for name in ("some", "all"):
        found = (await ask(asked, name, query, owner=owner_of("community"))).whole()["inventory"]
        assert found["catalogue"]["nodes"]
        assert found["container"]["kit"] is not None


async def test_ones_own_credential_proves_by_itself_whose_inventory_it_is_for(asked: Asked) -> None:
    provider = PROVIDERS["guildwars2"]
    mine = {**bearer("nobody"), header(provider): await mint(asked.gateway, provider, OWNERS["guildwars2"])}
    answer = await asked.ask(ROOTS, headers=mine, owner=owner_of("guildwars2"))
    assert answer.whole()["inventoryOwner"]["key"] == OWNERS["guildwars2"]
    assert (await asked.ask(ROOTS, headers=mine, owner=owner_of("roblox"))).whole()["inventoryOwner"] is None


async def test_the_gateways_own_credential_is_lent_for_what_one_may_read() -> None:
    provider = PROVIDERS["guildwars2"]
    async with running(settings("sqlite://")) as there:
        await seed(there.gateway, provider)
        secret = await mint(there.gateway, provider, OWNERS["guildwars2"])
        own = ProviderSettings.model_validate({"credentials": {"key": secret}})
        async with running(
            settings(there.gateway.settings.store.url, access=ACCESS, providers={provider.key: own})
        ) as up:
            me = {"provider": provider.manifest.provider.name, "key": "me"}
            for name, code in (
                ("one", None),
                ("nobody", "UNAUTHENTICATED"),
                ("some", "UNAUTHENTICATED"),
                ("all", None),
            ):
                answer = await ask(up, name, "query($owner: OwnerInput!) { inventory(owner: $owner) { id } }", owner=me)
                assert answer.codes == ([] if code is None else [code]), name
                assert (answer.data["inventory"] is not None) == (code is None)


@pytest.mark.parametrize("pattern", ["nosuch/*", "nosuch/x", "roblox/abc", "community/nova/me", "guildwars2/Tester"])
def test_a_key_for_owners_that_there_cannot_be_is_refused_at_the_start(pattern: str) -> None:
    keys = (ApiKeySettings(name="site", hash="0" * 64, reads=(pattern,)),)
    with pytest.raises(BadAccess, match="site"):
        Access(ServerSettings(), AccessSettings(keys=keys), is_owner)


async def test_only_those_who_may_do_everything_see_the_figures(asked: Asked) -> None:
    for name in MAY:
        response = await asked.client.get("/metrics", headers=bearer(name))
        assert response.status_code == (200 if name == "all" else 403)
    assert (await asked.client.get("/metrics")).status_code == 401


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "x" * 10_000, key_of("one") + "x", "\u00e9" * 20])
async def test_a_token_that_is_none_is_refused_wherever_it_comes_from(asked: Asked, token: str) -> None:
    headers = [("authorization", f"Bearer {token}".encode("latin-1"))]
    response = await asked.client.post("/graphql", json={"query": "{ __typename }"}, headers=cast("Any", headers))
    assert response.status_code == 401
    assert response.json()["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}


async def test_where_it_is_not_open_this_machine_needs_a_token_too(asked: Asked) -> None:
    response = await asked.client.post("/graphql", json={"query": "{ __typename }"})
    assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(
    "pattern", ["", "x", "/x", "x/", "*/x", "x/*y", "**", "X/y", "guildwars2/ ", "a/b\n", "a/b ", "a/b/*", "a/\x7f"]
)
def test_a_pattern_that_names_no_owners_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="names no owners"):
        Owners.of([pattern])


def test_a_slash_in_an_owners_key_is_a_part_of_it() -> None:
    owners = Owners.of(["community/nova/u_1"])
    assert owners.has("community", "nova/u_1")
    assert not owners.has("community", "nova")
    assert not owners.has("community", "nova/u_2")
