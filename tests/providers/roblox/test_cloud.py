"""The cloud's dialect: who may list what, filters, page tokens, quotas, its envelopes."""

from __future__ import annotations

import re
from base64 import b64decode
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from gateway.providers.roblox import PROVIDER
from tests.gateways import NOW, mint
from tests.providers.roblox.conftest import CROWN, HUGE, MIRA, NOBODY, ROOT, THEO, Dialects, ids, open_dialects

WHOLE = [
    *(str(number) for number in (HUGE, 5001, 5002, 5101, 5111, 5104, 999, 5201, 5202, 5200, 5105, 5106, 6001, 6002)),
    *("badge:501", "badge:502", "gamePass:88", "gamePass:89", "privateServer:3000"),
]
"""All that the samples' owner holds, in the order of the cloud."""

OF_CONSENT = ("6002", "privateServer:3000")
"""What of it only the owner may show."""

INVALID = {"code": "INVALID_ARGUMENT", "message": "The provided filter is invalid."}


def hats(count: int, user: str = "77") -> dict[str, Any]:
    """Give the documents of a user with so many hats."""
    rows = [
        {
            "assetDetails": {
                "assetId": str(CROWN),
                "inventoryItemAssetType": "HAT",
                "instanceId": str(10_000 + number),
            },
            "addTime": f"2024-01-01T{number // 60:02}:{number % 60:02}:00Z",
        }
        for number in range(count)
    ]
    return {f"/cloud/v2/users/{user}/inventory-items": {"inventoryItems": rows, "nextPageToken": ""}}


async def test_a_page_has_ten_items_and_at_most_a_hundred(dialects: Dialects) -> None:
    """Behaviour 1."""
    await dialects.seed(hats(125))
    for given, size in ((None, 10), ("", 10), ("0", 10), ("7", 7), ("100", 100), ("1000", 100)):
        query: dict[str, Any] = {} if given is None else {"maxPageSize": given}
        assert len((await dialects.cloud("77", **query)).json()["inventoryItems"]) == size
    for wrong in ("-1", "many", "1.5", "99999999999", " 5"):
        refused = await dialects.cloud("77", maxPageSize=wrong)
        assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_ARGUMENT"), wrong


async def test_items_have_one_details_object_and_ids_as_texts(dialects: Dialects) -> None:
    """Behaviour 2. Behaviour 3. Behaviour 4. Behaviour 5."""
    items = await dialects.items()
    kinds = ("assetDetails", "badgeDetails", "gamePassDetails", "privateServerDetails")
    for item in items:
        assert len([kind for kind in kinds if kind in item]) == 1
        assert None not in item.values()
        assert {*item} <= {"path", "addTime", *kinds}
        if "gamePassDetails" in item:
            assert "addTime" not in item
        else:
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6}|\.\d{9})?Z", item["addTime"])
    assets = {item["assetDetails"]["instanceId"]: item["assetDetails"] for item in items if "assetDetails" in item}
    assert assets["5001"]["assetId"] == "7100"
    assert assets["5001"]["collectibleDetails"] == {
        "itemId": "0b1f6c52-6f0f-4d6e-9a57-000000000001",
        "instanceId": "5d0e3a0a-77a1-4a3c-8f39-000000005001",
        "instanceState": "AVAILABLE",
        "serialNumber": 12,
    }
    assert "serialNumber" not in assets["5104"]["collectibleDetails"]
    assert "collectibleDetails" not in assets["5101"]
    others = [item for item in items if "assetDetails" not in item]
    assert [[*item.values()][1] for item in others] == [
        {"badgeId": "501"},
        {"badgeId": "502"},
        {"gamePassId": "88"},
        {"gamePassId": "89"},
        {"privateServerId": "3000"},
    ]


async def test_a_public_inventory_is_read_with_any_key_and_with_no_less(dialects: Dialects) -> None:
    """Behaviour 6. Behaviour 24."""
    for headers in (
        await dialects.key(THEO, scopes=()),
        await dialects.token(THEO, scopes=()),
        await dialects.key("77", limits=("group:5",), scopes=()),
    ):
        assert ids(await dialects.items(headers=headers)) == [one for one in WHOLE if one not in OF_CONSENT]
    for headers, message in (
        ({}, "Invalid API Key"),
        ({"x-api-key": "none-of-ours"}, "Invalid API Key"),
        ({"Authorization": "Bearer none-of-ours"}, "Invalid token"),
        ({"Authorization": f"bearer {await dialects.secret('token')}"}, "Invalid token"),
        ({"Authorization": f"Bearer  {await dialects.secret('token')}"}, "Invalid token"),
        (await dialects.cookie(), "Invalid API Key"),
        ({"x-api-key": await dialects.secret("cookie")}, "Invalid API Key"),
        ({"x-api-key": await dialects.secret("token")}, "Invalid API Key"),
    ):
        refused = await dialects.cloud(headers=headers)
        assert refused.status_code == 401
        assert refused.json() == {"errors": [{"code": 0, "message": message}]}


async def test_a_key_comes_before_a_token(dialects: Dialects) -> None:
    both = {**await dialects.key(THEO), **await dialects.token()}
    assert len(await dialects.items(headers=both)) == len(WHOLE) - len(OF_CONSENT)
    good_token = {"x-api-key": "none-of-ours", **await dialects.token()}
    assert (await dialects.cloud(headers=good_token)).status_code == 401


async def test_a_closed_inventory_is_opened_by_its_owners_consent_alone(dialects: Dialects) -> None:
    """Behaviour 7. Behaviour 8."""
    for headers, status in (
        (await dialects.key(THEO), 200),
        (await dialects.token(THEO), 200),
        (await dialects.key(THEO, scopes=()), 403),
        (await dialects.token(THEO, scopes=()), 403),
        # A friend.
        (await dialects.key(MIRA), 403),
        (await dialects.token(MIRA), 403),
        # A group's key, though the owner made it.
        (await dialects.key(THEO, limits=("group:5",)), 403),
    ):
        answer = await dialects.cloud(THEO, headers)
        assert answer.status_code == status
        if status == 403:
            assert answer.json()["code"] == "PERMISSION_DENIED"
        else:
            assert ids(answer.json()["inventoryItems"]) == ["5301", "5302", "gamePass:88"]


async def test_a_key_that_has_expired_is_none(dialects: Dialects) -> None:
    secret = await mint(dialects.asked.gateway, PROVIDER, MIRA, part="key", expires_at=NOW.replace(hour=4))
    headers = {"x-api-key": secret}
    assert (await dialects.cloud(headers=headers)).status_code == 200
    dialects.clock.forward(hours=2)
    assert (await dialects.cloud(headers=headers)).status_code == 401


# --- quotas -----------------------------------------------------------------------------------------------------------


async def test_keys_of_one_owner_share_a_hundred_calls_a_minute(limited: Dialects) -> None:
    """Behaviour 9. Behaviour 11."""
    first, second = await limited.key(), await limited.key(scopes=())
    statuses = [(await limited.cloud(headers=first)).status_code for _ in range(60)]
    statuses += [(await limited.cloud(headers=second)).status_code for _ in range(40)]
    assert statuses == [200] * 100
    refused = await limited.cloud(headers=second)
    assert (refused.status_code, refused.json()) == (
        429,
        {"code": "RESOURCE_EXHAUSTED", "message": "Too many requests."},
    )
    assert refused.headers["x-ratelimit-limit"] == "100, 100;w=60"
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert refused.headers["x-ratelimit-reset"] == refused.headers["retry-after"] == "60"
    assert (await limited.cloud(headers=await limited.key(THEO))).status_code == 200
    assert (await limited.cloud(headers=await limited.key(limits=("group:5",)))).status_code == 200
    limited.clock.forward(seconds=59)
    assert (await limited.cloud(headers=first)).headers["retry-after"] == "1"
    limited.clock.forward(seconds=1)
    again = await limited.cloud(headers=first)
    assert (again.status_code, again.headers["x-ratelimit-remaining"]) == (200, "99")
    assert "retry-after" not in again.headers


async def test_a_token_has_twenty_calls_a_minute_of_its_own(limited: Dialects) -> None:
    """Behaviour 10."""
    first = await limited.token()
    second = {"Authorization": f"Bearer {await mint(limited.asked.gateway, PROVIDER, MIRA, part='token')}"}
    assert [(await limited.cloud(headers=first)).status_code for _ in range(21)] == [200] * 20 + [429]
    assert (await limited.cloud(headers=second)).status_code == 200


async def test_a_call_that_is_refused_for_itself_counts_and_tells_what_is_left(limited: Dialects) -> None:
    key = await limited.key()
    refused = await limited.cloud("x", key)
    assert (refused.status_code, refused.headers["x-ratelimit-remaining"]) == (400, "99")
    assert "x-ratelimit-limit" not in (await limited.cloud(headers={})).headers


# --- filters ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", WHOLE),
        ("inventoryItemAssetTypes=*", WHOLE[:14]),
        ("inventoryItemAssetTypes=HAT;gamePasses=true;badges=false", [*WHOLE[:3], "gamePass:88", "gamePass:89"]),
        ("gamePasses=true;inventoryItemAssetTypes=HAT", [*WHOLE[:3], "gamePass:88", "gamePass:89"]),
        ("badges=TRUE", ["badge:501", "badge:502"]),
        ("badges=false", []),
        ("onlyCollectibles=true", []),
        ("onlyCollectibles=true;badges=true", []),
        ("onlyCollectibles=True;inventoryItemAssetTypes=*", ["5001", "5002", "5104"]),
        ("onlyCollectibles=true;inventoryItemAssetTypes=HAT", ["5001", "5002"]),
        ("onlyCollectibles=false;inventoryItemAssetTypes=HAT", WHOLE[:3]),
        ("assetIds=7100", ["5001", "5002"]),
        ("assetIds=7100,1,7102", ["5001", "5002", "5101"]),
        ("assetIds=7100;badgeIds=502;gamePassIds=1,88", ["5001", "5002", "badge:502", "gamePass:88"]),
        ("privateServerIds=3000,4;badgeIds=501", ["badge:501", "privateServer:3000"]),
        ("privateServers=true", ["privateServer:3000"]),
        ("inventoryItemAssetTypes=PURCHASED_PLACE,CREATED_PLACE", ["6001", "6002"]),
        (" badges = true ; gamePasses=true; ", WHOLE[14:18]),
        ("assetIds=99999999999999999999999", []),
    ],
)
async def test_a_filter_selects(dialects: Dialects, text: str, expected: list[str]) -> None:
    """Behaviour 13. Behaviour 14. Behaviour 15. Behaviour 17."""
    for size in (1, 3, 100):
        assert ids(await dialects.items(filter=text, maxPageSize=size)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "assetIds=1;badges=true",
        "badges=true;badges=false",
        "badges",
        "badges=",
        "badges=yes",
        "badges=true,true",
        "nothing=true",
        "Badges=true",
        "assetIds=",
        "assetIds=1,,2",
        "assetIds=x",
        "assetIds=0",
        "assetIds=-1",
        "inventoryItemAssetTypes=hat",
        "inventoryItemAssetTypes=*,HAT",
        "inventoryItemAssetTypes=INVENTORY_ITEM_ASSET_TYPE_UNSPECIFIED",
        "badges=true;;",
        ";",
        "=true",
        "assetIds=" + ",".join(map(str, range(1, 502))),
    ],
)
async def test_a_filter_that_cannot_be_is_refused(dialects: Dialects, text: str) -> None:
    """Behaviour 12. Behaviour 25."""
    refused = await dialects.cloud(filter=text)
    assert (refused.status_code, refused.json()) == (400, INVALID)


async def test_a_filter_may_have_five_hundred_ids(dialects: Dialects) -> None:
    text = "assetIds=7100," + ",".join(map(str, range(10_001, 10_500)))
    assert ids(await dialects.items(filter=text)) == ["5001", "5002"]


async def test_a_filter_means_the_same_raw_and_quoted(dialects: Dialects) -> None:
    """Behaviour 16."""
    key = await dialects.key()
    text = "onlyCollectibles=true;inventoryItemAssetTypes=*"
    raw = f"{ROOT}/cloud/v2/users/42/inventory-items?maxPageSize=50&filter="
    # As bytes, so that nothing on the way quotes it.
    plain, quoted = [
        await dialects.asked.client.send(httpx.Request("GET", httpx.URL(f"http://localhost{raw}{form}"), headers=key))
        for form in (text, quote(text, safe=""))
    ]
    assert plain.json() == quoted.json()
    assert ids(plain.json()["inventoryItems"]) == ["5001", "5002", "5104"]
    listed = await dialects.get(f"{raw.removeprefix(ROOT)}assetIds=7100,7102;badgeIds=501", key)
    assert ids(listed.json()["inventoryItems"]) == ["5001", "5002", "5101", "badge:501"]


async def test_what_needs_consent_is_refused_by_name_and_left_out_otherwise(dialects: Dialects) -> None:
    """Behaviour 24."""
    for headers in (await dialects.key(THEO), await dialects.key(scopes=())):
        for text in ("privateServers=true", "privateServerIds=3000", "inventoryItemAssetTypes=HAT,PURCHASED_PLACE"):
            refused = await dialects.cloud(headers=headers, filter=text)
            assert (refused.status_code, refused.json()["code"]) == (403, "PERMISSION_DENIED"), text
        listed = await dialects.items(headers=headers, filter="inventoryItemAssetTypes=*;privateServers=false")
        assert ids(listed) == [one for one in WHOLE[:14] if one not in OF_CONSENT]
        assert ids(await dialects.items(headers=headers, filter="assetIds=310,311")) == ["6001"]


# --- paging -----------------------------------------------------------------------------------------------------------


async def test_paths_are_made_of_the_instance_and_stay(dialects: Dialects) -> None:
    """Behaviour 22."""
    paths = {one: item["path"] for one, item in zip(WHOLE, await dialects.items(), strict=True)}
    assert len({*paths.values()}) == len(WHOLE)
    for one, path in paths.items():
        assert path.startswith("users/42/inventory-items/")
        name = path.rpartition("/")[2]
        assert "=" not in name
        text = b64decode(name + "=" * (-len(name) % 4)).decode()
        words = {"badge": "BADGE_ID", "gamePass": "GAME_PASS_ID", "privateServer": "PRIVATE_SERVER_ID"}
        kind, _, number = one.rpartition(":")
        assert text == f"{words.get(kind, 'USER_ASSET_ID')}={number}"
    for text in ("inventoryItemAssetTypes=HAT", "assetIds=7100"):
        assert {item["path"] for item in await dialects.items(filter=text)} <= {*paths.values()}


async def test_the_last_page_has_an_empty_token(dialects: Dialects) -> None:
    """Behaviour 23."""
    assert (await dialects.cloud(maxPageSize=100)).json()["nextPageToken"] == ""
    # As many as pages hold: no empty page comes after.
    assert (await dialects.cloud(filter="badges=true", maxPageSize=2)).json()["nextPageToken"] == ""
    empty = (await dialects.cloud(filter="badges=false")).json()
    assert empty == {"inventoryItems": [], "nextPageToken": ""}


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_pages_cover_everything_once_while_others_come_and_go(stored: Dialects, size: int) -> None:
    """Behaviour 21."""
    assert ids(await stored.items(maxPageSize=size)) == WHOLE
    first = (await stored.cloud(maxPageSize=size)).json()
    found = ids(first["inventoryItems"])
    # One before the place that was reached comes, one after it goes.
    new = {"assetDetails": {"assetId": "7101", "inventoryItemAssetType": "HAT", "instanceId": "1"}}
    document = {"inventoryItems": [{**new, "addTime": "2001-01-01T00:00:00Z"}], "nextPageToken": "more"}
    await stored.seed({"/cloud/v2/users/42/inventory-items": document})
    assert (await stored.write("DELETE", "/v2/inventory/asset/7112")).status_code == 200
    token = first["nextPageToken"]
    while token:
        page = (await stored.cloud(maxPageSize=size, pageToken=token)).json()
        found += ids(page["inventoryItems"])
        token = page["nextPageToken"]
    untouched = [one for one in WHOLE if one != "5111"]
    assert [one for one in found if one != "5111"] == untouched


async def test_a_token_is_good_for_its_own_question_alone(dialects: Dialects) -> None:
    """Behaviour 18. Behaviour 19. Behaviour 20."""
    asked: dict[str, Any] = {"filter": "inventoryItemAssetTypes=HAT;badges=true", "maxPageSize": 2}
    token = (await dialects.cloud(**asked)).json()["nextPageToken"]
    assert (await dialects.cloud(pageToken=token, **asked)).status_code == 200
    # Another key may go on with it.
    assert (await dialects.cloud(headers=await dialects.key(THEO), pageToken=token, **asked)).status_code == 200
    changes: list[dict[str, Any]] = [
        {"filter": "badges=true;inventoryItemAssetTypes=HAT"},
        {"filter": "inventoryItemAssetTypes=HAT;badges=true;"},
        {"filter": ""},
        {"maxPageSize": 3},
    ]
    for change in changes:
        refused = await dialects.cloud(pageToken=token, **{**asked, **change})
        assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_ARGUMENT"), change
    elsewhere = await dialects.cloud(THEO, await dialects.key(THEO), pageToken=token, **asked)
    assert (elsewhere.status_code, elsewhere.json()) == (
        400,
        {"code": "INVALID_ARGUMENT", "message": "The page token is invalid."},
    )
    for place in range(len(token)):
        for other in ("A", "_"):
            if token[place] == other:
                continue
            changed = token[:place] + other + token[place + 1 :]
            assert (await dialects.cloud(pageToken=changed, **asked)).status_code == 400, place
    for wrong in (token[:-1], token + "A", token + "=", "x", "djEve30", "\u00e9", token * 40):
        assert (await dialects.cloud(pageToken=wrong, **asked)).status_code == 400
    dialects.clock.forward(hours=24, seconds=61)
    assert (await dialects.cloud(pageToken=token, **asked)).status_code == 400


async def test_the_caller_is_judged_anew_on_every_page(dialects: Dialects) -> None:
    stranger = await dialects.key(THEO)
    token = (await dialects.cloud(headers=stranger, maxPageSize=2)).json()["nextPageToken"]
    await dialects.seed({"/v1/users/42/settings": {"whoCanSeeMyInventory": "Friends", "friends": [43]}})
    assert (await dialects.cloud(headers=stranger, maxPageSize=2, pageToken=token)).status_code == 403
    assert (await dialects.cloud(maxPageSize=2, pageToken=token)).status_code == 200


async def test_tokens_are_good_after_a_restart_and_in_another_process(
    dialects: Dialects,
) -> None:
    token = (await dialects.cloud(maxPageSize=2)).json()["nextPageToken"]
    path = await dialects.write("POST", "/v1/collections/items/Asset/7101")
    assert path.status_code == 200
    async with AsyncExitStack() as stack:
        url = dialects.asked.gateway.settings.store.url
        other = await open_dialects(stack, url)
        answer = await other.cloud(headers=await dialects.key(), maxPageSize=2, pageToken=token)
        assert ids(answer.json()["inventoryItems"]) == WHOLE[2:4]


# --- order of checks, envelopes ---------------------------------------------------------------------------------------


async def test_checks_come_in_the_contracts_order(limited: Dialects) -> None:
    """Behaviour 25."""
    key = await limited.key(THEO)
    for user, query, status, code in (
        ("x", {"filter": "x", "maxPageSize": "x"}, 400, "INVALID_ARGUMENT"),
        ("-1", {}, 400, "INVALID_ARGUMENT"),
        (NOBODY, {"filter": "x"}, 400, "INVALID_ARGUMENT"),
        (NOBODY, {"maxPageSize": "-5"}, 400, "INVALID_ARGUMENT"),
        (NOBODY, {"pageToken": "x"}, 400, "INVALID_ARGUMENT"),
        (NOBODY, {"filter": "privateServers=true"}, 404, "NOT_FOUND"),
        ("0", {}, 404, "NOT_FOUND"),
        ("99999999999999999999", {}, 404, "NOT_FOUND"),
        (MIRA, {"filter": "privateServers=true"}, 403, "PERMISSION_DENIED"),
    ):
        refused = await limited.cloud(user, key, **query)
        assert (refused.status_code, refused.json()["code"]) == (status, code), (user, query)
        assert isinstance(refused.json()["message"], str)
    message = (await limited.cloud("x", key)).json()["message"]
    assert message == "Invalid User ID in the request."
    statuses = [(await limited.cloud("x", key)).status_code for _ in range(100)]
    assert statuses[-1] == 429
    assert (await limited.cloud("x", {})).status_code == 401


async def test_what_there_is_not_is_told_in_the_clouds_envelope(dialects: Dialects) -> None:
    key = await dialects.key()
    path = (await dialects.items())[0]["path"]
    for where in (f"/cloud/v2/{path}", "/cloud/v2/users/42", "/cloud/v2/users/42/inventory-items/", "/cloud/v1/x"):
        answer = await dialects.get(where, key)
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND"), where
    for method in ("POST", "PATCH", "DELETE"):
        answer = await dialects.asked.client.request(method, f"{ROOT}/cloud/v2/users/42/inventory-items", headers=key)
        assert (answer.status_code, answer.json()["code"]) == (501, "NOT_IMPLEMENTED")
    head = await dialects.asked.client.head(f"{ROOT}/cloud/v2/users/42/inventory-items", headers=key)
    assert (head.status_code, head.content) == (200, b"")


async def test_whose_a_credential_is_is_told_to_its_holder(dialects: Dialects) -> None:
    assert (await dialects.get("/oauth/v1/userinfo", await dialects.token(THEO))).json() == {"sub": THEO}
    assert (await dialects.get("/oauth/v1/userinfo", await dialects.key(THEO))).status_code == 401
    assert (await dialects.get("/oauth/v1/userinfo")).status_code == 401
    introspect = f"{ROOT}/api-keys/v1/introspect"
    key = await dialects.secret("key", THEO)
    told = (await dialects.asked.client.post(introspect, json={"apiKey": key})).json()
    assert told["authorizedUserId"] == 43
    assert told["scopes"] == [{"name": "user.inventory-item", "operations": ["read"]}]
    for body, status in ((b"{", 400), (b"[]", 401), (b'{"apiKey": "x"}', 401), (b'{"apiKey": 5}', 401)):
        assert (await dialects.asked.client.post(introspect, content=body)).status_code == status
    assert (await dialects.asked.client.post(introspect, content=b" " * 20_000)).status_code == 400
