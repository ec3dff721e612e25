"""A community from the store: what its graph shows, what is settled when it is read, many writers at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.app import Gateway
from gateway.model.errors import Conflict
from gateway.model.ids import CONTAINER, ContainerRef, DefinitionRef, FactRef, ItemRef, OwnerRef, encode_id
from gateway.model.scalars import BigInt
from gateway.providers.community import PROVIDER
from gateway.providers.community.keys import STATE
from tests.databases import fresh_database
from tests.gateways import NOW, Asked, header, local, mint, running, seed, settings

OWNER = OwnerRef("community", "nova/u_1")
AVATAR = encode_id(CONTAINER, ContainerRef(*OWNER, "avatar"))
INPUT = {"provider": "COMMUNITY", "key": OWNER.owner}
SLOTS = """query($owner: OwnerInput!) { inventory(owner: $owner) { container(key: "avatar") {
  version freeSlots slots { key item { key quantity } }
  ... on CommunityAvatar { updatedAt mints { blockchain version status tokenId mintedAt } } } } }"""
ALLOCATE = """mutation($input: AllocateSlotsInput!) { allocateSlots(input: $input) {
  container { version } errors { code providerCode path } } }"""
MINT = """mutation($input: MintAvatarInput!) { mintAvatar(input: $input) { errors { code providerCode }
  container { ... on CommunityAvatar { mints { blockchain version status tokenId } } } } }"""


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncGenerator[Asked]:
    async with local(PROVIDER, f"sqlite:///{tmp_path}/store.db") as found:
        yield found


async def avatar(asked: Asked, owner: dict[str, str] = INPUT) -> Any:
    return (await asked.ask(SLOTS, owner=owner)).whole()["inventory"]["container"]


def lying(shown: Any) -> dict[str, str]:
    return {slot["key"]: slot["item"]["key"] for slot in shown["slots"] if slot["item"]}


async def allocate(asked: Asked, *slots: tuple[str, str | None], container: str = AVATAR) -> Any:
    entries = [{"slot": slot, "definitionKey": item and f"nova/{item}"} for slot, item in slots]
    answer = await asked.ask(ALLOCATE, input={"container": container, "slots": entries})
    return answer.whole()["allocateSlots"]


async def lose(gateway: Gateway, *items: str) -> None:
    async with gateway.store.writing(OWNER) as writer:
        await writer.delete_items([ItemRef(*OWNER, item) for item in items])


# --- what is no longer owned ------------------------------------------------------------------------------------------


async def test_a_lost_item_leaves_its_slot_at_the_next_read_and_the_version_rises_once(asked: Asked) -> None:
    """Behaviour 29."""
    assert (await avatar(asked))["version"] == "3"
    refs = [ItemRef(*OWNER, "i_cap"), ItemRef(*OWNER, "i_cape")]
    held = await asked.gateway.store.items(refs)
    await lose(asked.gateway, "i_cap", "i_cape")
    for _ in range(2):
        found = await avatar(asked)
        assert (lying(found), found["version"]) == ({"s_body": "i_jersey"}, "4")
    # It is written down: to own them again does not bring them back.
    async with asked.gateway.store.writing(OWNER) as writer:
        await writer.put_items(held.values())
    found = await avatar(asked)
    assert (lying(found), found["version"]) == ({"s_body": "i_jersey"}, "4")
    changes = [change.verb for change in await asked.gateway.store.changes_after(OWNER, 0)]
    assert changes == ["import", "settle"]


async def test_reads_at_once_settle_once(asked: Asked) -> None:
    await lose(asked.gateway, "i_cap")
    found = await asyncio.gather(*(avatar(asked) for _ in range(10)))
    assert {one["version"] for one in found} == {"4"}


async def test_what_leaves_the_catalogue_leaves_the_slots(asked: Asked) -> None:
    async with asked.gateway.store.writing(OwnerRef("community", "")) as writer:
        await writer.delete_definitions([DefinitionRef("community", "nova/i_cap")])
    found = await avatar(asked)
    assert "s_head" not in lying(found)
    assert found["version"] == "4"


async def test_fewer_copies_leave_the_last_slots(asked: Asked) -> None:
    await allocate(asked, ("s_head", "i_ribbon"), ("s_hands", "i_ribbon"), ("s_back", "i_ribbon"))
    ref = ItemRef(*OWNER, "i_ribbon")
    async with asked.gateway.store.writing(OWNER) as writer:
        ribbon = (await writer.items([ref]))[ref]
        ribbon.quantity = BigInt(2)
        await writer.put_items([ribbon])
    found = await avatar(asked)
    assert lying(found) == {"s_head": "i_ribbon", "s_hands": "i_ribbon", "s_body": "i_jersey"}


async def test_what_is_owned_is_not_guessed_before_it_was_told(asked: Asked) -> None:
    """An avatar that is imported before the items of its user is shown empty, and loses nothing."""
    path = "/v1/community/nova/inventory"
    slots = [{"slotId": "s_head", "itemId": "i_cap"}]
    document = {"userId": "u_9", "version": 5, "slots": slots, "mints": []}
    await seed(asked.gateway, PROVIDER, {f"{path}/avatar?userId=u_9": document})
    owner = {**INPUT, "key": "nova/u_9"}
    found = await avatar(asked, owner)
    assert (lying(found), found["version"]) == ({}, "5")
    cap = (await asked.gateway.store.owned(OWNER, "nova")).catalogue[0]  # type: ignore[union-attr] -- seeded
    item = {"id": cap.key.partition("/")[2], "name": cap.name, "slotIds": ["s_head"], "owned": True, "quantity": 1}
    page = {"items": [item], "page": 1, "limit": 20, "total": 1, "totalPages": 1}
    await seed(asked.gateway, PROVIDER, {f"{path}/items?onlyOwned=true&userId=u_9": page})
    found = await avatar(asked, owner)
    assert (lying(found), found["version"]) == ({"s_head": "i_cap"}, "5")


async def test_what_was_never_told_to_be_owned_is_not_lost_by_a_write(asked: Asked) -> None:
    """A write judges what it names: slots that it does not name keep what they were told to hold."""
    path = "/v1/community/nova/inventory"
    slots = [{"slotId": slot, "itemId": item} for slot, item in (("s_head", "i_cap"), ("s_body", "i_jersey"))]
    document = {"userId": "u_9", "version": 5, "slots": slots, "mints": []}
    boots = {"id": "i_boots", "name": "Moon boots", "slotIds": ["s_feet"], "owned": True, "quantity": 1}
    cap = {"id": "i_cap", "name": "Blue cap", "slotIds": ["s_head"], "owned": True, "quantity": 1}
    jersey = {"id": "i_jersey", "name": "Nøva jersey", "slotIds": ["s_body"], "owned": True, "quantity": 1}
    # A list that does not tell whether it is whole.
    documents = {
        f"{path}/avatar?userId=u_9": document,
        f"{path}/items?onlyOwned=true&userId=u_9": {"items": [boots, jersey]},
    }
    await seed(asked.gateway, PROVIDER, documents)
    owner = {**INPUT, "key": "nova/u_9"}
    container = encode_id(CONTAINER, ContainerRef("community", "nova/u_9", "avatar"))
    assert lying(await avatar(asked, owner)) == {"s_body": "i_jersey"}
    assert (await allocate(asked, ("s_feet", "i_boots"), container=container))["container"]["version"] == "6"
    whole = {"items": [boots, cap, jersey], "page": 1, "limit": 20, "total": 3, "totalPages": 1}
    await seed(asked.gateway, PROVIDER, {f"{path}/items?onlyOwned=true&userId=u_9": whole})
    found = await avatar(asked, owner)
    assert lying(found) == {"s_head": "i_cap", "s_body": "i_jersey", "s_feet": "i_boots"}
    assert found["version"] == "6"


async def test_a_slot_that_was_not_seen_can_be_emptied(asked: Asked) -> None:
    path = "/v1/community/nova/inventory"
    slots = [{"slotId": "s_head", "itemId": "i_cap"}]
    document = {"userId": "u_9", "version": 5, "slots": slots, "mints": []}
    await seed(asked.gateway, PROVIDER, {f"{path}/avatar?userId=u_9": document})
    container = encode_id(CONTAINER, ContainerRef("community", "nova/u_9", "avatar"))
    assert (await allocate(asked, ("s_head", None), container=container))["container"]["version"] == "6"
    cap = {"id": "i_cap", "name": "Blue cap", "slotIds": ["s_head"], "owned": True, "quantity": 1}
    await seed(asked.gateway, PROVIDER, {f"{path}/items?onlyOwned=true&userId=u_9": [cap]})
    assert lying(await avatar(asked, {**INPUT, "key": "nova/u_9"})) == {}


async def test_a_slot_that_the_kit_lacks_for_now_keeps_what_lies_in_it(asked: Asked) -> None:
    path = "/v1/community/nova/inventory/slots"
    kit = [{"id": "s_head", "key": "head", "name": "Head", "order": 1, "required": False}]
    whole = orjson.loads((resources.files(PROVIDER.demo) / "demo.json").read_bytes())[path]
    await seed(asked.gateway, PROVIDER, {path: kit})
    found = await avatar(asked)
    assert (lying(found), found["version"]) == ({"s_head": "i_cap"}, "3")
    assert (await allocate(asked, ("s_head", "i_ribbon")))["container"]["version"] == "4"
    await seed(asked.gateway, PROVIDER, {path: whole})
    found = await avatar(asked)
    assert lying(found) == {"s_head": "i_ribbon", "s_body": "i_jersey", "s_back": "i_cape"}
    assert found["version"] == "4"


async def test_a_read_that_cannot_write_shows_what_it_would_have_written(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lose(asked.gateway, "i_cap")

    @contextlib.asynccontextmanager
    async def busy(*_: OwnerRef) -> AsyncGenerator[None]:
        raise Conflict("Another write is still under way.", retryable=True)
        yield

    with monkeypatch.context() as patch:
        patch.setattr(asked.gateway.store, "writing", busy)
        for _ in range(2):
            found = await avatar(asked)
            assert (lying(found), found["version"]) == ({"s_body": "i_jersey", "s_back": "i_cape"}, "4")
    assert (await avatar(asked))["version"] == "4"


# --- the graph --------------------------------------------------------------------------------------------------------


async def test_one_holding_may_lie_in_several_slots(asked: Asked) -> None:
    await allocate(asked, ("s_head", "i_ribbon"), ("s_back", "i_ribbon"))
    answer = await asked.ask(
        """query($owner: OwnerInput!) { inventory(owner: $owner) {
          items { nodes { key container { key } slot { key } ... on CommunityItem { slots { key } } } } } }""",
        owner=INPUT,
    )
    found = {item.pop("key"): item for item in answer.whole()["inventory"]["items"]["nodes"]}
    slots = [{"key": "s_head"}, {"key": "s_back"}]
    assert found["i_ribbon"] == {"container": {"key": "avatar"}, "slot": slots[0], "slots": slots}
    assert found["i_cap"] == {"container": None, "slot": None, "slots": []}


async def test_a_community_alone_shows_its_kit_and_catalogue(asked: Asked) -> None:
    """Behaviour 28."""
    query = """query($owner: OwnerInput!) {
      inventoryOwner(owner: $owner) { name details { __typename ... on CommunityKit { key slotCount } } }
      inventory(owner: $owner) { isVisible items { totalCount } catalogue(first: 2) {
        totalCount edges { quantity node { name } } }
        containers(kind: AVATAR) { nodes { version freeSlots capacity slots { key item { key } }
          ... on CommunityAvatar { mints { version }
            kit { name description imageUrl blockchains slotCount itemCount slots { id key name order isRequired } }
        } } } } }"""
    found = (await asked.ask(query, owner={**INPUT, "key": "nova"})).whole()
    assert found["inventoryOwner"] == {
        "name": "Nova kit",
        "details": {"__typename": "CommunityKit", "key": "nova", "slotCount": 6},
    }
    inventory = found["inventory"]
    assert inventory["catalogue"]["totalCount"] == 14
    assert [edge["quantity"] for edge in inventory["catalogue"]["edges"]] == [None, None]
    (shown,) = inventory["containers"]["nodes"]
    assert (shown["version"], shown["mints"], shown["capacity"], shown["freeSlots"]) == (None, None, 6, 6)
    kit = shown["kit"]
    assert (kit["name"], kit["blockchains"], kit["slotCount"], kit["itemCount"]) == ("Nova kit", ["sui", "base"], 6, 14)
    assert [slot["id"] for slot in kit["slots"]] == [slot["key"] for slot in shown["slots"]]
    of_user = """query($owner: OwnerInput!) { inventory(owner: $owner) { container(key: "avatar") {
      ... on CommunityAvatar { kit { name description imageUrl blockchains slotCount itemCount
        slots { id key name order isRequired } } } } } }"""
    for user in ("nova/u_1", "nova/u_2"):
        answer = await asked.ask(of_user, owner={**INPUT, "key": user})
        assert answer.whole()["inventory"]["container"]["kit"] == kit


async def test_kits_of_many_communities_cost_as_many_statements_as_one(asked: Asked) -> None:
    query = """query($owners: [OwnerInput!]!) { inventories(owners: $owners) {
      containers { nodes { ... on CommunityAvatar { kit { name itemCount slotCount } } } } } }"""
    costs: list[int] = []
    for at in range(4):
        kit: dict[str, Any] = {"id": f"inv_{at}", "ckey": f"c{at}", "name": f"Kit {at}", "blockchains": []}
        await seed(asked.gateway, PROVIDER, {f"/v1/community/c{at}/inventory": kit})
    for count in (1, 4):
        owners = [{**INPUT, "key": f"c{at}"} for at in range(count)]
        found = (await asked.ask(query, owners=owners)).whole()["inventories"]
        assert [one["containers"]["nodes"][0]["kit"]["name"] for one in found] == [f"Kit {at}" for at in range(count)]
        costs.append(len(asked.statements))
    assert costs[0] == costs[1]


async def test_tokens_are_collectibles(asked: Asked) -> None:
    query = """query($owner: OwnerInput!) { inventory(owner: $owner) { collectibles { nodes { key collectible {
      token { blockchain contractAddress tokenId } } definition { ... on CommunityItemDefinition {
        token { blockchain tokenId } } } } } } }"""
    (item,) = (await asked.ask(query, owner=INPUT)).whole()["inventory"]["collectibles"]["nodes"]
    assert item["key"] == "i_cape"
    assert item["collectible"]["token"]["tokenId"]


async def test_a_kit_cannot_be_dressed(asked: Asked) -> None:
    kit = encode_id(CONTAINER, ContainerRef("community", "nova", "avatar"))
    payload = await allocate(asked, ("s_head", "i_cap"), container=kit)
    assert [error["code"] for error in payload["errors"]] == ["INVALID_INPUT"]


# --- many writers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
@pytest.mark.parametrize("gateways", [1, 2])
async def test_many_writers_at_once_lose_no_slot(
    database: str, gateways: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Behaviour 18. Two gateways are two processes' worth of connections on one database."""
    count = 30
    path = "/v1/community/busy/inventory"
    slots = [
        {"id": f"s_{at:02}", "key": f"k{at}", "name": f"Slot {at}", "order": at, "required": False, "item": None}
        for at in range(count)
    ]
    items = [
        {"id": f"i_{at:02}", "name": f"Item {at}", "slotIds": [f"s_{at:02}"], "owned": True, "quantity": 1}
        for at in range(count)
    ]
    documents: dict[str, Any] = {
        path: {
            "id": "inv_b",
            "ckey": "busy",
            "name": "Busy",
            "blockchains": [],
            "slotCount": count,
            "itemCount": count,
        },
        f"{path}/slots?userId=u": slots,
        f"{path}/items?onlyOwned=true&userId=u": {"items": items, "total": count, "page": 1, "limit": 100},
        f"{path}/avatar?userId=u": {"userId": "u", "version": 0, "slots": [], "mints": []},
    }
    container = encode_id(CONTAINER, ContainerRef("community", "busy/u", "avatar"))
    async with AsyncExitStack() as stack:
        url = f"sqlite:///{tmp_path}/store.db"
        if database == "postgres":
            url = await stack.enter_async_context(fresh_database(request.getfixturevalue("postgres_url")))
        first = await stack.enter_async_context(local(PROVIDER, url, documents=documents))
        others = [await stack.enter_async_context(running(settings(url))) for _ in range(gateways - 1)]
        asked = [first, *others]

        async def one(at: int) -> Any:
            entry = {"slot": f"s_{at:02}", "definitionKey": f"busy/i_{at:02}"}
            answer = await asked[at % gateways].ask(ALLOCATE, input={"container": container, "slots": [entry]})
            return answer.whole()["allocateSlots"]

        done = await asyncio.gather(*map(one, range(count)))
        assert [payload["errors"] for payload in done] == [[]] * count
        # As one after the other: each saw a version of its own.
        assert sorted(int(payload["container"]["version"]) for payload in done) == list(range(1, count + 1))
        found = await avatar(first, {**INPUT, "key": "busy/u"})
        assert (found["version"], len(lying(found))) == (str(count), count)


async def test_writers_of_one_slot_leave_one_of_their_items(asked: Asked) -> None:
    items = ["i_cap", "i_ribbon", "i_hoodie", "i_bandana"]
    done = await asyncio.gather(*(allocate(asked, ("s_head", item)) for item in items * 3))
    assert all(payload["errors"] == [] for payload in done)
    assert lying(await avatar(asked))["s_head"] in items


# --- minting ----------------------------------------------------------------------------------------------------------


async def test_a_mint_is_pending_until_its_time_has_come(tmp_path: Path) -> None:
    from gateway.settings import ProviderSettings

    url = f"sqlite:///{tmp_path}/store.db"
    async with local(PROVIDER, url):
        pass
    moment = [NOW]

    def clock() -> datetime:
        return moment[0]

    found = settings(url, providers={"community": ProviderSettings.model_validate({"mint_delay": 60})})
    async with running(found, clock=clock) as asked:
        payload = (await asked.ask(MINT, input={"container": AVATAR, "blockchain": "base"})).whole()["mintAvatar"]
        assert payload["errors"] == []
        newest, *earlier = payload["container"]["mints"]
        assert newest == {"blockchain": "base", "version": 3, "status": "pending", "tokenId": None}
        assert [mint["version"] for mint in earlier] == [2]
        assert (await avatar(asked))["mints"][0]["status"] == "pending"
        moment[0] = NOW + timedelta(seconds=61)
        minted = (await avatar(asked))["mints"][0]
        assert minted["status"] == "minted"
        assert minted["tokenId"]
        assert minted["mintedAt"] == "2026-01-02T03:05:05Z"
        stored: Any = (await asked.gateway.store.facts([ref := FactRef(*OWNER, STATE, "")]))[ref]
        assert stored.mints[0].status == "minted"
        # Later allocations change nothing of it.
        await allocate(asked, ("s_head", None))
        assert (await avatar(asked))["mints"][0] == minted


async def test_two_mints_at_once_are_one(asked: Asked) -> None:
    given = {"container": AVATAR, "blockchain": "base"}
    done = await asyncio.gather(*(asked.ask(MINT, input=given) for _ in range(5)))
    assert all(answer.whole()["mintAvatar"]["errors"] == [] for answer in done)
    assert [mint["blockchain"] for mint in (await avatar(asked))["mints"]] == ["base", "sui"]


# --- credentials ------------------------------------------------------------------------------------------------------


async def test_a_refresh_token_serves_where_the_session_has_expired(asked: Asked) -> None:
    query = 'query { inventory(owner: { provider: COMMUNITY, key: "nova/me" }) { owner { key } } }'
    refresh = await mint(asked.gateway, PROVIDER, OWNER.owner, part="refresh")
    others = await mint(asked.gateway, PROVIDER, "nova/u_2", part="refresh")
    late = await mint(asked.gateway, PROVIDER, OWNER.owner, expires_at=NOW - timedelta(seconds=1))
    old = await mint(asked.gateway, PROVIDER, OWNER.owner, part="refresh", expires_at=NOW - timedelta(seconds=1))
    session, more = header(PROVIDER), "X-Credential-community-refresh"
    mine = {"inventory": {"owner": {"key": OWNER.owner}}}
    assert (await asked.ask(query, headers={session: late, more: refresh})).whole() == mine
    for headers, code in (
        ({session: late}, "SESSION_TOKEN_EXPIRED"),
        ({session: late, more: old}, "REFRESH_TOKEN_EXPIRED"),
        ({session: "unknown", more: refresh}, "GENERIC_UNAUTHORIZED"),
        ({session: late, more: "unknown"}, "GENERIC_UNAUTHORIZED"),
        # One that is another's would make the holder of both somebody else.
        ({session: late, more: others}, "GENERIC_UNAUTHORIZED"),
    ):
        answer = await asked.ask(query, headers=headers)
        assert answer.codes == ["UNAUTHENTICATED"]
        assert answer.errors[0]["extensions"]["providerCode"] == code
        assert late not in str(answer.body)


async def test_what_is_stored_of_a_state_reads_back(asked: Asked) -> None:
    ref = FactRef(*OWNER, STATE, "")
    await allocate(asked, ("s_hands", "i_paint"))
    stored: Any = (await asked.gateway.store.facts([ref]))[ref]
    assert stored.number == 4
    assert stored.inventory_id == "inv_1"
    assert [(one.slot, one.item) for one in stored.allocations] == [
        ("s_head", "i_cap"),
        ("s_body", "i_jersey"),
        ("s_hands", "i_paint"),
        ("s_back", "i_cape"),
    ]
