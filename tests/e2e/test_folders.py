"""Over sockets folders are read and written through our client of the service as in the store itself."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import llsd
import pytest
from graphql import GraphQLSchema

from gateway.app import Gateway
from gateway.model.ids import CONTAINER, ITEM, ContainerRef, ItemRef, encode_id
from gateway.registry import PROVIDERS
from gateway.settings import ProviderSettings
from tests.e2e.conftest import SERVER, Pair, Served, serving
from tests.e2e.selections import composite, schema_of, selection, strings, typenames
from tests.gateways import NOW, header, mint, seed, settings

# The library tells no types.
LLSD: Any = llsd
PROVIDER = PROVIDERS["secondlife"]
AGENT = "aaaaaaaa-0000-4000-8000-00000000000a"
OWNER = {"provider": "SECOND_LIFE", "key": AGENT}
ARGUMENTS = {"container(key)": '"current"', "owns(definitionKey)": '"x"'}


def folder(number: int) -> str:
    return encode_id(CONTAINER, ContainerRef("secondlife", AGENT, f"11111111-0000-4000-8000-{number:012d}"))


def thing(number: int) -> str:
    return encode_id(ITEM, ItemRef("secondlife", AGENT, f"22222222-0000-4000-8000-{number:012d}"))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Generator[Pair]:
    """Serve the samples, and the same over their dialect."""
    store: Path = tmp_path_factory.mktemp("folders") / "store.db"
    with serving(Gateway(settings(f"sqlite:///{store}", server=SERVER), clock=lambda: NOW)) as local:
        local.server.do(lambda: seed(local.gateway, PROVIDER))
        local.headers[header(PROVIDER)] = local.server.do(lambda: mint(local.gateway, PROVIDER, AGENT))
        library = local.server.do(lambda: mint(local.gateway, PROVIDER, AGENT, part="library"))
        address = f"{local.server.address}/rest/secondlife"
        providers = {"secondlife": ProviderSettings(backend="upstream", base_url=address)}
        with serving(Gateway(settings("sqlite://", server=SERVER, providers=providers), clock=lambda: NOW)) as upstream:
            # As a viewer has them: addresses, of which the store knows the secret.
            local.headers[header(PROVIDER)] = f"{address}/{local.headers[header(PROVIDER)]}"
            local.headers["X-Credential-secondlife-library"] = f"{address}/{library}"
            upstream.headers.update(local.headers)
            yield Pair(local, upstream)


@pytest.fixture(scope="module")
def schema(pair: Pair) -> GraphQLSchema:
    return schema_of(pair.local.gateway, PROVIDER)


@pytest.mark.parametrize("key", [AGENT, "me", "library"])
def test_every_field_of_a_tree_is_answered_alike(pair: Pair, schema: GraphQLSchema, key: str) -> None:
    below = selection(schema, composite(schema, "Inventory"), 4, ARGUMENTS, back=True)
    owner = {**OWNER, "key": key}
    answer = pair.ask(f"query($owner: OwnerInput!) {{ inventory(owner: $owner) {below} }}", owner=owner)
    found = set(typenames(answer.data))
    assert {"SecondLifeCategory", "SecondLifeItem", "SecondLifePermissions", "SecondLifeSale"} <= found
    if key != "library":
        assert "SecondLifeLink" in found


def test_every_node_of_a_tree_is_answered_alike(pair: Pair, schema: GraphQLSchema) -> None:
    ids = pair.ask(
        """query($owner: OwnerInput!) { inventory(owner: $owner) { id owner { id details { __typename } }
          items(first: 250) { nodes { id } }
          containers { nodes { id descendants(first: 250) { nodes { id } } } } } }""",
        owner=OWNER,
    )
    below = selection(schema, composite(schema, "Node"), 2, ARGUMENTS, back=True)
    found = sorted(one for one in set(strings(ids.whole())) if not one.startswith("SecondLife"))
    assert len(found) > 30
    for start in range(0, len(found), 25):
        answer = pair.ask(f"query($ids: [ID!]!) {{ nodes(ids: $ids) {below} }}", ids=found[start : start + 25])
        assert None not in answer.data["nodes"]


def test_pages_of_a_tree_are_cut_alike(pair: Pair) -> None:
    query = """query($owner: OwnerInput!, $after: String) { inventory(owner: $owner) { container(key: "root") {
      descendants(first: 4, after: $after) { edges { cursor node { key } } totalCount isComplete
        pageInfo { hasNextPage endCursor } } } } }"""
    seen: list[str] = []
    after = None
    while True:
        found = pair.ask(query, owner=OWNER, after=after).whole()["inventory"]["container"]["descendants"]
        seen += [edge["node"]["key"] for edge in found["edges"]]
        after = found["pageInfo"]["endCursor"]
        if not found["pageInfo"]["hasNextPage"]:
            break
    assert len(seen) == len(set(seen)) == found["totalCount"]


RENAME = """mutation($input: UpdateContainersInput!) { updateContainers(input: $input) {
  containers { id name version } changes { updatedIds versions { container version } } errors { code path } } }"""


def test_what_one_side_writes_the_other_reads(pair: Pair) -> None:
    query = "query($id: ID!) { node(id: $id) { ... on Container { name version } } }"
    before = int(pair.ask(query, id=folder(7)).whole()["node"]["version"])
    for at, (side, name) in enumerate(((pair.upstream, "One"), (pair.local, "Two"), (pair.upstream, "Three"))):
        payload = side.ask(RENAME, input={"containers": [{"id": folder(7), "name": name}]}).whole()["updateContainers"]
        assert payload["errors"] == []
        assert payload["containers"][0]["version"] == str(before + at + 1)
        assert pair.ask(query, id=folder(7)).whole()["node"] == {"name": name, "version": str(before + at + 1)}
    refused = {"containers": [{"id": folder(5), "name": "Mine"}]}
    here, there = (side.ask(RENAME, input=refused).whole()["updateContainers"] for side in (pair.local, pair.upstream))
    assert here == there
    assert [error["code"] for error in here["errors"]] == ["FORBIDDEN"]


CREATE = """mutation($input: CreateContentsInput!) { createContents(input: $input) {
  changes { createdIds versions { version } } errors { code } } }"""


def test_writers_on_both_sides_at_once_lose_nothing(pair: Pair) -> None:
    query = "query($id: ID!) { node(id: $id) { ... on Container { version containers { totalCount } } } }"
    before = pair.ask(query, id=folder(8)).whole()["node"]

    def create(side: Served, name: str) -> Any:
        given = {"container": folder(8), "containers": [{"name": name}]}
        return side.ask(CREATE, input=given).whole()["createContents"]

    sides = [pair.local, pair.upstream]
    with ThreadPoolExecutor(6) as pool:
        done = [pool.submit(create, sides[at % 2], f"Folder {at}") for at in range(12)]
    payloads = [one.result() for one in done]
    assert [payload["errors"] for payload in payloads] == [[]] * 12
    after = pair.ask(query, id=folder(8)).whole()["node"]
    assert after["containers"]["totalCount"] == before["containers"]["totalCount"] + 12
    assert int(after["version"]) == int(before["version"]) + 12
    assert len({payload["changes"]["versions"][0]["version"] for payload in payloads}) == 12


def test_a_client_of_the_service_works_by_a_capability_alone(pair: Pair) -> None:
    """As viewers do: a seed, the capabilities that it leads to, a crawl folder by folder, a new folder, its removal."""
    seed_ = pair.local.server.do(lambda: mint(pair.local.gateway, PROVIDER, AGENT, part="seed"))
    sent: Any = {"Content-Type": "application/llsd+xml", "Accept": "application/llsd+xml"}
    with httpx.Client(headers=sent, timeout=20) as viewer:

        def ask(method: str, url: str, body: Any = None, status: int = 200) -> Any:
            content = None if body is None else LLSD.format_xml(body)
            answer = viewer.request(method, url, content=content)
            assert answer.status_code == status, answer.text
            return LLSD.parse_xml(answer.content)

        seeded = f"{pair.local.server.address}/rest/secondlife/seed/{seed_}"
        urls = ask("POST", seeded, ["InventoryAPIv3", "LibraryAPIv3"])
        cap = urls["InventoryAPIv3"]
        waiting, seen = ["root"], 0
        while waiting:
            found = ask("GET", f"{cap}/category/{waiting.pop()}/children?depth=0")
            assert {*found["_embedded"]} == {"items", "links", "categories"}
            waiting += [*found["_embedded"]["categories"]]
            seen += 1
        assert seen > 10
        made = ask("POST", f"{cap}/category/root?tid=1", {"categories": [{"name": "New", "type_default": -1}]}, 201)
        (new,) = made["_created_categories"]
        assert ask("POST", f"{cap}/category/root?tid=1", {"categories": []}, 409)["transaction_id"] == "1"
        assert ask("DELETE", f"{cap}/category/{new}")["_categories_removed"] == [new]
        assert ask("GET", f"{urls['LibraryAPIv3']}/category/root")["agent_id"] != made["agent_id"]
        ask("GET", f"{cap}x/category/root", status=404)
