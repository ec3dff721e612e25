"""The web's dialect: handshake, collections, collectibles, ownership, places, categories, its neighbours."""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64encode
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.model.ids import CONTAINER, ITEM, ContainerRef, ItemRef, OwnerRef, encode_id
from gateway.providers.roblox import PROVIDER
from gateway.providers.roblox.vocabulary import FAVORITE_CATEGORIES, INVENTORY_CATEGORIES
from gateway.providers.roblox.wire import render_categories
from tests.gateways import copied, mint
from tests.providers.roblox.conftest import (
    CROWN,
    GLASS_CROWN,
    HUGE,
    MIRA,
    MUSIC,
    NOBODY,
    ROOT,
    STRAW_HAT,
    THEO,
    Dialects,
    open_dialects,
    told,
)

COLLECTIBLES = "/v1/users/42/assets/collectibles"
NO_USER = (400, 1, "The specified user does not exist!")
NO_CURSOR = (400, 0, "The specified cursor is invalid.")


def limited_hats(count: int, user: str = "77") -> dict[str, Any]:
    """Give the documents of a user with so many limited hats; their numbers have one to three digits."""
    rows = [
        {
            "userAssetId": number,
            "serialNumber": None,
            "assetId": CROWN,
            "name": "Paper Crown",
            "recentAveragePrice": 1,
            "originalPrice": None,
            "assetStock": None,
            "buildersClubMembershipType": 0,
        }
        for number in range(1, count + 1)
    ]
    page = {"previousPageCursor": None, "nextPageCursor": None, "data": rows}
    return {f"/v1/users/{user}/assets/collectibles": page, f"/v1/users/{user}/settings": {"whoCanSeeMyInventory": 6}}


# --- visibility -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "sees"),
    [
        ("NoOne", ()),
        ("Friends", ("friend",)),
        ("FriendsAndFollowing", ("friend", "followed")),
        ("FriendsFollowingAndFollowers", ("friend", "followed", "follower")),
        ("AllAuthenticatedUsers", ("friend", "followed", "follower", "trusted", "stranger")),
        ("AllUsers", ("friend", "followed", "follower", "trusted", "stranger", "nobody")),
        ("TrustedFriends", ("trusted",)),
    ],
)
async def test_who_may_see_an_inventory_is_a_matter_of_level_and_relation(
    dialects: Dialects, level: str, sees: tuple[str, ...]
) -> None:
    """Behaviour 31."""
    people = {"friend": "51", "followed": "52", "follower": "53", "trusted": "54", "stranger": "55"}
    settings = {
        "whoCanSeeMyInventory": level,
        "friends": [51],
        "followings": [52],
        "followers": [53],
        "trustedFriends": [54],
    }
    await dialects.seed({"/v1/users/42/settings": settings})
    readers: dict[str, str | None] = {**people, "nobody": None}
    for name, reader in readers.items():
        can_view = await dialects.web("/v1/users/42/can-view-inventory", of=reader)
        assert can_view == {"canView": name in sees}, name
        answer = await dialects.get(COLLECTIBLES, await dialects.cookie(reader) if reader else None)
        if name in sees:
            assert len(answer.json()["data"]) == 4
        else:
            assert told(answer) == (403, 0, "The specified user's inventory is hidden.")
    assert await dialects.web("/v1/users/42/can-view-inventory") == {"canView": True}
    assert len((await dialects.web(COLLECTIBLES))["data"]) == 4


async def test_what_was_never_told_is_as_the_setting_says(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    documents = {"/v1/users/77": {"id": 77, "name": "noa", "displayName": "Noa"}}
    for given, sees in ((None, True), ("NoOne", False), ("AllAuthenticatedUsers", False)):
        async with AsyncExitStack() as stack:
            url = await copied(PROVIDER, tmp_path_factory, tmp_path)
            options: dict[str, Any] = {} if given is None else {"default_privacy": given}
            dialects = await open_dialects(stack, url, **options)
            await dialects.seed(documents)
            assert await dialects.web("/v1/users/77/can-view-inventory", of=None) == {"canView": sees}


async def test_a_cookie_that_is_good_for_nothing_is_refused(dialects: Dialects) -> None:
    for value in ("nothing", "_|WARNING:-DO-NOT-SHARE-THIS.|_x"):
        refused = await dialects.get(COLLECTIBLES, {"Cookie": f".ROBLOSECURITY={value}"})
        assert told(refused) == (401, 0, "Authorization has been denied for this request.")
    cookie = await dialects.secret("cookie")
    assert cookie.startswith("_|WARNING:-DO-NOT-SHARE-THIS.")
    among = {"Cookie": f"a=1; .ROBLOSECURITY={cookie}; b=2"}
    assert (await dialects.get("/v1/users/authenticated", among)).json()["id"] == 42
    assert told(await dialects.get("/v1/users/authenticated"))[0] == 401


# --- collectibles -----------------------------------------------------------------------------------------------------


async def test_collectibles_have_every_field_and_ids_survive(dialects: Dialects) -> None:
    """Behaviour 44."""
    rows = (await dialects.web(COLLECTIBLES))["data"]
    assert rows[0] == {
        "userAssetId": 5001,
        "serialNumber": 12,
        "assetId": CROWN,
        "name": "Paper Crown",
        "recentAveragePrice": 310,
        "originalPrice": 45,
        "assetStock": 9000,
        "buildersClubMembershipType": "RobloxPremium",
        "isOnHold": False,
    }
    assert rows[2] == {
        **rows[2],
        "serialNumber": None,
        "originalPrice": None,
        "assetStock": None,
        "recentAveragePrice": 1200,
    }
    assert rows[3]["recentAveragePrice"] == 5_000_000_000
    hats = await dialects.web(f"/v1/users/42/items/Asset/{STRAW_HAT}")
    assert hats["data"][0]["instanceId"] == HUGE
    assert b"9007199254740993" in (await dialects.get(f"/v1/users/42/items/Asset/{STRAW_HAT}")).content
    listed = await dialects.items(filter=f"assetIds={STRAW_HAT}")
    assert listed[0]["assetDetails"]["instanceId"] == "9007199254740993"
    answer = await dialects.asked.ask(
        """{ inventory(owner: { provider: ROBLOX, key: "42" }) {
          items(filter: { definitionKeys: ["asset:7101"] }) { nodes { key ... on RobloxAsset { instanceId } } } } }"""
    )
    assert answer.whole()["inventory"]["items"]["nodes"] == [
        {"key": "asset:9007199254740993", "instanceId": "9007199254740993"}
    ]


async def test_the_ends_of_a_list_are_null_and_an_empty_cursor_is_none(dialects: Dialects) -> None:
    """Behaviour 26. Behaviour 28. Behaviour 29."""
    await dialects.seed(limited_hats(25))
    path = "/v1/users/77/assets/collectibles"
    first = await dialects.web(path)
    assert len(first["data"]) == 10
    assert first["previousPageCursor"] is None
    assert await dialects.web(f"{path}?cursor=&sortOrder=&limit=") == first
    pages = await dialects.pages(path)
    assert [len(page) for page in pages] == [10, 10, 5]
    last = await dialects.web(f"{path}?limit=25")
    assert (last["previousPageCursor"], last["nextPageCursor"]) == (None, None)
    for wrong in ("30", "0", "-10", "1000", "ten", "10.0"):
        assert await dialects.fault(f"{path}?limit={wrong}") == (400, 0, "Allowed values: 10, 25, 50, 100")
    error = (await dialects.get(f"{path}?limit=30")).json()["errors"][0]
    assert error["field"] == "limit"
    assert (await dialects.fault(f"{path}?sortOrder=Up"))[0] == 400


@pytest.mark.parametrize("size", [10, 25, 50])
async def test_pages_by_number_cover_everything_once_and_backwards_is_the_exact_reverse(
    stored: Dialects, size: int
) -> None:
    """Behaviour 21. Behaviour 30."""
    await stored.seed(limited_hats(120))
    path = f"/v1/users/77/assets/collectibles?limit={size}"
    numbers = [row["userAssetId"] for page in await stored.pages(path) for row in page]
    assert numbers == [*range(1, 121)]
    falling = [row["userAssetId"] for page in await stored.pages(f"{path}&sortOrder=Desc") for row in page]
    assert falling == [*range(120, 0, -1)]


@pytest.mark.parametrize("order", ["Asc", "Desc"])
async def test_back_leads_to_the_same_page_in_the_same_order(dialects: Dialects, order: str) -> None:
    """Behaviour 27."""
    await dialects.seed(limited_hats(25))
    path = f"/v1/users/77/assets/collectibles?sortOrder={order}&cursor="
    first = await dialects.web(path)
    second = await dialects.web(path + first["nextPageCursor"])
    third = await dialects.web(path + second["nextPageCursor"])
    assert third["nextPageCursor"] is None
    back = await dialects.web(path + third["previousPageCursor"])
    assert back["data"] == second["data"]
    again = await dialects.web(path + back["previousPageCursor"])
    assert again["data"] == first["data"]
    assert again["previousPageCursor"] is None
    assert (await dialects.web(path + again["nextPageCursor"]))["data"] == second["data"]


async def test_a_cursor_is_good_for_its_own_question_alone(dialects: Dialects) -> None:
    """Behaviour 20."""
    await dialects.seed({**limited_hats(25), **limited_hats(25, "78")})
    path = "/v1/users/77/assets/collectibles"
    cursor = (await dialects.web(path))["nextPageCursor"]
    assert (await dialects.get(f"{path}?cursor={cursor}")).status_code == 200
    for other in (
        f"/v1/users/78/assets/collectibles?cursor={cursor}",
        f"{path}?sortOrder=Desc&cursor={cursor}",
        f"{path}?limit=25&cursor={cursor}",
        f"{path}?assetType=8&cursor={cursor}",
        f"/v2/users/77/inventory?assetTypes=Hat&cursor={cursor}",
    ):
        assert await dialects.fault(other) == NO_CURSOR, other
    for place in range(len(cursor)):
        changed = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        assert await dialects.fault(f"{path}?cursor={changed}") == NO_CURSOR
    for wrong in (cursor[:-1], "2", "x" * 5_000, "%C3%A9"):
        assert await dialects.fault(f"{path}?cursor={wrong}") == NO_CURSOR
    dialects.clock.forward(hours=25)
    assert await dialects.fault(f"{path}?cursor={cursor}") == NO_CURSOR


async def test_collectibles_of_one_asset_type_are_told_by_number_or_name(dialects: Dialects) -> None:
    for text in ("8", "Hat", "hat"):
        assert [row["assetId"] for row in (await dialects.web(f"{COLLECTIBLES}?assetType={text}"))["data"]] == [
            CROWN,
            CROWN,
        ]
    for text in ("14", "15", "20", "23", "36", "57", "58", "0", "-1", "Sword", "8,8"):
        refused = await dialects.fault(f"{COLLECTIBLES}?assetType={text}")
        assert refused == (400, 0, "The specified asset type(s) are invalid."), text


# --- ownership --------------------------------------------------------------------------------------------------------


async def test_item_types_are_names_or_numbers_and_refusals_have_their_codes(dialects: Dialects) -> None:
    """Behaviour 32."""
    same = [await dialects.web(f"/v1/users/42/items/{form}/{CROWN}") for form in ("Asset", "asset", "ASSET", "0")]
    assert same[1:] == same[:1] * 3
    for path, expected in (
        ("Sword/1", (400, 6, "The specified item type does not exist.")),
        ("5/1", (400, 6, "The specified item type does not exist.")),
        ("Avatar/1", (400, 6, "The specified item type does not exist.")),
        ("4/1", (400, 6, "The specified item type does not exist.")),
        ("GamePass/1", (400, 5, "The specified game pass does not exist! Are you using the new game pass ID?")),
        ("Asset/1", (400, 7, "The specified Asset does not exist!")),
        (f"Badge/{CROWN}", (400, 10, "The specified asset is not a badge!")),
        ("Badge/1", (400, 10, "The specified asset is not a badge!")),
        ("Bundle/1", (400, 12, "The specified bundle does not exist!")),
        ("Asset/0", (400, 7, "The specified Asset does not exist!")),
    ):
        for tail in ("", "/is-owned"):
            assert await dialects.fault(f"/v1/users/42/items/{path}{tail}") == expected
    for user in (NOBODY, "0", "-5"):
        assert await dialects.fault(f"/v1/users/{user}/items/Sword/1") == NO_USER
    for path in ("/v1/users/x/items/Asset/1", "/v1/users/42/items/Asset/x", "/v1/users/42/items/Asset/1e3"):
        assert await dialects.fault(path) == (404, 0, "NotFound")


async def test_what_is_not_owned_is_an_empty_page_and_a_bare_false(dialects: Dialects) -> None:
    """Behaviour 33."""
    empty: Any = {"previousPageCursor": None, "nextPageCursor": None, "data": []}
    assert await dialects.web(f"/v1/users/42/items/Asset/{GLASS_CROWN}") == empty
    answer = await dialects.get(f"/v1/users/42/items/Asset/{GLASS_CROWN}/is-owned")
    assert (answer.content, answer.headers["content-type"]) == (b"false", "application/json")
    assert (await dialects.get(f"/v1/users/42/items/Asset/{CROWN}/is-owned")).content == b"true"


async def test_every_copy_is_listed_and_passes_have_no_instance(dialects: Dialects) -> None:
    """Behaviour 34. Behaviour 35."""
    rows = (await dialects.web(f"/v1/users/42/items/Asset/{CROWN}"))["data"]
    assert rows == [
        {"id": CROWN, "name": "Paper Crown", "type": "Asset", "instanceId": number} for number in (5001, 5002)
    ]
    for path, name in (("GamePass/88", "Lantern Pass"), ("Badge/501", "First Light"), ("Bundle/12", "Tin Knight")):
        (row,) = (await dialects.web(f"/v1/users/42/items/{path}"))["data"]
        kind, number = path.split("/")
        assert row == {"id": int(number), "name": name, "type": kind, "instanceId": None}
        assert await dialects.web(f"/v1/users/42/items/{path}/is-owned") is True


async def test_ownership_is_answered_of_a_closed_inventory_too(dialects: Dialects) -> None:
    for reader in (None, "77"):
        rows = (await dialects.web(f"/v1/users/43/items/Asset/{STRAW_HAT}", of=reader))["data"]
        assert [row["instanceId"] for row in rows] == [5301]
        assert await dialects.web("/v1/users/43/items/GamePass/88/is-owned", of=reader) is True


async def test_more_copies_than_a_page_holds_are_all_listed(dialects: Dialects) -> None:
    await dialects.seed(limited_hats(600))
    rows = (await dialects.web(f"/v1/users/77/items/Asset/{CROWN}"))["data"]
    assert [row["instanceId"] for row in rows] == [*range(1, 601)]


# --- the handshake and the collection ---------------------------------------------------------------------------------


async def test_a_write_asks_for_the_token_first_and_gives_it_only_then(dialects: Dialects) -> None:
    """Behaviour 36."""
    path = f"{ROOT}/v1/collections/items/Asset/{STRAW_HAT}"
    client, cookie = dialects.asked.client, await dialects.cookie()
    asked = await client.post(path, headers=cookie)
    assert told(asked) == (403, 0, "Token Validation Failed")
    token = asked.headers["x-csrf-token"]
    headers = {**cookie, "x-csrf-token": token, "content-type": "application/json"}
    done = await client.post(path, headers=headers)
    assert (done.status_code, done.json()) == (200, {})
    assert "x-csrf-token" not in done.headers
    again = await client.post(path, headers=headers)
    assert told(again) == (403, 7, "The item is already in the collection.")
    assert "x-csrf-token" not in again.headers


async def test_a_token_is_good_for_its_session_and_half_an_hour(dialects: Dialects) -> None:
    path = f"/v1/collections/items/Asset/{STRAW_HAT}"
    asked = await dialects.asked.client.post(ROOT + path, headers=await dialects.cookie())
    token = asked.headers["x-csrf-token"]
    for of, sent in ((THEO, token), (MIRA, token[:-1]), (MIRA, token + "x"), (MIRA, "x"), (MIRA, f"9{token}")):
        refused = await dialects.write("POST", path, of=of, token=sent)
        assert told(refused)[:2] == (403, 0), sent
        assert refused.headers["x-csrf-token"] != sent
    dialects.clock.forward(minutes=31)
    assert told(await dialects.write("POST", path, token=token))[:2] == (403, 0)
    assert (await dialects.write("POST", path)).status_code == 200


async def test_a_write_without_a_session_is_unauthorized(dialects: Dialects) -> None:
    """Behaviour 37."""
    for method in ("POST", "DELETE"):
        refused = await dialects.write(method, "/v1/collections/items/Asset/7100", of=None)
        assert told(refused) == (401, 0, "Authorization has been denied for this request.")
        assert "x-csrf-token" not in refused.headers
    # A good token of nobody's with a cookie that is good for nothing.
    bad = {"Cookie": ".ROBLOSECURITY=x"}
    path = f"{ROOT}/v1/collections/items/Asset/7100"
    asked = await dialects.asked.client.post(path, headers=bad)
    headers = {**bad, "x-csrf-token": asked.headers["x-csrf-token"]}
    assert told(await dialects.asked.client.post(path, headers=headers))[:2] == (401, 0)


async def entries(dialects: Dialects) -> list[str]:
    answer = await dialects.asked.ask(
        """{ inventory(owner: { provider: ROBLOX, key: "42" }) { container(key: "collection") {
          ... on RobloxCollection { entries { nodes { key } } } } } }"""
    )
    return [node["key"] for node in answer.whole()["inventory"]["container"]["entries"]["nodes"]]


async def test_refusals_of_a_collection_come_in_order_and_change_nothing(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Behaviour 38."""
    async with AsyncExitStack() as stack:
        url = await copied(PROVIDER, tmp_path_factory, tmp_path)
        dialects = await open_dialects(stack, url, collection_capacity=3)
        before = await entries(dialects)
        for path, expected in (
            ("Sword/1", (400, 1, "The item type does not exist.")),
            ("GamePass/88", (403, 6, "Items of this type are not allowed in collections.")),
            ("Badge/501", (403, 6, "Items of this type are not allowed in collections.")),
            ("4/1", (403, 6, "Items of this type are not allowed in collections.")),
            ("Asset/1", (400, 2, "The asset does not exist.")),
            ("Asset/0", (400, 2, "The asset does not exist.")),
            ("Bundle/1", (400, 3, "The bundle does not exist.")),
            (f"Asset/{GLASS_CROWN}", (403, 4, "You don't own the specified item.")),
            (f"Asset/{MUSIC}", (403, 4, "You don't own the specified item.")),
            ("Bundle/13", (403, 4, "You don't own the specified item.")),
            ("Asset/7200", (403, 5, "Assets of this type are not allowed in collections.")),
            (f"Asset/{CROWN}", (403, 7, "The item is already in the collection.")),
            ("bundle/12", (403, 7, "The item is already in the collection.")),
        ):
            assert told(await dialects.write("POST", f"/v1/collections/items/{path}")) == expected, path
        assert await entries(dialects) == before
        assert (await dialects.write("POST", f"/v1/collections/items/0/{STRAW_HAT}")).status_code == 200
        full = await dialects.write("POST", "/v1/collections/items/Asset/7103")
        assert told(full) == (403, 9, "The collection is full.")
        assert await entries(dialects) == [*before, f"asset:{STRAW_HAT}"]
        assert told(await dialects.write("POST", "/v1/collections/items/Asset/x")) == (404, 0, "NotFound")
        headers = await dialects.cookie()
        unknown = await dialects.asked.client.post(f"{ROOT}/v1/nothing", headers=headers)
        assert told(unknown) == (404, 0, "NotFound")


async def test_what_is_in_a_collection_is_removed_whether_or_not_it_is_owned(dialects: Dialects) -> None:
    """Behaviour 39."""
    for path, expected in (
        ("Asset/7101", (403, 8, "The item is not in the collection.")),
        ("Asset/1", (400, 2, "The asset does not exist.")),
        ("Bundle/1", (400, 3, "The bundle does not exist.")),
        ("Sword/1", (400, 1, "The item type does not exist.")),
        ("GamePass/88", (403, 6, "Items of this type are not allowed in collections.")),
    ):
        assert told(await dialects.write("DELETE", f"/v1/collections/items/{path}")) == expected
    assert (await dialects.write("POST", "/v1/collections/items/Asset/7102")).status_code == 200
    assert (await dialects.write("DELETE", "/v2/inventory/asset/7102")).status_code == 200
    assert await dialects.web("/v1/users/42/items/Asset/7102/is-owned") is False
    done = await dialects.write("DELETE", "/v1/collections/items/Asset/7102")
    assert (done.status_code, done.json()) == (200, {})
    assert await entries(dialects) == ["asset:7100", "bundle:12"]


async def test_writers_at_once_add_a_thing_once_and_never_too_much(stored: Dialects) -> None:
    """Behaviour 40."""
    path = f"/v1/collections/items/Asset/{STRAW_HAT}"
    asked = await stored.asked.client.post(ROOT + path, headers=await stored.cookie())
    token = asked.headers["x-csrf-token"]
    done = await asyncio.gather(*(stored.write("POST", path, token=token) for _ in range(4)))
    assert sorted(answer.status_code for answer in done) == [200, 403, 403, 403]
    assert {told(answer)[1] for answer in done if answer.status_code == 403} == {7}


async def test_the_last_place_of_a_collection_is_taken_once(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Behaviour 40."""
    async with AsyncExitStack() as stack:
        url = await copied(PROVIDER, tmp_path_factory, tmp_path)
        dialects = await open_dialects(stack, url, collection_capacity=3)
        asked = await dialects.asked.client.post(f"{ROOT}/v2/logout", headers=await dialects.cookie())
        token = asked.headers["x-csrf-token"]
        paths = [f"/v1/collections/items/Asset/{number}" for number in (7101, 7102, 7103, 7112)]
        done = await asyncio.gather(*(dialects.write("POST", path, token=token) for path in paths))
        assert sorted(answer.status_code for answer in done) == [200, 403, 403, 403]
        assert {told(answer)[1] for answer in done if answer.status_code == 403} == {9}


async def test_every_error_has_a_number_and_is_json(dialects: Dialects) -> None:
    """Behaviour 41."""
    for path in (
        "/v1/nothing",
        "/v1/users/9/can-view-inventory",
        "/v1/users/42/items/Sword/1",
        f"{COLLECTIBLES}?limit=3",
        "/v1/users/42/places/inventory?placesTab=Nope",
        "/v2/users/9/inventory",
        "/v1/packages/1/assets",
        "/",
    ):
        status, code, message = told(await dialects.get(path))
        assert status >= 400
        assert code >= 0
        assert message
    wrong = await dialects.asked.client.put(f"{ROOT}{COLLECTIBLES}")
    assert told(wrong)[:2] == (405, 0)


# --- places, packages, categories -------------------------------------------------------------------------------------


async def test_places_are_shown_by_tab(dialects: Dialects) -> None:
    """Behaviour 42. Behaviour 43."""
    path = "/v1/users/42/places/inventory"
    created = await dialects.web(f"{path}?placesTab=Created", of=THEO)
    place = {
        "universeId": 31,
        "placeId": 310,
        "name": "Lantern Bay",
        "creator": {"id": 42, "name": "mira", "type": "User"},
        "priceInRobux": None,
    }
    assert created == {"previousPageCursor": None, "nextPageCursor": None, "data": [place]}
    for same in ("?placesTab=0", "?placesTab=created", "", "?placesTab=", "?cursor=&limit=10&placesTab=Created"):
        assert await dialects.web(path + same, of=None) == created
    bought = (await dialects.web(f"{path}?placesTab=Purchased"))["data"]
    assert [(row["placeId"], row["priceInRobux"], row["creator"]["type"]) for row in bought] == [(311, 25, "Group")]
    assert (await dialects.web(f"{path}?placesTab=1"))["data"] == bought
    assert (await dialects.web(f"{path}?placesTab=MyGames"))["data"] == [place]
    assert (await dialects.web(f"{path}?placesTab=2"))["data"] == [place]
    assert (await dialects.web(f"{path}?placesTab=3"))["data"] == []
    assert (await dialects.web(f"{path}?placesTab=5"))["data"] == []
    for tab in ("MyGames", "OtherGames", "Purchased", "2"):
        for reader in (THEO, None):
            refused = await dialects.fault(f"{path}?placesTab={tab}", of=reader)
            assert refused == (403, 3, "Insufficient permission.")
    for wrong in ("placesTab=Nope", "placesTab=6", "itemsPerPage=0", "itemsPerPage=101", "itemsPerPage=x", "cursor=x"):
        assert await dialects.fault(f"{path}?{wrong}") == (400, 6, "Invalid request"), wrong


async def test_pages_of_places_are_numbered(dialects: Dialects) -> None:
    rows = [{"universeId": n, "placeId": n, "name": f"p{n}", "creator": None, "priceInRobux": 0} for n in range(1, 24)]
    page = {"previousPageCursor": None, "nextPageCursor": None, "data": rows}
    await dialects.seed({"/v1/users/77/places/inventory?placesTab=Created": page})
    path = "/v1/users/77/places/inventory"
    pages = await dialects.pages(path)
    assert [[row["placeId"] for row in one] for one in pages] == [[*range(1, 11)], [*range(11, 21)], [21, 22, 23]]
    second = await dialects.web(f"{path}?cursor=2")
    assert (second["previousPageCursor"], second["nextPageCursor"]) == ("1", "3")
    for beyond in ("9", "99999999999999999999999"):
        far = await dialects.web(f"{path}?cursor={beyond}")
        assert (far["data"], far["nextPageCursor"]) == ([], None)
    assert len((await dialects.web(f"{path}?itemsPerPage=100"))["data"]) == 23


async def test_a_package_lists_its_assets(dialects: Dialects) -> None:
    for path in (
        "/v1/packages/7200/assets",
        "/v1/packages/:packageId/assets?packageID=7200",
        "/v1/packages/%3ApackageId/assets?packageID=7200",
    ):
        assert await dialects.web(path, of=None) == {"assetIds": [7201, 7202]}, path
    for path in ("/v1/packages/1/assets", "/v1/packages/7100/assets", "/v1/packages/x/assets", "/v1/packages/0/assets"):
        assert await dialects.fault(path) == (404, 0, "NotFound")


async def test_categories_are_the_known_ones_and_private_servers_their_owners(dialects: Dialects) -> None:
    mine = await dialects.web("/v1/users/42/categories")
    assert mine == render_categories(INVENTORY_CATEGORIES)
    theirs = await dialects.web("/v1/users/42/categories", of=THEO)
    assert [one for one in mine["categories"] if one not in theirs["categories"]] == [mine["categories"][-1]]
    assert mine["categories"][-1]["categoryType"] == "PrivateServers"
    assert await dialects.web("/v1/users/42/categories/favorites", of=None) == render_categories(FAVORITE_CATEGORIES)
    names = [one["name"] for one in theirs["categories"]]
    assert {"Badges", "Game Passes"} <= {*names}
    liked = await dialects.web("/v1/users/42/categories/favorites")
    assert not {"Badges", "Game Passes"} & {one["name"] for one in liked["categories"]}
    places = next(one for one in theirs["categories"] if one["name"] == "Places")
    assert [(one["name"], one["filter"]) for one in places["items"]] == [
        ("Created by Me", "Created"),
        ("Purchased", "Purchased"),
        ("My Experiences", "MyGames"),
        ("Other Experiences", "OtherGames"),
    ]
    for path in ("categories", "categories/favorites", "can-view-inventory", "places/inventory", "assets/collectibles"):
        for user in (NOBODY, "0", "-1"):
            assert await dialects.fault(f"/v1/users/{user}/{path}") == NO_USER
        assert await dialects.fault(f"/v1/users/x/{path}") == (404, 0, "NotFound")


async def test_both_dialects_tell_of_the_same_copies(dialects: Dialects) -> None:
    """Behaviour 45."""
    listed = {
        int(item["assetDetails"]["instanceId"]): item["assetDetails"]
        for item in await dialects.items(filter="inventoryItemAssetTypes=*")
    }
    for number, details in listed.items():
        rows = (await dialects.web(f"/v1/users/42/items/Asset/{details['assetId']}"))["data"]
        assert number in [row["instanceId"] for row in rows]
    for row in (await dialects.web(COLLECTIBLES))["data"]:
        limited = listed[row["userAssetId"]]["collectibleDetails"]
        assert limited.get("serialNumber") == row["serialNumber"]
        assert (limited["instanceState"] == "HOLD") is row["isOnHold"]
    new = {"assetDetails": {"assetId": str(CROWN), "inventoryItemAssetType": "HAT", "instanceId": "5003"}}
    await dialects.seed({"/cloud/v2/users/42/inventory-items": {"inventoryItems": [new], "nextPageToken": "more"}})
    assert "5003" in str(await dialects.items(filter=f"assetIds={CROWN}"))
    assert "5003" in str(await dialects.web(f"/v1/users/42/items/Asset/{CROWN}"))


# --- neighbours -------------------------------------------------------------------------------------------------------


async def test_logging_out_gives_the_token_and_ends_nothing(dialects: Dialects) -> None:
    asked = await dialects.asked.client.post(f"{ROOT}/v2/logout", headers=await dialects.cookie())
    assert told(asked) == (403, 0, "Token Validation Failed")
    assert (await dialects.write("POST", "/v2/logout", token=asked.headers["x-csrf-token"])).status_code == 200
    assert (await dialects.web("/v1/users/authenticated"))["id"] == 42
    # Without a session too: a client gets its first token so.
    assert "x-csrf-token" in (await dialects.asked.client.post(f"{ROOT}/v2/logout")).headers


async def test_the_inventory_of_v2_lists_copies_by_type(dialects: Dialects) -> None:
    path = "/v2/users/42/inventory"
    rows = (await dialects.web(f"{path}?assetTypes=Hat,Shirt&limit=50"))["data"]
    assert [(row["assetId"], row["assetType"]) for row in rows] == [
        (CROWN, "Hat"),
        (CROWN, "Hat"),
        (7102, "Shirt"),
        (STRAW_HAT, "Hat"),
    ]
    assert rows[2] == {"assetId": 7102, "name": "Plain Shirt", "assetType": "Shirt", "created": "2023-01-02T03:04:05Z"}
    copies = (await dialects.web(f"{path}/8", of=THEO))["data"]
    assert copies[0] == {
        "userAssetId": 5001,
        "assetId": CROWN,
        "assetName": "Paper Crown",
        "collectibleItemId": "0b1f6c52-6f0f-4d6e-9a57-000000000001",
        "collectibleItemInstanceId": "5d0e3a0a-77a1-4a3c-8f39-000000005001",
        "serialNumber": 12,
        "owner": {"userId": 42, "username": "mira", "buildersClubMembershipType": "RobloxPremium"},
        "created": "2024-03-05T10:20:30Z",
        "updated": "2024-03-05T10:20:30Z",
    }
    assert (copies[2]["userAssetId"], copies[2]["collectibleItemId"], copies[2]["serialNumber"]) == (HUGE, None, None)
    # A place that was bought is its owner's alone.
    assert [row["assetId"] for row in (await dialects.web(f"{path}/9"))["data"]] == [310, 311]
    assert [row["assetId"] for row in (await dialects.web(f"{path}/9", of=THEO))["data"]] == [310]
    for where, expected in (
        ("/v2/users/9/inventory?assetTypes=Hat", (400, 1, "Invalid user Id.")),
        (f"{path}?assetTypes=Nope", (400, 2, "Invalid asset type Id.")),
        (path, (400, 2, "Invalid asset type Id.")),
        (f"{path}?assetTypes=Badge", (400, 2, "Invalid asset type Id.")),
        (f"{path}/34", (400, 2, "Invalid asset type Id.")),
        ("/v2/users/43/inventory/8", (403, 4, "You are not authorized to view this user's inventory.")),
    ):
        assert await dialects.fault(where, of="77") == expected, where


async def test_an_asset_is_given_up_with_all_its_copies(dialects: Dialects) -> None:
    for path, expected in (
        ("1", (404, 1, "The item does not exist.")),
        ("0", (404, 1, "The item does not exist.")),
        (str(GLASS_CROWN), (403, 2, "You don't own the specified item.")),
        (str(CROWN), (403, 3, "The item is not allowed to be deleted.")),
        ("7103", (403, 3, "The item is not allowed to be deleted.")),
    ):
        assert told(await dialects.write("DELETE", f"/v2/inventory/asset/{path}")) == expected
    assert told(await dialects.write("DELETE", "/v2/inventory/asset/7101", of=None))[:2] == (401, 0)
    assert (await dialects.write("DELETE", f"/v2/inventory/asset/{STRAW_HAT}")).status_code == 200
    assert (await dialects.web(f"/v1/users/42/items/Asset/{STRAW_HAT}"))["data"] == []
    # Of somebody else's copy nothing is gone.
    assert await dialects.web(f"/v1/users/43/items/Asset/{STRAW_HAT}/is-owned") is True


async def test_copies_are_given_up_in_the_graph_one_by_one(dialects: Dialects) -> None:
    headers = {"X-Credential-roblox-cookie": await dialects.secret("cookie")}

    async def give_up(*keys: str) -> Any:
        ids = [encode_id(ITEM, ItemRef("roblox", MIRA, key)) for key in keys]
        query = """mutation($ids: [ID!]!) { deleteItems(input: { ids: $ids }) {
          changes { removedIds } errors { code path providerCode } } }"""
        payload = (await dialects.asked.ask(query, headers=headers, ids=ids)).whole()["deleteItems"]
        return [(error["code"], error["path"], error["providerCode"]) for error in payload["errors"]], payload[
            "changes"
        ]

    faults, changes = await give_up("asset:5101", "asset:5001", "asset:999", "asset:1")
    assert faults == [
        ("FORBIDDEN", ["ids", "1"], "3"),
        ("FORBIDDEN", ["ids", "2"], "3"),
        ("NOT_FOUND", ["ids", "3"], "2"),
    ]
    assert changes is None
    for wrong in (("badge:501",), ("asset:5101", "asset:5101")):
        assert [code for code, _, _ in (await give_up(*wrong))[0]] == ["INVALID_INPUT"]
    faults, changes = await give_up("asset:5101")
    assert (faults, changes) == ([], {"removedIds": [encode_id(ITEM, ItemRef("roblox", MIRA, "asset:5101"))]})
    assert await dialects.web("/v1/users/42/items/Asset/7102/is-owned") is False


async def test_a_user_is_told_by_name(dialects: Dialects) -> None:
    assert await dialects.web("/v1/users/42", of=None) == {"id": 42, "name": "mira", "displayName": "Mira"}
    assert (await dialects.fault("/v1/users/9"))[0] == 404


async def test_the_web_has_quotas_by_session(limited: Dialects) -> None:
    path = "/v1/users/42/can-view-inventory"
    answers = [await limited.get(path, await limited.cookie()) for _ in range(26)]
    assert [answer.status_code for answer in answers] == [200] * 25 + [429]
    assert told(answers[-1]) == (429, 0, "Too many requests")
    assert answers[0].headers["x-ratelimit-remaining"] == "24"
    assert int(answers[-1].headers["retry-after"]) <= 60
    assert (await limited.get(path, await limited.cookie(THEO))).status_code == 200
    assert (await limited.get(path)).status_code == 200
    assert (await limited.get("/v1/users/42/categories", await limited.cookie())).status_code == 200


async def test_what_is_answered_is_for_the_one_who_asked(dialects: Dialects) -> None:
    answer = await dialects.get(COLLECTIBLES, await dialects.cookie())
    assert answer.headers["cache-control"] == "private, no-store"
    assert "set-cookie" not in answer.headers


async def test_a_crafted_cursor_breaks_nothing(dialects: Dialects) -> None:
    for depth in (1, 300, 900):
        crafted = urlsafe_b64encode(b'v1/{"a":' + b"[" * depth + b"]" * depth + b"}").rstrip(b"=").decode()
        assert await dialects.fault(f"{COLLECTIBLES}?cursor={crafted}") == NO_CURSOR
        refused = await dialects.cloud(pageToken=crafted)
        assert (refused.status_code, refused.json()["message"]) == (400, "The page token is invalid.")


async def test_ownership_of_what_is_hidden_is_answered_alike_by_both_questions(dialects: Dialects) -> None:
    for reader in (None, THEO, MIRA):
        assert await dialects.web("/v1/users/42/items/Asset/311/is-owned", of=reader) is True
        rows = (await dialects.web("/v1/users/42/items/Asset/311", of=reader))["data"]
        assert [row["instanceId"] for row in rows] == [6002]


async def test_what_is_hidden_is_told_where_it_is_named_and_silent_elsewhere(dialects: Dialects) -> None:
    headers = {"X-Credential-roblox-cookie": await dialects.secret("cookie", THEO)}

    async def shown(selected: str) -> Any:
        query = f'{{ inventory(owner: {{ provider: ROBLOX, key: "42" }}) {{ {selected} }} }}'
        return await dialects.asked.ask(query, headers=headers)

    listed = "{ totalCount isComplete problems { code } nodes { key } }"
    for selected in (
        f'container(key: "view:Places/Purchased") {{ items {listed} }}',
        f'container(key: "view:Places/My Experiences") {{ items {listed} }}',
        f'items(filter: {{ kinds: ["PrivateServer"] }}) {listed}',
        'totals(filter: { kinds: ["PrivateServer"] }) { totalCount }',
    ):
        assert (await shown(selected)).codes == ["FORBIDDEN"], selected
    for selected in (f'places: items(filter: {{ kinds: ["Place"] }}) {listed}',):
        found = (await shown(selected)).whole()["inventory"]["places"]
        assert (found["isComplete"], found["totalCount"], found["nodes"]) == (False, None, [{"key": "place:310"}])
        assert [problem["code"] for problem in found["problems"]] == ["FORBIDDEN"]
    whole = (await shown(f"items(first: 100) {listed}")).whole()["inventory"]["items"]
    assert (whole["isComplete"], whole["totalCount"]) == (True, 17)


async def test_what_is_in_a_closed_inventory_is_not_there_by_its_id(dialects: Dialects) -> None:
    ids_ = [
        encode_id(ITEM, ItemRef("roblox", THEO, "asset:5301")),
        encode_id(CONTAINER, ContainerRef("roblox", THEO, "collection")),
        encode_id(ITEM, ItemRef("roblox", THEO, "asset:1")),
    ]
    headers = {"X-Credential-roblox-key": await dialects.secret("key")}
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    assert (await dialects.asked.ask(query, headers=headers, ids=ids_)).whole() == {"nodes": [None] * 3}
    own = {"X-Credential-roblox-key": await dialects.secret("key", THEO)}
    assert [node and node["id"] for node in (await dialects.asked.ask(query, headers=own, ids=ids_)).data["nodes"]] == [
        *ids_[:2],
        None,
    ]


async def test_a_session_of_a_user_of_whom_nothing_is_known_owns_nothing(dialects: Dialects) -> None:
    for method, path, expected in (
        ("POST", "Asset/7100", (403, 4)),
        ("POST", "Asset/1", (400, 2)),
        ("POST", "Bundle/1", (400, 3)),
        ("DELETE", "Asset/7100", (403, 8)),
    ):
        assert told(await dialects.write(method, f"/v1/collections/items/{path}", of="999"))[:2] == expected


async def test_numbers_are_read_whole_and_ids_below_one_are_nobodys(dialects: Dialects) -> None:
    assert await dialects.fault("/v1/users/42/items/Asset/-1") == (400, 7, "The specified Asset does not exist!")
    assert told(await dialects.write("POST", "/v1/collections/items/Asset/-1"))[:2] == (400, 2)
    assert await dialects.fault("/v1/users/42/places/inventory?placesTab=0000000001", of=THEO) == (
        403,
        3,
        "Insufficient permission.",
    )
    assert await dialects.web("/v1/users/42/items/0000000001/88/is-owned") is True
    assert (await dialects.fault(f"/v1/users/42/items/Asset/{2**63}"))[0] == 404
    assert await dialects.fault(f"/v1/users/42/items/{'1' * 30}/1") == (
        400,
        6,
        "The specified item type does not exist.",
    )
    for path in ("/foo/rest/roblox/v1/users/42/can-view-inventory", "/rest/roblox/v1/users/42/can-view-inventory"):
        assert (await dialects.get(path)).status_code == 404


async def test_a_page_that_has_become_empty_leads_on_all_the_same(dialects: Dialects) -> None:
    await dialects.seed(limited_hats(30))
    path = "/v1/users/77/assets/collectibles"
    first = await dialects.web(path)
    second = await dialects.web(f"{path}?cursor={first['nextPageCursor']}")
    owner = OwnerRef("roblox", "77")
    async with dialects.asked.gateway.store.writing(owner) as writer:
        await writer.delete_items([ItemRef(*owner, f"asset:{number}") for number in range(1, 11)])
    back = await dialects.web(f"{path}?cursor={second['previousPageCursor']}")
    assert back["data"] == []
    on = await dialects.web(f"{path}?cursor={back['nextPageCursor']}")
    assert [row["userAssetId"] for row in on["data"]] == [*range(12, 22)] or on["data"][0]["userAssetId"] == 11


async def test_a_secret_is_never_written_down_as_it_is(dialects: Dialects, capsys: pytest.CaptureFixture[str]) -> None:
    secret = await mint(dialects.asked.gateway, PROVIDER, MIRA, part="cookie")
    await dialects.get(COLLECTIBLES, {"Cookie": f".ROBLOSECURITY={secret}"})
    rows: Any = await dialects.asked.gateway.store.grants("roblox")
    assert secret not in str(rows)
    assert secret not in capsys.readouterr().err


async def test_client_errors_are_no_faults_of_ours(dialects: Dialects) -> None:
    client = dialects.asked.client
    for path in (
        "/v1/users/42/items/Asset/%2e%2e",
        "/v1/users/42%2Fcategories",
        "//v1",
        "/v1/users//categories",
    ):
        answer = await client.send(httpx.Request("GET", httpx.URL(f"http://localhost{ROOT}{path}")))
        assert 400 <= answer.status_code < 500, path
