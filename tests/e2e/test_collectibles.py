"""Over sockets collectibles and the like are read through our client of both hosts as in the store itself."""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLSchema

from gateway.app import Gateway
from gateway.registry import PROVIDERS
from gateway.settings import ProviderSettings
from tests.e2e.conftest import SERVER, Pair, differences, serving
from tests.e2e.selections import composite, schema_of, selection, strings, typenames
from tests.gateways import NOW, header, mint, seed, settings

PROVIDER = PROVIDERS["roblox"]
OWNER = {"provider": "ROBLOX", "key": "42"}
ARGUMENTS = {"container(key)": '"view:Places/Created by Me"', "owns(definitionKey)": '"asset:7100"'}

UNTOLD = {
    "names of owners": r"InventoryOwner_name|RobloxUser_membership",
    "the catalogue, but for names and asset types": r"RobloxDefinition_(description|rarity|creator|bundleType(Id)?)",
    "asset types of what only v1 tells": r"RobloxDefinition_assetType(Id)?",
    "names of what v1 was not asked about": r"members/\d+/RobloxDefinition_name",
    "bundle types": r"RobloxBundle_bundleType|RobloxDefinition_members",
    "bundles as a list": r"RobloxCategory_items",
    "the collection": r"RobloxCollection_(version|capacity|freeSlots|entries)",
}
"""What the services do not tell, and the store knows."""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Generator[Pair]:
    """Serve the samples, and the same over their dialects."""
    store: Path = tmp_path_factory.mktemp("collectibles") / "store.db"
    with serving(Gateway(settings(f"sqlite:///{store}", server=SERVER), clock=lambda: NOW)) as local:
        local.server.do(lambda: seed(local.gateway, PROVIDER))
        for part in ("cookie", "key"):
            secret = local.server.do(lambda part=part: mint(local.gateway, PROVIDER, OWNER["key"], part=part))
            local.headers[header(PROVIDER, part)] = secret
        address = f"{local.server.address}/rest/roblox"
        providers = {"roblox": ProviderSettings(backend="upstream", base_url=address, requests_per_minute=10_000)}
        with serving(Gateway(settings("sqlite://", server=SERVER, providers=providers), clock=lambda: NOW)) as upstream:
            upstream.headers.update(local.headers)
            yield Pair(local, upstream)


@pytest.fixture(scope="module")
def schema(pair: Pair) -> GraphQLSchema:
    return schema_of(pair.local.gateway, PROVIDER)


def alike(pair: Pair, query: str, **variables: Any) -> Any:
    """Ask both, see that they differ in nothing but what the services do not tell, and give the store's answer."""
    here, there = pair.local.ask(query, **variables), pair.upstream.ask(query, **variables)
    left = [line for line in differences(here.body, there.body) if not _is_untold(line)]
    assert left == []
    return here.whole()


def _is_untold(line: str) -> bool:
    """Say whether a difference is one that is known: a value of the store's in the place of nothing."""
    if line.startswith("/errors"):
        return "does not list what a collection shows" in line or "'UNSUPPORTED'" in line
    place = line.partition(":")[0]
    return any(re.search(f"{form}(/|$)", place) for form in UNTOLD.values()) and line.endswith(
        (" None there", "[] there")
    )


@pytest.mark.parametrize("key", ["42", "me"])
def test_every_field_of_an_inventory_of_collectibles_is_answered_alike(
    pair: Pair, schema: GraphQLSchema, key: str
) -> None:
    below = selection(schema, composite(schema, "Inventory"), 4, ARGUMENTS, back=True)
    query = f"query($owner: OwnerInput!) {{ inventory(owner: $owner) {below} }}"
    found = set(typenames(alike(pair, query, owner={**OWNER, "key": key})))
    assert found >= {
        *("RobloxAsset", "RobloxBadge", "RobloxGamePass", "RobloxPrivateServer", "RobloxPlace", "RobloxCreator"),
        *("RobloxCategory", "RobloxCollection", "RobloxDefinition", "Collectible"),
    }


def test_every_field_of_an_owner_is_answered_alike_for_collectibles(pair: Pair, schema: GraphQLSchema) -> None:
    below = selection(schema, composite(schema, "InventoryOwner"), 3, ARGUMENTS, back=True)
    query = f"query($owner: OwnerInput!) {{ inventoryOwner(owner: $owner) {below} }}"
    assert "RobloxUser" in set(typenames(alike(pair, query, owner=OWNER)))


def test_every_node_of_a_roblox_inventory_is_answered_alike(pair: Pair, schema: GraphQLSchema) -> None:
    ids = pair.local.ask(
        """query($owner: OwnerInput!) { inventory(owner: $owner) { id owner { id }
          items(first: 250) { nodes { id definition { id } } }
          others: items(filter: { kinds: ["Bundle", "Place"] }) { nodes { id } }
          containers { nodes { id } }
          views: containers(kind: VIEW, first: 10) { nodes { id containers { nodes { id } } } } } }""",
        owner=OWNER,
    )
    below = selection(schema, composite(schema, "Node"), 1, ARGUMENTS, back=True)
    found = sorted(set(strings(ids.whole())))
    assert len(found) > 60
    for start in range(0, len(found), 25):
        answer = alike(pair, f"query($ids: [ID!]!) {{ nodes(ids: $ids) {below} }}", ids=found[start : start + 25])
        assert None not in answer["nodes"]


@pytest.mark.parametrize("order", ["NATURAL", "NAME", "ACQUIRED_DESC", "SERIAL_ASC", "QUANTITY_DESC"])
def test_every_page_in_every_order_is_alike(pair: Pair, order: str) -> None:
    query = """query($owner: OwnerInput!, $order: ItemOrder, $after: String) { inventory(owner: $owner) {
      items(orderBy: $order, first: 6, after: $after) { totalCount edges { cursor node { key name } }
        pageInfo { hasNextPage endCursor } } } }"""
    after, seen = None, 0
    while True:
        answer = pair.ask(query, owner=OWNER, order=order, after=after).whole()["inventory"]["items"]
        seen += len(answer["edges"])
        after = answer["pageInfo"]["endCursor"]
        if not answer["pageInfo"]["hasNextPage"]:
            break
    assert seen == answer["totalCount"] == 19


@pytest.mark.parametrize(
    "given",
    [
        '{ kinds: ["Badge", "Place"] }',
        "{ isCollectible: true }",
        "{ isCollectible: false }",
        '{ definitionKeys: ["asset:7100", "bundle:12", "pass:88", "badge:503"] }',
        '{ text: "LANTERN" }',
        '{ kinds: ["Asset"], text: "tin" }',
        "{ kinds: [] }",
        "{ minQuantity: 2 }",
    ],
)
def test_every_filter_selects_alike(pair: Pair, given: str) -> None:
    pair.ask(
        f"""query($owner: OwnerInput!) {{ inventory(owner: $owner) {{
          items(filter: {given}, first: 250) {{ totalCount isComplete nodes {{ key name kind }} }}
          totals(filter: {given}) {{ edges {{ quantity node {{ key }} }} }} }} }}""",
        owner=OWNER,
    )


def test_what_one_adds_the_other_shows(pair: Pair) -> None:
    verb = """mutation($keys: [String!]!) { %s(
        input: { owner: { provider: ROBLOX, key: "42" }, definitionKeys: $keys }) {
      definitions { key } errors { code path providerCode } } }"""
    add, remove = verb % "addToCollection", verb % "removeFromCollection"
    shown = """{ inventory(owner: { provider: ROBLOX, key: "42" }) { container(key: "collection") {
      ... on RobloxCollection { entries { nodes { key } } } } } }"""

    def entries() -> list[str]:
        found = pair.local.ask(shown).whole()["inventory"]["container"]["entries"]["nodes"]
        return [node["key"] for node in found]

    before = entries()
    assert pair.upstream.ask(add, keys=["asset:7101"]).whole()["addToCollection"]["errors"] == []
    assert entries() == [*before, "asset:7101"]
    faults = ["asset:7101", "asset:7107", "asset:7200", "asset:1"]
    assert pair.local.ask(add, keys=faults).whole() == pair.upstream.ask(add, keys=faults).whole()
    assert pair.local.ask(remove, keys=["asset:7101"]).whole()["removeFromCollection"]["errors"] == []
    gone = ["asset:7101"]
    assert pair.local.ask(remove, keys=gone).whole() == pair.upstream.ask(remove, keys=gone).whole()
