"""Over sockets avatars are read, dressed and minted through our client of the service as in the store itself."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLSchema

from gateway.app import Gateway
from gateway.model.ids import CONTAINER, ContainerRef, encode_id
from gateway.registry import PROVIDERS
from gateway.settings import ProviderSettings
from tests.e2e.conftest import SERVER, Pair, Served, serving
from tests.e2e.selections import composite, schema_of, selection, strings, typenames
from tests.gateways import NOW, header, mint, seed, settings

PROVIDER = PROVIDERS["community"]
OWNER = {"provider": "COMMUNITY", "key": "nova/u_1"}
AVATAR = encode_id(CONTAINER, ContainerRef("community", OWNER["key"], "avatar"))
ARGUMENTS = {"container(key)": '"avatar"', "owns(definitionKey)": '"nova/i_cap"'}
ALLOCATE = """mutation($input: AllocateSlotsInput!) { allocateSlots(input: $input) {
  container { version } errors { code path providerCode } } }"""
SLOTS = """query($owner: OwnerInput!) { inventory(owner: $owner) { container(key: "avatar") {
  version slots { key item { key quantity } } ... on CommunityAvatar { mints { blockchain version status } } } } }"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Generator[Pair]:
    """Serve the samples, and the same over their dialect."""
    store: Path = tmp_path_factory.mktemp("avatars") / "store.db"
    with serving(Gateway(settings(f"sqlite:///{store}", server=SERVER), clock=lambda: NOW)) as local:
        local.server.do(lambda: seed(local.gateway, PROVIDER))
        local.headers[header(PROVIDER)] = local.server.do(lambda: mint(local.gateway, PROVIDER, OWNER["key"]))
        address = f"{local.server.address}/rest/community"
        providers = {"community": ProviderSettings(backend="upstream", base_url=address)}
        with serving(Gateway(settings("sqlite://", server=SERVER, providers=providers), clock=lambda: NOW)) as upstream:
            upstream.headers.update(local.headers)
            yield Pair(local, upstream)


@pytest.fixture(scope="module")
def schema(pair: Pair) -> GraphQLSchema:
    return schema_of(pair.local.gateway, PROVIDER)


@pytest.mark.parametrize("key", ["nova/u_1", "nova/u_2", "nova", "nova/me"])
def test_every_field_of_an_inventory_is_answered_alike(pair: Pair, schema: GraphQLSchema, key: str) -> None:
    below = selection(schema, composite(schema, "Inventory"), 5, ARGUMENTS, back=True)
    owner = {**OWNER, "key": key}
    answer = pair.ask(f"query($owner: OwnerInput!) {{ inventory(owner: $owner) {below} }}", owner=owner)
    found = set(typenames(answer.whole()))
    assert {"CommunityAvatar", "CommunityItemDefinition", "Slot"} <= found
    if key == OWNER["key"]:
        assert {"CommunityItem", "CommunityKit", "CommunitySlot", "CommunityMint", "BlockchainToken"} <= found


def test_every_field_of_an_owner_is_answered_alike_for_avatars(pair: Pair, schema: GraphQLSchema) -> None:
    below = selection(schema, composite(schema, "InventoryOwner"), 3, ARGUMENTS, back=True)
    for key, kind in ((OWNER["key"], "CommunityUser"), ("nova", "CommunityKit")):
        query = f"query($owner: OwnerInput!) {{ inventoryOwner(owner: $owner) {below} }}"
        answer = pair.ask(query, owner={**OWNER, "key": key})
        assert kind in set(typenames(answer.whole()))


def test_every_node_of_an_avatar_is_answered_alike(pair: Pair, schema: GraphQLSchema) -> None:
    ids = pair.ask(
        """query($owner: OwnerInput!) { inventory(owner: $owner) { id owner { id } catalogue { nodes { id } }
          items { nodes { id } } containers { nodes { id slots { id } } } } }""",
        owner=OWNER,
    )
    below = selection(schema, composite(schema, "Node"), 2, ARGUMENTS, back=True)
    found = sorted(set(strings(ids.whole())))
    assert len(found) > 25
    for start in range(0, len(found), 25):
        answer = pair.ask(f"query($ids: [ID!]!) {{ nodes(ids: $ids) {below} }}", ids=found[start : start + 25])
        assert None not in answer.whole()["nodes"]


def allocate(served: Served, *slots: tuple[str, str | None]) -> Any:
    given = [{"slot": slot, "definitionKey": item and f"nova/{item}"} for slot, item in slots]
    return served.ask(ALLOCATE, input={"container": AVATAR, "slots": given}).whole()["allocateSlots"]


def test_what_one_writes_the_other_reads(pair: Pair) -> None:
    here, there = pair.local, pair.upstream
    before = int(pair.ask(SLOTS, owner=OWNER).whole()["inventory"]["container"]["version"])
    assert allocate(there, ("s_hands", "i_paint"), ("s_head", None)) == {
        "container": {"version": str(before + 1)},
        "errors": [],
    }
    shown = pair.ask(SLOTS, owner=OWNER).whole()["inventory"]["container"]
    assert {slot["key"] for slot in shown["slots"] if slot["item"]} == {"s_body", "s_hands", "s_back"}
    assert allocate(here, ("s_head", "i_cap"))["container"]["version"] == str(before + 2)
    assert allocate(there, ("s_head", "i_cap"))["container"]["version"] == str(before + 2)
    # The other's words for what is refused, and its paths.
    faults = [("s_face", "i_cap"), ("s_face", "i_paint"), ("nowhere", None)]
    assert allocate(here, *faults) == allocate(there, *faults)


def test_writers_on_both_sides_at_once_lose_no_slot(pair: Pair) -> None:
    for slot in ("s_head", "s_face", "s_hands", "s_feet", "s_back"):
        allocate(pair.local, (slot, None))
    before = int(pair.ask(SLOTS, owner=OWNER).whole()["inventory"]["container"]["version"])
    wanted = {"s_head": "i_cap", "s_face": "i_visor", "s_hands": "i_paint", "s_feet": "i_boots", "s_back": "i_cape"}
    sides = [pair.local, pair.upstream]
    with ThreadPoolExecutor(5) as pool:
        done = [pool.submit(allocate, sides[at % 2], one) for at, one in enumerate(wanted.items())]
    assert [one.result()["errors"] for one in done] == [[]] * 5
    shown = pair.ask(SLOTS, owner=OWNER).whole()["inventory"]["container"]
    lying = {slot["key"]: slot["item"]["key"] for slot in shown["slots"] if slot["item"]}
    assert lying == {**wanted, "s_body": "i_jersey"}
    assert int(shown["version"]) == before + 5


def test_an_avatar_is_minted_through_the_service(pair: Pair) -> None:
    query = (
        "mutation($input: MintAvatarInput!) { mintAvatar(input: $input) { errors { code } changes { updatedIds } } }"
    )
    given = {"container": AVATAR, "blockchain": "base"}
    first = pair.upstream.ask(query, input=given).whole()["mintAvatar"]
    assert first == {"errors": [], "changes": {"updatedIds": [AVATAR]}}
    again = pair.local.ask(query, input=given).whole()["mintAvatar"]
    assert again == {"errors": [], "changes": {"updatedIds": []}}
    shown = pair.ask(SLOTS, owner=OWNER).whole()["inventory"]["container"]
    assert shown["mints"][0] == {"blockchain": "base", "version": int(shown["version"]), "status": "minted"}
