"""The loaders of a request: unknown providers, credentials apart, and an end that leaves nothing running."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from gateway.api.context import Context
from gateway.model.credentials import Credential
from gateway.model.errors import Unsupported
from gateway.model.ids import ITEM, DefinitionRef, ItemRef, encode_id
from gateway.registry import PROVIDERS
from gateway.settings import ProviderSettings
from tests.gateways import caller, header, local, running, seed, settings

KEY = "guildwars2"


class Sessions:
    """A backend that notes for whom its sessions are opened, and whether they end."""

    def __init__(self) -> None:
        self.opened: list[Credential] = []
        self.closed = 0

    def session(self, credential: Credential) -> Any:
        self.opened.append(credential)
        self.credential = credential
        return self

    async def definitions_by_key(self, refs: Any) -> Any:
        await asyncio.sleep(0)
        return dict.fromkeys(refs, "here")

    async def aclose(self) -> None:
        self.closed += 1


async def test_a_provider_that_is_not_served_is_unsupported() -> None:
    context = Context({}, caller())
    with pytest.raises(Unsupported) as refused:
        await context.load("definitions_by_key", DefinitionRef("elsewhere", "x"))
    assert refused.value.provider == "elsewhere"
    await context.aclose()


async def test_a_request_has_one_session_for_each_provider_and_its_own_credential() -> None:
    backend = Sessions()
    mine = Credential(KEY, {"key": "mine"})
    context = Context({KEY: cast("Any", backend)}, caller(mine))
    await asyncio.gather(
        context.load("definitions_by_key", DefinitionRef(KEY, "a")),
        context.load("definitions_by_key", DefinitionRef(KEY, "b")),
    )
    assert backend.opened == [mine]
    await context.aclose()
    assert backend.closed == 1


async def test_two_requests_share_nothing() -> None:
    backend = Sessions()
    for secret in ("one", "two"):
        context = Context({KEY: cast("Any", backend)}, caller(Credential(KEY, {"key": secret})))
        await context.load("definitions_by_key", DefinitionRef(KEY, "a"))
        await context.aclose()
    assert [credential.part("key") for credential in backend.opened] == ["one", "two"]


async def test_after_a_write_everything_is_read_anew() -> None:
    backend = Sessions()
    context = Context({KEY: cast("Any", backend)}, caller())
    await context.load("definitions_by_key", DefinitionRef(KEY, "a"))
    await context.loaders.forget(KEY)
    await context.load("definitions_by_key", DefinitionRef(KEY, "a"))
    assert len(backend.opened) == 2
    await context.aclose()


async def test_a_provider_of_the_schema_that_is_not_served_fails_alone() -> None:
    off = {"roblox": ProviderSettings(backend="off")}
    async with running(settings("sqlite://", providers=off)) as asked:
        await seed(asked.gateway, PROVIDERS[KEY])
        answer = await asked.ask(
            """query($here: OwnerInput!, $there: OwnerInput!) {
              here: inventory(owner: $here) { id } there: inventory(owner: $there) { id } }""",
            here={"provider": "GUILD_WARS_2", "key": "Tester.1234"},
            there={"provider": "ROBLOX", "key": "1"},
        )
    assert answer.data["here"]["id"]
    assert answer.data["there"] is None
    assert [(error["path"], error["extensions"]) for error in answer.errors] == [
        (["there"], {"code": "UNSUPPORTED", "provider": "ROBLOX", "retryable": False})
    ]


async def test_an_error_tells_where_what_and_whose_and_no_more() -> None:
    async with running(settings("sqlite://")) as asked:
        answer = await asked.ask('{ inventory(owner: { provider: GUILD_WARS_2, key: "x" }) { id } }')
    (error,) = answer.errors
    assert set(error) == {"message", "path", "locations", "extensions"}
    assert error["extensions"] == {"code": "INVALID_INPUT", "provider": "GUILD_WARS_2", "retryable": False}


async def test_the_root_can_do_without_node() -> None:
    from gateway.settings import ServerSettings, StoreSettings

    found = settings("sqlite://", server=ServerSettings(node_fields=False), store=StoreSettings(url="sqlite://"))
    async with running(found) as asked:
        answer = await asked.ask("{ __schema { queryType { fields { name } } } }")
    names = {field["name"] for field in answer.whole()["__schema"]["queryType"]["fields"]}
    assert "inventory" in names
    assert not names & {"node", "nodes"}


async def test_definitions_of_a_provider_that_is_not_served_leave_the_rest() -> None:
    off = {"roblox": ProviderSettings(backend="off")}
    async with running(settings("sqlite://", providers=off)) as asked:
        answer = await asked.ask(
            '{ inventoryProviders { key } itemDefinitions(provider: ROBLOX, keys: ["a", "b"]) { id } }'
        )
    assert answer.data["inventoryProviders"]
    assert answer.data["itemDefinitions"] == [None, None]
    assert answer.codes == ["UNSUPPORTED", "UNSUPPORTED"]


async def test_a_mutation_that_fails_leaves_what_the_others_tell() -> None:
    item = encode_id(ITEM, ItemRef(KEY, "Tester.1234", "bank/0"))
    async with local(PROVIDERS[KEY], "sqlite://") as asked:
        answer = await asked.ask(
            """mutation($ids: [ID!]!) { good: deleteItems(input: { ids: $ids }) { errors { code } }
              bad: deleteItems(input: { ids: ["garbage"] }) { errors { code } } }""",
            ids=[item],
        )
    assert answer.data == {"good": {"errors": [{"code": "UNSUPPORTED"}]}, "bad": None}
    assert answer.codes == ["INVALID_INPUT"]


DELETE = "mutation($ids: [ID!]!) { deleteItems(input: { ids: $ids }) { errors { code message } } }"


async def test_too_many_ids_are_refused_as_data() -> None:
    item = encode_id(ITEM, ItemRef(KEY, "Tester.1234", "bank/0"))
    async with local(PROVIDERS[KEY], "sqlite://") as asked:
        answer = await asked.ask(DELETE, ids=[item] * 251)
    (error,) = answer.whole()["deleteItems"]["errors"]
    assert error["code"] == "INVALID_INPUT"
    assert "251" in error["message"]


async def test_no_ids_are_refused() -> None:
    async with local(PROVIDERS[KEY], "sqlite://") as asked:
        answer = await asked.ask(DELETE, ids=[])
    assert answer.data == {"deleteItems": None}
    assert answer.codes == ["INVALID_INPUT"]


async def test_the_viewer_of_a_bad_key_is_told_so() -> None:
    """An empty list would say that there is no one."""
    async with local(PROVIDERS[KEY], "sqlite://") as asked:
        answer = await asked.ask(
            "{ inventoryViewer { owners { key } } }", headers={header(PROVIDERS[KEY]): "no key of ours"}
        )
    assert answer.codes == ["UNAUTHENTICATED"]
