"""Our client of Roblox: paging, joins, the handshake, quotas, credentials, what is hidden and what is not there."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from gateway.model.errors import OutcomeUnknown
from gateway.model.ids import ITEM, ItemRef, encode_id
from tests.providers.roblox.conftest import MIRA, THEO, Dialects
from tests.providers.roblox.service import Front, badge, open_front, page
from tests.providers.roblox.test_cloud import WHOLE

ITEMS = "items(first: 250) { totalCount isComplete problems { code } nodes { key name kind } }"
KEYS = "items(first: 250) { nodes { key } }"
CAN_VIEW = "can-view-inventory"


@pytest.fixture
async def stack() -> AsyncGenerator[AsyncExitStack]:
    async with AsyncExitStack() as found:
        yield found


@pytest.fixture
async def front(stack: AsyncExitStack, dialects: Dialects) -> Front:
    """Give a gateway in front of the dialects, with the owner's cookie and key."""
    made = await open_front(stack, dialects)
    made.use(cookie=await dialects.secret("cookie"), key=await dialects.secret("key"))
    return made


async def scripted(stack: AsyncExitStack, answer: Callable[[httpx.Request], httpx.Response]) -> Front:
    """Give a gateway in front of what a test answers; everyone may be seen."""

    def instead(request: httpx.Request) -> httpx.Response | None:
        if CAN_VIEW in request.url.path:
            return httpx.Response(200, json={"canView": True})
        return answer(request)

    made = await open_front(stack, None, instead)
    made.use(key="some-key")
    return made


def keys(answer: Any) -> list[str]:
    return [node["key"] for node in answer.whole()["inventory"]["items"]["nodes"]]


# --- paging -----------------------------------------------------------------------------------------------------------


async def test_short_and_empty_pages_go_on_and_an_empty_token_ends(stack: AsyncExitStack) -> None:
    """Behaviour 46."""
    pages: dict[str | None, tuple[list[Any], str]] = {
        None: ([badge(1)], "a"),
        "a": ([], "b"),
        "b": ([badge(2), badge(3)], "c"),
        "c": ([], ""),
    }

    def answer(request: httpx.Request) -> httpx.Response:
        return page(*pages[request.url.params.get("pageToken")])

    made = await scripted(stack, answer)
    assert keys(await made.inventory(KEYS)) == ["badge:1", "badge:2", "badge:3"]
    assert len(made.services.requests) == 5


@pytest.mark.parametrize("end", [{"nextPageToken": None}, {}, {"nextPageToken": ""}])
async def test_a_token_that_is_missing_or_null_is_the_end(stack: AsyncExitStack, end: dict[str, Any]) -> None:
    made = await scripted(stack, lambda _: httpx.Response(200, json={"inventoryItems": [badge(1)], **end}))
    assert keys(await made.inventory(KEYS)) == ["badge:1"]


async def test_a_token_that_comes_again_is_an_error_and_no_circle(stack: AsyncExitStack) -> None:
    """Behaviour 46."""
    turns = iter(["a", "b", "a", "b", "a"])
    made = await scripted(stack, lambda _: page([], next(turns)))
    answer = await made.inventory(KEYS)
    assert answer.data["inventory"] == {"items": None}
    assert answer.codes == ["UPSTREAM_INVALID"]
    assert len(made.services.requests) == 4


async def test_a_page_that_fails_leaves_what_was_read(stack: AsyncExitStack) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(400, json={"code": "X", "message": "m"}) if "pageToken" in str(request.url) else first

    first = page([badge(1)], "a")
    made = await scripted(stack, answer)
    selected = "items { totalCount isComplete problems { code } nodes { key } }"
    shown = (await made.inventory(selected)).whole()["inventory"]["items"]
    assert [node["key"] for node in shown["nodes"]] == ["badge:1"]
    assert (shown["isComplete"], shown["totalCount"]) == (False, None)
    assert [problem["code"] for problem in shown["problems"]] == ["UPSTREAM_INVALID"]


async def test_a_page_of_the_graph_costs_no_more_pages_than_it_needs(stack: AsyncExitStack) -> None:
    rows = [badge(number) for number in range(1, 60)]

    def answer(request: httpx.Request) -> httpx.Response:
        at = int(request.url.params.get("pageToken", "0"))
        return page(rows[at : at + 20], str(at + 20) if at + 20 < len(rows) else "")

    made = await scripted(stack, answer)
    shown = (await made.inventory("items(first: 10) { nodes { key } pageInfo { hasNextPage endCursor } }")).whole()
    assert shown["inventory"]["items"]["pageInfo"]["hasNextPage"] is True
    assert len(made.services.requests) == 2
    counted = (await made.inventory("items(first: 10) { totalCount nodes { key } }")).whole()
    assert counted["inventory"]["items"]["totalCount"] == 59
    seen: list[str] = []
    after = ""
    while after is not None:
        query = f"items(first: 7{f', after: {chr(34)}{after}{chr(34)}' if after else ''})"
        part = (await made.inventory(f"{query} {{ nodes {{ key }} pageInfo {{ hasNextPage endCursor }} }}")).whole()
        found = part["inventory"]["items"]
        seen += [node["key"] for node in found["nodes"]]
        after = found["pageInfo"]["endCursor"] if found["pageInfo"]["hasNextPage"] else None
    assert seen == [f"badge:{number}" for number in range(1, 60)]


async def test_a_filter_that_hardly_anything_passes_reads_on(stack: AsyncExitStack) -> None:
    def limited(number: int) -> dict[str, Any]:
        details = {"assetId": "1", "inventoryItemAssetType": "HAT", "instanceId": str(number)}
        return (
            {"assetDetails": {**details, "collectibleDetails": {"itemId": "i"}}}
            if number <= 300
            else {"assetDetails": details}
        )

    rows = [limited(number) for number in range(1, 312)]

    def answer(request: httpx.Request) -> httpx.Response:
        at = int(request.url.params.get("pageToken", "0"))
        return page(rows[at : at + 100], str(at + 100) if at + 100 < len(rows) else "")

    made = await scripted(stack, answer)
    selected = "{ nodes { key } totalCount pageInfo { hasNextPage endCursor } }"
    first = (await made.inventory(f"items(first: 5, filter: {{ isCollectible: false }}) {selected}")).whole()
    shown = first["inventory"]["items"]
    assert [node["key"] for node in shown["nodes"]] == [f"asset:{number}" for number in range(301, 306)]
    assert (shown["totalCount"], shown["pageInfo"]["hasNextPage"]) == (11, True)
    none = (await made.inventory(f"items(first: 5, filter: {{ minQuantity: 2 }}) {selected}")).whole()
    assert none["inventory"]["items"]["pageInfo"]["hasNextPage"] is False


async def test_what_comes_on_two_pages_is_listed_once(stack: AsyncExitStack) -> None:
    pages: dict[str | None, tuple[list[Any], str]] = {
        None: ([badge(1), badge(2)], "a"),
        "a": ([badge(2), badge(3)], ""),
    }
    made = await scripted(stack, lambda request: page(*pages[request.url.params.get("pageToken")]))
    answer = await made.inventory("items { totalCount nodes { key } } totals { totalCount }")
    assert keys(answer) == ["badge:1", "badge:2", "badge:3"]
    assert answer.data["inventory"]["items"]["totalCount"] == answer.data["inventory"]["totals"]["totalCount"] == 3


async def test_a_batch_that_fails_leaves_the_others(stack: AsyncExitStack) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        ids = request.url.params["filter"].partition("=")[2].split(",")
        return httpx.Response(400, json={"code": "X"}) if "60" in ids else page([badge(int(number)) for number in ids])

    made = await scripted(stack, answer)
    wanted = ", ".join(f'"badge:{number}"' for number in range(1, 121))
    selected = f"items(filter: {{ definitionKeys: [{wanted}] }}, first: 250) {{ isComplete nodes {{ key }} }}"
    shown = (await made.inventory(selected)).whole()["inventory"]["items"]
    assert (shown["isComplete"], len(shown["nodes"])) == (False, 70)


async def test_ids_are_asked_for_in_batches(stack: AsyncExitStack) -> None:
    made = await scripted(stack, lambda _: page([]))
    wanted = ", ".join(f'"asset:{number}"' for number in range(1, 121))
    answer = await made.inventory(f"items(filter: {{ definitionKeys: [{wanted}] }}) {{ nodes {{ key }} }}")
    assert keys(answer) == []
    filters = [request.url.params["filter"] for request in made.services.requests if "filter" in request.url.params]
    assert sorted(text.count(",") + 1 for text in filters) == [20, 50, 50]


async def test_the_filter_asks_for_what_the_list_may_show_and_no_more(front: Front) -> None:
    for given, text in (
        ('{ kinds: ["Asset"] }', "inventoryItemAssetTypes=*"),
        ('{ kinds: ["Badge", "GamePass"] }', "badges=true;gamePasses=true"),
        ('{ kinds: ["PrivateServer"] }', "privateServers=true"),
        ('{ kinds: ["Asset", "Badge"] }', "inventoryItemAssetTypes=*;badges=true"),
        ("{ }", None),
    ):
        front.services.requests.clear()
        answer = await front.inventory(f"items(filter: {given}) {{ nodes {{ key }} }}")
        assert not answer.errors
        asked = [request for request in front.services.requests if "inventory-items" in request.url.path]
        assert [request.url.params.get("filter") for request in asked] == [text]
    assert keys(await front.inventory('items(filter: { kinds: ["Nothing"] }) { nodes { key } }')) == []


async def test_a_view_asks_for_its_own_types(front: Front) -> None:
    answer = await front.inventory('container(key: "view:Tops") { items { nodes { key } } }')
    assert answer.whole()["inventory"]["container"]["items"]["nodes"] == []
    (asked,) = [request for request in front.services.requests if "inventory-items" in request.url.path]
    assert asked.url.params["filter"] == (
        "inventoryItemAssetTypes=TSHIRT_ACCESSORY,SHIRT_ACCESSORY,JACKET_ACCESSORY,SWEATER_ACCESSORY"
    )
    front.services.requests.clear()
    answer = await front.inventory('container(key: "view:Places/Created by Me") { items { nodes { key name } } }')
    assert answer.whole()["inventory"]["container"]["items"]["nodes"] == [{"key": "place:310", "name": "Lantern Bay"}]
    assert [path for path in front.services.paths if "inventory-items" in path] == []
    assert "/v1/users/42/places/inventory?placesTab=Created&itemsPerPage=100&cursor=" in front.services.paths


async def test_what_the_service_does_not_list_is_unsupported_and_never_empty(front: Front) -> None:
    for selected in (
        'container(key: "collection") { ... on RobloxCollection { entries { nodes { key } } } }',
        'items(filter: { kinds: ["Bundle"] }) { nodes { key } }',
        'container(key: "view:Heads/Heads") { items { nodes { key } } }',
    ):
        answer = await front.inventory(selected)
        assert answer.codes == ["UNSUPPORTED"], selected
    mixed = (
        await front.inventory('items(filter: { kinds: ["Bundle", "Badge"] }) { isComplete nodes { key } }')
    ).whole()
    assert mixed["inventory"]["items"] == {"isComplete": False, "nodes": [{"key": "badge:501"}, {"key": "badge:502"}]}
    liked = (await front.inventory('container(key: "favorites:Faces") { items { nodes { key } } }')).whole()
    assert liked["inventory"]["container"] == {"items": None}


# --- joins ------------------------------------------------------------------------------------------------------------


async def test_names_are_joined_only_when_they_are_asked_for(front: Front) -> None:
    """One question to v1 for each definition, however many copies there are, and only a few at a time."""
    await front.inventory(KEYS)
    assert front.services.paths == ["/v1/users/42/can-view-inventory", _whole_list()]
    front.services.requests.clear()
    shown = (await front.inventory(ITEMS)).whole()["inventory"]["items"]["nodes"]
    assert {node["key"]: node["name"] for node in shown}["asset:5001"] == "Paper Crown"
    asked = Counter(path for path in front.services.paths if "/items/" in path)
    assert {*asked.values()} == {1}
    assert len(asked) == len(WHOLE) - 2
    assert 1 < front.services.most <= 8


def _whole_list() -> str:
    return "/cloud/v2/users/42/inventory-items?maxPageSize=100"


async def test_prices_are_joined_only_when_they_are_asked_for(front: Front) -> None:
    await front.inventory("items(first: 250) { nodes { collectible { serialNumber state isOnHold } } }")
    assert not any("collectibles" in path for path in front.services.paths)
    front.services.requests.clear()
    answer = await front.inventory(
        "items(filter: { isCollectible: true }) { nodes { key collectible { stock recentAveragePrice } } }"
    )
    nodes = answer.whole()["inventory"]["items"]["nodes"]
    assert {node["key"]: node["collectible"] for node in nodes}["asset:5105"] == {
        "stock": "100",
        "recentAveragePrice": "5000000000",
    }
    assert sum("collectibles" in path for path in front.services.paths) == 1


async def test_a_filter_by_text_joins_the_names_that_it_needs(front: Front) -> None:
    answer = await front.inventory('items(filter: { text: "crown" }) { nodes { key } totalCount }')
    assert keys(answer) == ["asset:5001", "asset:5002"]
    assert answer.data["inventory"]["items"]["totalCount"] == 2


async def test_a_session_without_a_key_is_told_what_v1_tells(front: Front, dialects: Dialects) -> None:
    front.use(cookie=await dialects.secret("cookie"))
    answer = await front.inventory(KEYS)
    assert answer.codes == ["UNAUTHENTICATED"]
    shown = await front.inventory(
        """isVisible collectibles { nodes { key collectible { serialNumber stock } ... on RobloxAsset { assetType } } }
        items(filter: { definitionKeys: ["asset:7100", "pass:88", "badge:503"] }) { nodes { key } }"""
    )
    inventory = shown.whole()["inventory"]
    assert [node["key"] for node in inventory["items"]["nodes"]] == ["asset:5001", "asset:5002", "pass:88"]
    assert inventory["collectibles"]["nodes"][0]["collectible"] == {"serialNumber": "12", "stock": "9000"}
    assert not any("cloud" in path for path in front.services.paths)


async def test_items_are_found_again_by_their_ids(front: Front) -> None:
    found = ("asset:5001", "badge:501", "pass:88", "bundle:12", "server:3000", "place:310", "place:310/MyGames")
    missing = ("asset:1", "badge:503", "bundle:13", "server:1", "place:1", "pass:5")
    ids = [encode_id(ITEM, ItemRef("roblox", MIRA, key)) for key in (*found, *missing)]
    answer = await front.ask("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids)
    assert [node and node["id"] for node in answer["nodes"]] == [*ids[: len(found)], *[None] * len(missing)]


async def test_what_a_package_is_made_of_is_asked_of_v1(front: Front) -> None:
    answer = await front.ask(
        """{ itemDefinitions(provider: ROBLOX, keys: ["asset:7200", "asset:7100", "asset:1"]) {
          key name ... on RobloxDefinition { members { key } } } }"""
    )
    assert answer["itemDefinitions"] == [
        {"key": "asset:7200", "name": "Tin Knight", "members": [{"key": "asset:7201"}, {"key": "asset:7202"}]},
        {"key": "asset:7100", "name": "Paper Crown", "members": None},
        None,
    ]


async def test_ownership_is_asked_of_v1_and_what_does_not_exist_is_not_found(front: Front) -> None:
    for key, owns, code in (
        ("asset:7100", True, None),
        ("asset:7107", False, None),
        ("bundle:12", True, None),
        ("asset:1", None, "7"),
        ("pass:1", None, "5"),
        ("badge:7100", None, "10"),
        ("bundle:1", None, "12"),
    ):
        answer = await front.asked.ask(
            f'{{ inventoryOwner(owner: {{ provider: ROBLOX, key: "42" }}) {{ owns(definitionKey: "{key}") }} }}'
        )
        assert answer.data["inventoryOwner"]["owns"] is owns
        assert [error["extensions"]["providerCode"] for error in answer.errors] == ([] if code is None else [code])
        assert answer.codes == ([] if code is None else ["NOT_FOUND"])


# --- what is hidden, and what is not there ----------------------------------------------------------------------------


async def test_hidden_empty_and_unknown_are_told_apart(front: Front, dialects: Dialects) -> None:
    await dialects.seed({"/v1/users/77": {"id": 77, "name": "noa", "displayName": "Noa"}})
    names = ("items", "collectibles", "containers", "totals")
    lists = "isVisible " + " ".join(f"{name} {{ nodes {{ key }} }}" for name in names)
    front.use(key=await dialects.secret("key"))
    hidden = await front.inventory(lists, THEO)
    assert hidden.data["inventory"] == {
        "isVisible": False,
        "items": None,
        "collectibles": None,
        "containers": None,
        "totals": None,
    }
    assert hidden.codes == ["FORBIDDEN"] * 4
    empty = (await front.inventory(lists, "77")).whole()["inventory"]
    assert empty["isVisible"] is True
    assert empty["items"]["nodes"] == empty["collectibles"]["nodes"] == empty["totals"]["nodes"] == []
    assert (await front.inventory(lists, "9")).whole() == {"inventory": None}
    # The owner's own key opens what v1 shows to nobody.
    front.use(key=await dialects.secret("key", THEO))
    own = (await front.inventory(f"isVisible {KEYS}", THEO)).whole()["inventory"]
    assert own["isVisible"] is True
    assert [node["key"] for node in own["items"]["nodes"]] == ["asset:5301", "asset:5302", "pass:88"]


async def test_a_closed_inventory_is_closed_to_every_list(front: Front, dialects: Dialects) -> None:
    front.use(key=await dialects.secret("key"))
    for selected in (
        'items(filter: { kinds: ["Nope"] }) { nodes { key } }',
        "items(filter: { kinds: [] }) { nodes { key } }",
        'items(filter: { kinds: ["Place"] }) { nodes { key } }',
        'totals(filter: { kinds: ["Nope"] }) { nodes { key } }',
        'items(filter: { definitionKeys: ["bundle:12"] }) { nodes { key } }',
    ):
        assert (await front.inventory(selected, THEO)).codes == ["FORBIDDEN"], selected
    ids = [encode_id(ITEM, ItemRef("roblox", THEO, key)) for key in ("place:310", "asset:5301", "pass:88")]
    assert await front.ask("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids) == {"nodes": [None] * 3}


async def test_the_dialect_is_served_over_the_service_too(front: Front, dialects: Dialects) -> None:
    """Another gateway's dialects, over our client of the first."""
    client, cookie = front.asked.client, await dialects.cookie()
    for path in (
        "/v1/users/42/assets/collectibles?limit=10",
        "/v1/users/42/items/Asset/7100",
        "/v1/users/42/items/Asset/7100/is-owned",
        "/v1/users/42/items/Asset/1",
        "/v1/users/42/can-view-inventory",
        "/v1/users/42/categories",
        "/v1/users/42/places/inventory?placesTab=MyGames",
        "/v1/packages/7200/assets",
        "/v1/users/9/can-view-inventory",
    ):
        here = await dialects.get(path, cookie)
        there = await client.get(f"/rest/roblox{path}", headers=cookie)
        assert (there.status_code, there.json()) == (here.status_code, _untold(here.json())), path
    key = await dialects.key()
    for query in ("", "?maxPageSize=3", "?filter=inventoryItemAssetTypes=HAT", "?filter=x"):
        here = await dialects.get(f"/cloud/v2/users/42/inventory-items{query}", key)
        there = await client.get(f"/rest/roblox/cloud/v2/users/42/inventory-items{query}", headers=key)
        assert there.status_code == here.status_code
        assert there.json().get("inventoryItems") == here.json().get("inventoryItems")


def _untold(document: Any) -> Any:
    """Give a document without what no call tells the gateway in between."""
    if "recentAveragePrice" in str(document):
        for row in document["data"]:
            row["buildersClubMembershipType"] = "None"
    return document


async def test_the_store_hides_what_the_service_hides(front: Front, dialects: Dialects) -> None:
    local = dialects.asked
    lists = "isVisible items { nodes { key } } containers { nodes { key } } totals { nodes { key } }"
    query = f'{{ inventory(owner: {{ provider: ROBLOX, key: "43" }}) {{ {lists} }} }}'
    for part, of in (("key", MIRA), ("cookie", MIRA), ("key", THEO), ("cookie", "77")):
        headers = {f"X-Credential-roblox-{part}": await dialects.secret(part, of)}
        here = await local.ask(query, headers=headers)
        is_open = (part, of) in (("cookie", MIRA), ("key", THEO))
        assert here.data["inventory"]["isVisible"] is is_open
        assert [here.data["inventory"][name] is None for name in ("items", "containers", "totals")] == [not is_open] * 3
        assert here.codes == ([] if is_open else ["FORBIDDEN"] * 3)


# --- credentials ------------------------------------------------------------------------------------------------------


async def test_whose_a_credential_is_is_asked_once_for_many_questions(front: Front) -> None:
    wanted = ", ".join(f'"asset:{number}"' for number in (7100, 7101, 7102, 7103, 7104, 7105))
    await front.ask(f"{{ itemDefinitions(provider: ROBLOX, keys: [{wanted}]) {{ name }} }}")
    assert sum("authenticated" in path for path in front.services.paths) == 1


@pytest.mark.parametrize("part", ["cookie", "key", "token"])
async def test_whose_a_credential_is_is_asked_once(front: Front, dialects: Dialects, part: str) -> None:
    front.use(**{part: await dialects.secret(part, THEO)})
    for _ in range(2):
        answer = await front.ask('{ inventory(owner: { provider: ROBLOX, key: "me" }) { owner { key } } }')
        assert answer["inventory"]["owner"]["key"] == THEO
    asked = [
        path for path in front.services.paths if "authenticated" in path or "introspect" in path or "userinfo" in path
    ]
    assert len(asked) == 1
    front.use()
    answer = await front.asked.ask('{ inventory(owner: { provider: ROBLOX, key: "me" }) { id } }')
    assert answer.codes == ["UNAUTHENTICATED"]


async def test_each_host_is_sent_its_own_part_alone(front: Front, dialects: Dialects) -> None:
    await front.inventory(f"{ITEMS} collectibles {{ nodes {{ collectible {{ stock }} }} }}")
    cookie, key = await dialects.secret("cookie"), await dialects.secret("key")
    for request in front.services.requests:
        sent = str(request.headers.raw) + str(request.url)
        is_cloud = "/cloud/" in request.url.path
        assert (key in sent, cookie in sent) == (is_cloud, not is_cloud)
        assert key not in str(request.url)


async def test_nothing_is_shared_between_credentials(front: Front, dialects: Dialects) -> None:
    queries = [f'{{ inventory(owner: {{ provider: ROBLOX, key: "42" }}) {{ {KEYS} }} }}'] * 2
    headers = [
        {"X-Credential-roblox-key": await dialects.secret("key", MIRA)},
        {"X-Credential-roblox-key": await dialects.secret("key", THEO)},
    ]
    answers = await asyncio.gather(
        *(front.asked.ask(query, headers=sent) for query, sent in zip(queries, headers, strict=True))
    )
    found = [len(answer.whole()["inventory"]["items"]["nodes"]) for answer in answers]
    assert found == [len(WHOLE), len(WHOLE) - 2]
    lists = [path for path in front.services.paths if "inventory-items" in path]
    assert len(lists) == 2


async def test_the_newest_cookie_is_sent(stack: AsyncExitStack) -> None:
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("cookie", ""))
        headers = {"set-cookie": ".ROBLOSECURITY=newer|one; Domain=.roblox.com; HttpOnly"} if len(sent) == 1 else {}
        return httpx.Response(200, json={"id": 42, "name": "mira", "displayName": "Mira"}, headers=headers)

    made = await scripted(stack, answer)
    made.use(cookie="older")
    for _ in range(2):
        await made.ask('{ inventoryOwner(owner: { provider: ROBLOX, key: "42" }) { details { __typename } } }')
    assert sent == [".ROBLOSECURITY=older", ".ROBLOSECURITY=newer|one"]


async def test_a_newer_cookie_that_is_no_longer_accepted_is_dropped(stack: AsyncExitStack) -> None:
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("cookie", ""))
        if sent[-1].endswith("newer"):
            return httpx.Response(401)
        headers = {"set-cookie": ".ROBLOSECURITY=newer; HttpOnly"} if len(sent) == 1 else {}
        return httpx.Response(200, json={"id": 42, "name": "mira", "displayName": "Mira"}, headers=headers)

    made = await scripted(stack, answer)
    made.use(cookie="older")
    query = '{ inventoryOwner(owner: { provider: ROBLOX, key: "42" }) { details { __typename } } }'
    codes = [(await made.asked.ask(query)).codes for _ in range(3)]
    assert codes == [[], ["UNAUTHENTICATED"], []]
    assert sent == [".ROBLOSECURITY=older", ".ROBLOSECURITY=newer", ".ROBLOSECURITY=older"]


async def test_a_redirect_is_never_followed_and_no_secret_is_told(
    stack: AsyncExitStack, capsys: pytest.CaptureFixture[str]
) -> None:
    """Behaviour 49."""
    made = await open_front(
        stack, None, lambda _: httpx.Response(302, headers={"location": "https://elsewhere.test/steal"})
    )
    made.use(cookie="geheim-cookie", key="geheim-key")
    answer = await made.inventory(KEYS)
    assert answer.codes
    assert {request.url.host for request in made.services.requests} == {"services.test"}
    for text in (str(answer.body), *capsys.readouterr()):
        assert "geheim" not in text
        assert "elsewhere" not in text


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 418, 500, 503])
async def test_an_error_that_echoes_a_secret_tells_nothing_of_it(stack: AsyncExitStack, status: int) -> None:
    made = await open_front(
        stack, None, lambda request: httpx.Response(status, json={"code": "X", "message": str(request.headers)})
    )
    made.use(cookie="geheim-cookie", key="geheim-key")
    answer = await made.inventory(f"{KEYS} collectibles {{ nodes {{ key }} }}")
    assert "geheim" not in str(answer.body)


# --- quotas -----------------------------------------------------------------------------------------------------------


async def test_a_429_is_waited_out(stack: AsyncExitStack) -> None:
    """Behaviour 48."""
    begun: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        begun.append(time.monotonic())
        if len(begun) == 1:
            body = {"code": "RESOURCE_EXHAUSTED", "message": "Too many requests."}
            return httpx.Response(429, json=body, headers={"retry-after": "1"})
        return page([badge(1)])

    made = await scripted(stack, answer)
    assert keys(await made.inventory(KEYS)) == ["badge:1"]
    assert begun[1] - begun[0] >= 1


async def test_a_quota_that_names_no_time_is_backed_off_from(stack: AsyncExitStack) -> None:
    """Behaviour 48."""
    answers = iter([httpx.Response(429, json={"errors": [{"code": 0, "message": "Too many requests"}]}), page([])])
    made = await scripted(stack, lambda _: next(answers))
    assert keys(await made.inventory(KEYS)) == []


async def test_a_limit_that_outlasts_the_call_is_told(stack: AsyncExitStack) -> None:
    made = await scripted(
        stack,
        lambda _: httpx.Response(
            429, json={"code": "RESOURCE_EXHAUSTED", "message": ""}, headers={"retry-after": "3000"}
        ),
    )
    answer = await made.inventory(KEYS)
    assert answer.codes == ["RATE_LIMITED"]
    assert answer.errors[0]["extensions"]["retryAfter"] > 2_000


async def test_what_is_left_of_a_quota_steers_the_next_call(stack: AsyncExitStack) -> None:
    """Behaviour 48."""
    begun: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        begun.append(time.monotonic())
        left = "0" if len(begun) == 1 else "99"
        headers = {"x-ratelimit-limit": "100, 100;w=60", "x-ratelimit-remaining": left, "x-ratelimit-reset": "1"}
        found = page([badge(len(begun))], "more" if len(begun) == 1 else "")
        return httpx.Response(200, content=found.content, headers={**headers, "content-type": "application/json"})

    made = await scripted(stack, answer)
    assert keys(await made.inventory(KEYS)) == ["badge:1", "badge:2"]
    assert begun[1] - begun[0] >= 1


async def test_one_call_that_is_limited_stops_no_other(stack: AsyncExitStack) -> None:
    def instead(request: httpx.Request) -> httpx.Response:
        if CAN_VIEW in request.url.path:
            headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "500"}
            return httpx.Response(200, json={"canView": True}, headers=headers)
        return httpx.Response(200, json=True)

    made = await open_front(stack, None, instead)
    made.use(cookie="some-cookie")
    query = '{ inventoryOwner(owner: { provider: ROBLOX, key: "42" }) { owns(definitionKey: "asset:1") } }'
    for _ in range(3):
        assert (await made.ask(query)) == {"inventoryOwner": {"owns": True}}
    # Who was there is not asked about again, for some minutes.
    assert sum(CAN_VIEW in path for path in made.services.paths) == 1


# --- the collection ---------------------------------------------------------------------------------------------------

CHANGE = """mutation($keys: [String!]!) { %s(input: { owner: { provider: ROBLOX, key: "42" }, definitionKeys: $keys }) {
  container { key } definitions { key } changes { updatedIds versions { version } }
  errors { code path providerCode message } } }"""
ADD, REMOVE = CHANGE % "addToCollection", CHANGE % "removeFromCollection"


async def test_the_handshake_is_done_once_and_its_token_kept(front: Front) -> None:
    """Behaviour 47."""
    done = (await front.ask(ADD, keys=["asset:7101"]))["addToCollection"]
    assert (done["errors"], done["definitions"]) == ([], [{"key": "asset:7101"}])
    writes = [request for request in front.services.requests if request.method == "POST"]
    assert ["x-csrf-token" in request.headers for request in writes] == [False, True]
    assert {request.headers["content-type"] for request in writes} == {"application/json"}
    front.services.requests.clear()
    assert (await front.ask(REMOVE, keys=["asset:7101"]))["removeFromCollection"]["errors"] == []
    assert [request.method for request in front.services.requests if request.method != "GET"] == ["DELETE"]


async def test_a_refusal_that_is_no_handshake_is_not_repeated(stack: AsyncExitStack) -> None:
    """Behaviour 47."""
    body = {"errors": [{"code": 4, "message": "You don't own the specified item."}]}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"id": 42, "name": "mira"})
        return httpx.Response(403, json=body)

    made = await scripted(stack, answer)
    made.use(cookie="some-cookie")
    payload = (await made.ask(ADD, keys=["asset:1"]))["addToCollection"]
    assert [(error["code"], error["providerCode"]) for error in payload["errors"]] == [("FORBIDDEN", "4")]
    assert sum(request.method == "POST" for request in made.services.requests) == 1


async def test_a_handshake_that_never_ends_is_given_up(stack: AsyncExitStack) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"id": 42, "name": "mira"})
        return httpx.Response(
            403,
            json={"errors": [{"code": 0, "message": "XSRF token invalid"}]},
            headers={"x-csrf-token": f"t{len(made.services.requests)}"},
        )

    made = await scripted(stack, answer)
    made.use(cookie="some-cookie")
    payload = (await made.ask(ADD, keys=["asset:1"]))["addToCollection"]
    assert [error["code"] for error in payload["errors"]] == ["FORBIDDEN"]
    assert sum(request.method == "POST" for request in made.services.requests) == 2


async def test_every_entry_is_done_by_itself_and_refused_by_itself(front: Front) -> None:
    given = ["asset:7101", "asset:7107", "asset:7200", "asset:7100", "asset:1", "bundle:1", "asset:7103"]
    payload = (await front.ask(ADD, keys=given))["addToCollection"]
    assert [(error["code"], error["path"], error["providerCode"]) for error in payload["errors"]] == [
        ("FORBIDDEN", ["definitionKeys", "1"], "4"),
        ("INVALID_INPUT", ["definitionKeys", "2"], "5"),
        ("CONFLICT", ["definitionKeys", "3"], "7"),
        ("NOT_FOUND", ["definitionKeys", "4"], "2"),
        ("NOT_FOUND", ["definitionKeys", "5"], "3"),
    ]
    assert [one["key"] for one in payload["definitions"]] == ["asset:7101", "asset:7103"]
    refused = (await front.ask(REMOVE, keys=["asset:7102"]))["removeFromCollection"]
    assert [(error["code"], error["providerCode"]) for error in refused["errors"]] == [("NOT_FOUND", "8")]
    assert refused["changes"] is None
    for wrong in (["pass:88"], ["badge:501"], ["x"], []):
        payload = (await front.ask(ADD, keys=wrong))["addToCollection"]
        assert [error["code"] for error in payload["errors"]] == ["INVALID_INPUT"]


async def test_only_the_sessions_own_collection_is_changed(front: Front, dialects: Dialects) -> None:
    for parts, code in (
        ({"key": await dialects.secret("key")}, "UNAUTHENTICATED"),
        ({"cookie": await dialects.secret("cookie", THEO)}, "FORBIDDEN"),
        ({}, "UNAUTHENTICATED"),
    ):
        front.use(**parts)
        payload = (await front.ask(ADD, keys=["asset:7101"]))["addToCollection"]
        assert [error["code"] for error in payload["errors"]] == [code]
    assert not any(
        request.method == "POST" and "collections" in request.url.path for request in front.services.requests
    )


async def test_a_write_that_was_never_answered_is_of_unknown_outcome(stack: AsyncExitStack) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"id": 42, "name": "mira"})
        raise OutcomeUnknown("there was no answer")

    made = await scripted(stack, answer)
    made.use(cookie="some-cookie")
    answer_ = await made.asked.ask(ADD, keys=["asset:1"])
    assert answer_.codes == ["OUTCOME_UNKNOWN"]
    assert sum(request.method == "POST" for request in made.services.requests) == 1


def _lost() -> httpx.Response:
    raise OutcomeUnknown("there was no answer")


@pytest.mark.parametrize(
    ("third", "code"),
    [
        (lambda: httpx.Response(429, json={"errors": [{"code": 0}]}, headers={"retry-after": "3000"}), "CONFLICT"),
        (lambda: httpx.Response(500), "CONFLICT"),
        (_lost, "CONFLICT"),
    ],
    ids=["limited", "broken", "lost"],
)
async def test_what_a_write_did_before_it_failed_is_told(
    stack: AsyncExitStack, third: Callable[[], httpx.Response], code: str
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"id": 42, "name": "mira"})
        return third() if request.url.path.endswith("/2") else httpx.Response(200, json={})

    made = await scripted(stack, answer)
    made.use(cookie="some-cookie")
    payload = (await made.ask(ADD, keys=["asset:1", "asset:2", "asset:3"]))["addToCollection"]
    assert [one["key"] for one in payload["definitions"]] == ["asset:1"]
    assert payload["changes"]["updatedIds"]
    assert [(error["code"], error["path"]) for error in payload["errors"]] == [
        (code, ["definitionKeys", "1"]),
        ("CONFLICT", ["definitionKeys", "2"]),
    ]
    assert sum(request.method == "POST" for request in made.services.requests) == 2


# --- what comes that was not expected ---------------------------------------------------------------------------------


async def test_words_and_numbers_that_are_not_known_are_read(stack: AsyncExitStack) -> None:
    """Behaviour 50."""
    items = [
        {
            "path": "x",
            "assetDetails": {
                "assetId": "7",
                "inventoryItemAssetType": "HOVERBOARD",
                "instanceId": "70",
                "collectibleDetails": {
                    "itemId": "i",
                    "instanceId": "j",
                    "instanceState": "MELTED",
                    "serialNumber": "3",
                },
            },
            "addTime": "2024-01-01T00:00:00.123456789Z",
        },
        {"path": "x", "assetDetails": {"assetId": "8", "inventoryItemAssetType": "HAT", "instanceId": "80"}},
        {"path": "x", "hologramDetails": {"hologramId": "5"}},
    ]
    rows = [
        {
            "userAssetId": 70,
            "serialNumber": None,
            "assetId": 7,
            "name": "Board",
            "recentAveragePrice": None,
            "originalPrice": None,
            "assetStock": None,
            "buildersClubMembershipType": 4,
        }
    ]

    def answer(request: httpx.Request) -> httpx.Response:
        if "collectibles" in request.url.path:
            return httpx.Response(200, json={"previousPageCursor": None, "nextPageCursor": None, "data": rows})
        return page(items)

    made = await scripted(stack, answer)
    shown = await made.inventory(
        """items { nodes { key acquiredAt ... on RobloxAsset { assetType inventoryItemAssetType }
          collectible { serialNumber state isOnHold recentAveragePrice stock originalPrice } } }"""
    )
    hat, board = shown.whole()["inventory"]["items"]["nodes"]
    assert hat["assetType"] == "Hat"
    assert board == {
        "key": "asset:70",
        "acquiredAt": "2024-01-01T00:00:00.123456Z",
        "assetType": "HOVERBOARD",
        "inventoryItemAssetType": "HOVERBOARD",
        "collectible": {
            "serialNumber": "3",
            "state": "MELTED",
            "isOnHold": None,
            "recentAveragePrice": None,
            "stock": None,
            "originalPrice": None,
        },
    }


@pytest.mark.parametrize(
    "body",
    [b"", b"x", b"[]", b"null", b'{"inventoryItems": 5}', b'{"inventoryItems": [5]}', b"[" * 100_000],
    ids=["empty", "text", "list", "null", "number", "entry", "deep"],
)
async def test_an_answer_that_is_none_is_an_error(stack: AsyncExitStack, body: bytes) -> None:
    made = await scripted(stack, lambda _: httpx.Response(200, content=body))
    answer = await made.inventory(KEYS)
    assert answer.codes == ["UPSTREAM_INVALID"]


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (403, {"code": "PERMISSION_DENIED", "message": ""}, "FORBIDDEN"),
        (401, {"errors": [{"code": 0, "message": "Invalid API Key"}]}, "UNAUTHENTICATED"),
        (400, {"code": "INVALID_ARGUMENT", "message": ""}, "UPSTREAM_INVALID"),
        (400, {"errors": {"filter": ["bad"]}, "title": "One or more", "status": 400}, "UPSTREAM_INVALID"),
        (418, "I am a teapot", "UPSTREAM_INVALID"),
    ],
)
async def test_errors_are_read_in_every_envelope(stack: AsyncExitStack, status: int, body: Any, code: str) -> None:
    made = await scripted(stack, lambda _: httpx.Response(status, json=body))
    assert (await made.inventory(KEYS)).codes == [code]


async def test_one_bad_name_spoils_nothing_else(front: Front) -> None:
    def instead(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(418) if "/items/Asset/7101" in request.url.path else None

    front.services.instead = instead
    answer = await front.inventory(ITEMS)
    nodes = answer.data["inventory"]["items"]["nodes"]
    assert [node["key"] for node in nodes if node["name"] is None] == ["asset:9007199254740993", "server:3000"]
    assert answer.codes == ["UPSTREAM_INVALID"]
