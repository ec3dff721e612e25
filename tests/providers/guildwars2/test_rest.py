"""The dialect that we serve: statuses, texts, headers, bulk rules, schema versions, and who may see what."""

from __future__ import annotations

import asyncio
import unicodedata
from datetime import timedelta
from importlib import resources
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from gateway.providers.guildwars2 import PROVIDER
from gateway.providers.guildwars2.rest import SCHEMA_VERSIONS
from gateway.settings import ServerSettings
from tests.gateways import NOW, header, running, seed, settings, upstream
from tests.providers.guildwars2.conftest import Dialect
from tests.providers.guildwars2.payloads import OWNER, sample

DEMO: dict[str, Any] = orjson.loads((resources.files(PROVIDER.demo) / "demo.json").read_bytes())
NAME = quote("Test Nâme")
NEWEST = SCHEMA_VERSIONS[-1][0]
EVERY = f"v={NEWEST}"

PRIVATE = {
    "/v2/account": ["account"],
    "/v2/account/bank": ["account", "inventories"],
    "/v2/account/inventory": ["account", "inventories"],
    "/v2/account/materials": ["account", "inventories"],
    "/v2/characters": ["account", "characters"],
    f"/v2/characters/{NAME}": ["account", "characters"],
    "/v2/characters?ids=all": ["account", "characters"],
    f"/v2/characters/{NAME}/inventory": ["account", "characters", "inventories"],
    "/v2/tokeninfo": ["account"],
}
"""Endpoints that take a key, and their scopes in the order in which they are told."""

CATALOGUE = ("items", "skins", "itemstats", "colors", "materials")
PUBLIC = [f"/v2/{name}" for name in CATALOGUE] + [
    "/v2/items/19721",
    "/v2/items?ids=19721",
    "/v2/items?page=0",
    "/v2.json",
]


async def refused(served: Dialect, path: str, **headers: Any) -> tuple[int, str]:
    answer = await served.get(path, **headers)
    assert list(answer.json()) == ["text"]
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["access-control-allow-origin"] == "*"
    return answer.status_code, answer.json()["text"]


# --- what is served ---------------------------------------------------------------------------------------------------


async def test_every_endpoint_of_an_account_serves_what_was_imported(served: Dialect) -> None:
    """Behaviour 1. Behaviour 2. Behaviour 3. Behaviour 18."""
    assert await served.json(f"/v2/account?{EVERY}") == DEMO["/v2/account"]
    assert await served.json("/v2/characters") == DEMO["/v2/characters"]
    assert await served.json("/v2/account/bank") == DEMO["/v2/account/bank"]
    assert await served.json("/v2/account/inventory") == DEMO["/v2/account/inventory"]
    for name in DEMO["/v2/characters"]:
        inventory = DEMO[f"/v2/characters/{name}/inventory"]
        assert await served.json(f"/v2/characters/{quote(name)}/inventory") == inventory
        summary = await served.json(f"/v2/characters/{quote(name)}?{EVERY}")
        assert summary == {**DEMO[f"/v2/characters/{name}"], **inventory}


async def test_every_material_is_served_the_empty_ones_too(served: Dialect) -> None:
    """Behaviour 28."""
    found = await served.json("/v2/account/materials")
    by_id = {entry["id"]: entry for entry in DEMO["/v2/account/materials"]}
    assert {entry["id"]: entry for entry in found} == by_id
    assert {entry["count"] for entry in found} >= {0, 750}


@pytest.mark.parametrize("name", CATALOGUE)
async def test_every_endpoint_of_the_catalogue_serves_what_was_imported(served: Dialect, name: str) -> None:
    entries = {entry["id"]: entry for entry in DEMO[f"/v2/{name}"]}
    ids = await served.json(f"/v2/{name}", key=None)
    assert sorted(ids) == sorted(entries)
    listed = ",".join(map(str, ids))
    assert await served.json(f"/v2/{name}?ids={listed}&{EVERY}", key=None) == [entries[number] for number in ids]
    for number in ids:
        one = await served.json(f"/v2/{name}/{number}?{EVERY}", key=None)
        assert one == entries[number]
        assert await served.json(f"/v2/{name}?id={number}&{EVERY}", key=None) == one


async def test_unknown_keys_and_words_are_served_again(served: Dialect) -> None:
    """Behaviour 20. Behaviour 16."""
    await seed(served.asked.gateway, PROVIDER, {"/v2/characters/Odd One/inventory": sample("inventory_odd")}, OWNER)
    await seed(served.asked.gateway, PROVIDER, {"/v2/items": sample("items"), "/v2/account": sample("account")}, OWNER)
    assert await served.json("/v2/characters/Odd%20One/inventory") == sample("inventory_odd")
    for entry in sample("items"):
        assert await served.json(f"/v2/items/{entry['id']}?{EVERY}") == entry
    assert await served.json(f"/v2/account?{EVERY}") == sample("account")


async def test_a_stray_bound_to_is_not_served(served: Dialect) -> None:
    """Behaviour 19."""
    await seed(served.asked.gateway, PROVIDER, {"/v2/characters/Odd One/inventory": sample("inventory_loose")}, OWNER)
    first = (await served.json("/v2/characters/Odd%20One/inventory"))["bags"][0]["inventory"][0]
    assert "bound_to" not in first
    assert set(first["stats"]["attributes"]) == {
        *("ConditionDamage", "ConditionDuration", "BoonDuration", "Healing", "CritDamage")
    }


async def test_names_are_matched_after_decoding_and_composing_and_by_case(served: Dialect) -> None:
    """Behaviour 5."""
    apart = quote(unicodedata.normalize("NFD", "Test Nâme"))
    assert apart != NAME
    whole = DEMO["/v2/characters/Test Nâme/inventory"]
    assert await served.json(f"/v2/characters/{NAME}/inventory") == whole
    assert await served.json(f"/v2/characters/{apart}/inventory") == whole
    assert (await served.json(f"/v2/characters?ids={apart}"))[0]["name"] == "Test Nâme"
    assert (await served.json(f"/v2/characters?id={apart}"))["name"] == "Test Nâme"
    # In a path a plus sign is a plus sign; what was encoded twice is another name.
    for other in ("Test+N%C3%A2me", quote(NAME), quote("test nâme"), NAME + "%20"):
        assert await refused(served, f"/v2/characters/{other}/inventory") == (404, "no such id"), other
        assert await refused(served, f"/v2/characters/{other}") == (404, "no such id"), other


async def test_a_character_without_anything_is_served_by_name(served: Dialect) -> None:
    await seed(served.asked.gateway, PROVIDER, {"/v2/characters": ["New One"]}, OWNER)
    assert await served.json("/v2/characters/New%20One") == {"name": "New One", "bags": []}
    assert await served.json("/v2/characters/New%20One/inventory") == {"bags": []}


async def test_the_published_list_names_routes_and_versions(served: Dialect) -> None:
    found = await served.json("/v2.json?v=latest", key=None)
    assert set(found) == set(sample("v2"))
    for part in ("routes", "schema_versions"):
        assert {name for entry in found[part] for name in entry} == {name for e in sample("v2")[part] for name in e}
    paths = {route["path"]: route for route in found["routes"]}
    assert paths["/v2/characters/:id/inventory"] == sample("v2")["routes"][2]
    assert found["schema_versions"][-1]["v"] == NEWEST


# --- keys and scopes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PRIVATE)
async def test_without_a_key_there_is_nothing_of_an_account(served: Dialect, path: str) -> None:
    """Behaviour 9."""
    assert await refused(served, path, key=None) == (401, "endpoint requires authentication")


@pytest.mark.parametrize("path", PRIVATE)
@pytest.mark.parametrize("key", ["x", "A" * 72, "null", "a.b.c", "Nâme", "%00"])
async def test_an_unknown_or_malformed_key_is_not_accepted(served: Dialect, path: str, key: str) -> None:
    """Behaviour 9."""
    joined = "&" if "?" in path else "?"
    answer = await refused(served, f"{path}{joined}access_token={key}", key=None)
    assert answer == (401, "Invalid access token")


async def test_a_subtoken_that_has_ended_is_not_accepted(served: Dialect) -> None:
    ended = await served.mint(expires_at=NOW - timedelta(seconds=1))
    assert await refused(served, "/v2/account", key=ended) == (401, "Invalid access token")
    good = await served.mint(expires_at=NOW + timedelta(hours=1))
    told = await served.json(f"/v2/tokeninfo?{EVERY}", key=good)
    assert (told["type"], told["expires_at"]) == ("Subtoken", "2026-01-02T04:04:05Z")
    assert "urls" not in told


@pytest.mark.parametrize("path", PUBLIC)
async def test_the_catalogue_takes_no_key(served: Dialect, path: str) -> None:
    assert (await served.get(path, key=None)).status_code == 200


@pytest.mark.parametrize(("path", "scopes"), PRIVATE.items())
async def test_every_missing_scope_is_named_in_the_endpoints_order(
    served: Dialect, path: str, scopes: list[str]
) -> None:
    """Behaviour 8."""
    assert (await served.get(path, key=await served.mint(*scopes))).status_code == 200
    for missing in ([scopes[-1]], scopes):
        held = [scope for scope in ("account", "characters", "inventories") if scope not in missing] or ["wallet"]
        answer = await refused(served, path, key=await served.mint(*held))
        assert answer == (403, f"requires scope {','.join(missing)}")


async def test_a_key_for_names_lists_names_and_no_inventory(served: Dialect) -> None:
    """Behaviour 8."""
    key = await served.mint("account", "characters")
    assert await served.json("/v2/characters", key=key) == DEMO["/v2/characters"]
    answer = await refused(served, f"/v2/characters/{NAME}/inventory", key=key)
    assert answer == (403, "requires scope inventories")


async def test_header_and_query_carry_a_key_and_the_header_wins(served: Dialect) -> None:
    """Behaviour 6."""
    await seed(served.asked.gateway, PROVIDER, {"/v2/account": {**sample("account"), "name": "Other.5678"}})
    other = await served.mint(owner="Other.5678")
    assert (await served.json("/v2/account"))["name"] == OWNER
    assert (await served.json(f"/v2/account?access_token={other}", key=None))["name"] == "Other.5678"
    assert (await served.json(f"/v2/account?access_token={other}"))["name"] == OWNER
    assert (await served.json("/v2/account?access_token=bad"))["name"] == OWNER
    answer = await refused(served, f"/v2/account?access_token={served.key}", key="bad")
    assert answer == (401, "Invalid access token")
    for empty in ("Bearer", "Bearer ", "Basic abc"):
        headers = {"Authorization": empty}
        assert (await served.json(f"/v2/account?access_token={other}", key=None, **headers))["name"] == "Other.5678"
    assert (await served.json("/v2/account", key=None, Authorization=f"bearer  {other}"))["name"] == "Other.5678"


async def test_a_subtoken_is_good_for_its_paths_alone(served: Dialect) -> None:
    """Behaviour 31."""
    path = f"/v2/characters/{NAME}/inventory"
    limited = await served.mint(limits=[path, "/v2/characters"])
    assert (await served.get(path, key=limited)).status_code == 200
    apart = quote(unicodedata.normalize("NFD", "Test Nâme"))
    assert (await served.get(f"/v2/characters/{apart}/inventory", key=limited)).status_code == 200
    assert (await served.get("/v2/characters?ids=all", key=limited)).status_code == 200
    for other in ("/v2/account", "/v2/characters/Second%20Hero/inventory", "/v2/tokeninfo", f"/v2/characters/{NAME}"):
        status, text = await refused(served, other, key=limited)
        assert status == 403
        assert "scope" not in text
    elsewhere = await served.mint(limits=["/v2/account"])
    assert (await served.get(path, key=elsewhere)).status_code == 403
    assert (await served.get("/v2/items", key=elsewhere)).status_code == 200


async def test_characters_leave_their_bags_out_for_a_key_that_may_not_see_them(served: Dialect) -> None:
    """Behaviour 29."""
    key = await served.mint("account", "characters")
    whole = await served.json(f"/v2/characters/{NAME}?{EVERY}")
    part = await served.json(f"/v2/characters/{NAME}?{EVERY}", key=key)
    assert {**part, "bags": whole["bags"]} == whole
    assert "bags" not in part
    assert all("bags" not in entry for entry in await served.json("/v2/characters?ids=all", key=key))
    assert all("bags" not in entry for entry in await served.json("/v2/characters?page=0", key=key))


@pytest.mark.parametrize(
    ("scopes", "left_out"),
    [
        ((), {"guild_leader", "fractal_level", "daily_ap", "monthly_ap"}),
        (("guilds",), {"fractal_level", "daily_ap", "monthly_ap"}),
        (("progression",), {"guild_leader"}),
        (("guilds", "progression"), set[str]()),
    ],
)
async def test_an_account_leaves_out_what_takes_other_scopes(
    served: Dialect, scopes: tuple[str, ...], left_out: set[str]
) -> None:
    found = await served.json(f"/v2/account?{EVERY}", key=await served.mint("account", *scopes))
    assert found == {name: value for name, value in DEMO["/v2/account"].items() if name not in left_out}


@pytest.mark.parametrize("scopes", [(), ("guilds",), ("progression",), ("characters",), ("inventories",)])
async def test_the_graph_shows_a_key_what_the_dialect_shows_it_from_near_and_far(
    served: Dialect, scopes: tuple[str, ...]
) -> None:
    """Behaviour 8."""
    query = """query($owner: OwnerInput!) { inventoryOwner(owner: $owner) { details { ... on GuildWars2Account {
        name guildLeader fractalLevel dailyAp monthlyAp token { permissions } } } }
      inventory(owner: $owner) { isVisible items { nodes { key } } totals { edges { quantity } }
        bank: container(key: "bank") { name slots { index } } bag: container(key: "character:Test Nâme/0") { name }
        section: container(key: "materials/5") { name } character: container(key: "character:Test Nâme") { name }
        containers { nodes { name } problems { code } } } }"""
    key = await served.mint("account", *scopes)
    headers, owner = {header(PROVIDER): key}, {"provider": "GUILD_WARS_2", "key": OWNER}
    near = await served.asked.ask(query, headers=headers, owner=owner)
    async with upstream(PROVIDER, served.asked) as over:
        far = await over.ask(query, headers=headers, owner=owner)
    assert far.data == near.data
    assert sorted(map(str, (error["path"] for error in far.errors))) == sorted(
        map(str, (error["path"] for error in near.errors))
    )
    account = await served.json(f"/v2/account?{EVERY}", key=key)
    told = near.data["inventoryOwner"]["details"]
    assert told.pop("token") == {"permissions": ["account", *scopes]}
    assert list(told.values()) == [
        account.get(name) for name in ("name", "guild_leader", "fractal_level", "daily_ap", "monthly_ap")
    ]


# --- the order of checks ----------------------------------------------------------------------------------------------

UNKNOWN = "/v2/characters/Nobody/inventory"


async def test_a_route_that_is_none_comes_before_method_key_and_parameters(served: Dialect) -> None:
    for path in ("/v2/what", "/v2/characters/A/what", "/v2/account/", "/v3/items", "/", "/v2/items/1/2", "/v2.json/"):
        for method in ("GET", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"):
            for key in ("", "bad", None):
                answer = await refused(served, f"{path}?v=x", method=method, key=key)
                assert answer == (404, "not found"), (path, method, key)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_method_that_is_none_comes_before_the_key(served: Dialect, method: str) -> None:
    for path in [*PRIVATE, *PUBLIC, UNKNOWN]:
        answer = await served.get(path, method=method, key=None)
        assert (answer.status_code, answer.json()) == (405, {"text": "method not allowed"}), path
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


async def test_the_key_comes_before_scopes_parameters_and_existence(served: Dialect) -> None:
    for path in (
        UNKNOWN,
        f"{UNKNOWN}?v=x",
        "/v2/characters?page=99",
        "/v2/characters?page_size=0",
        "/v2/characters/Nobody",
    ):
        assert await refused(served, path, key="bad") == (401, "Invalid access token"), path
        assert await refused(served, path, key=None) == (401, "endpoint requires authentication"), path


async def test_scopes_and_paths_come_before_parameters_and_existence(served: Dialect) -> None:
    account = await served.mint("account")
    limited = await served.mint(limits=["/v2/account"])
    for path in (UNKNOWN, f"{UNKNOWN}?v=x", "/v2/characters?page=99", "/v2/characters?ids=", "/v2/characters/Nobody"):
        assert (await refused(served, path, key=account))[0] == 403, path
        assert (await refused(served, path, key=limited))[0] == 403, path
    # Both missing: the scopes are told first.
    both = await served.mint("account", limits=["/v2/account"])
    assert (await refused(served, UNKNOWN, key=both))[1] == "requires scope characters,inventories"


async def test_parameters_come_before_existence(served: Dialect) -> None:
    assert await refused(served, f"{UNKNOWN}?v=x") == (400, "invalid schema version")
    assert await refused(served, "/v2/items/999999?v=x") == (400, "invalid schema version")
    assert await refused(served, UNKNOWN) == (404, "no such id")


async def test_a_key_without_the_scope_learns_nothing_about_names(served: Dialect) -> None:
    for scopes in (("account",), ("account", "inventories"), ("account", "characters")):
        key = await served.mint(*scopes)
        there = await served.get(f"/v2/characters/{NAME}/inventory", key=key)
        nowhere = await served.get(UNKNOWN, key=key)
        assert (there.status_code, there.content) == (nowhere.status_code, nowhere.content)
        assert there.status_code == 403
        assert dict(there.headers) == dict(nowhere.headers)


async def test_another_accounts_characters_do_not_exist(served: Dialect) -> None:
    await seed(served.asked.gateway, PROVIDER, {"/v2/account": {**sample("account"), "name": "Other.5678"}})
    other = await served.mint(owner="Other.5678")
    assert await served.json("/v2/characters", key=other) == []
    assert await refused(served, f"/v2/characters/{NAME}/inventory", key=other) == (404, "no such id")
    assert await refused(served, f"/v2/characters/{NAME}", key=other) == (404, "no such id")


@pytest.mark.parametrize("name", ["x" * 65, "x" * 3000, "a%5Cb", "a%00b", "..", "%2e%2e"])
async def test_a_name_that_cannot_be_one_does_not_exist(served: Dialect, name: str) -> None:
    for path in (f"/v2/characters/{name}/inventory", f"/v2/characters/{name}"):
        status, text = await refused(served, path)
        assert (status, text) in {(404, "no such id"), (404, "not found")}
    assert (await refused(served, f"/v2/characters?ids={name}"))[0] == 404


# --- bulk -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*CATALOGUE, "characters"])
async def test_a_list_of_ids_tells_how_many(served: Dialect, name: str) -> None:
    answer = await served.get(f"/v2/{name}")
    assert answer.headers["x-result-total"] == str(len(answer.json()))
    assert "x-result-count" not in answer.headers


@pytest.mark.parametrize("number", ["999999", "0", "-1", "abc", "1.5", "99999999999999999999", "%C2%B2", "19721x"])
async def test_an_unknown_id_is_no_such_id(served: Dialect, number: str) -> None:
    assert await refused(served, f"/v2/items/{number}") == (404, "no such id")
    assert await refused(served, f"/v2/items?id={number}") == (404, "no such id")


async def test_ids_are_answered_once_each_in_order_of_first_mention(served: Dialect) -> None:
    """Behaviour 27."""
    answer = await served.get("/v2/items?ids=19721,12134,19721,%2012134,19685")
    assert answer.status_code == 200
    assert [entry["id"] for entry in answer.json()] == [19721, 12134, 19685]
    assert answer.headers["x-result-count"] == "3"
    assert answer.headers["x-result-total"] == str(len(DEMO["/v2/items"]))


@pytest.mark.parametrize("unknown", ["999999", "word", "", "-1", "99999999999999999999"])
async def test_some_unknown_ids_make_a_partial_answer(served: Dialect, unknown: str) -> None:
    """Behaviour 10. Behaviour 27."""
    answer = await served.get(f"/v2/items?ids={unknown},19721")
    assert answer.status_code == 206
    assert [entry["id"] for entry in answer.json()] == [19721]
    assert answer.headers["x-result-count"] == "1"
    assert answer.headers["x-result-total"] == str(len(DEMO["/v2/items"]))


@pytest.mark.parametrize("name", ["items", "characters"])
@pytest.mark.parametrize("ids", ["", "999999", "999999,word", ","])
async def test_only_unknown_ids_are_all_invalid(served: Dialect, name: str, ids: str) -> None:
    """Behaviour 11."""
    assert await refused(served, f"/v2/{name}?ids={ids}") == (404, "all ids provided are invalid")


@pytest.mark.parametrize("name", ["items", "skins"])
async def test_the_largest_endpoints_do_not_answer_all(served: Dialect, name: str) -> None:
    assert await refused(served, f"/v2/{name}?ids=all") == (404, "all ids provided are invalid")


@pytest.mark.parametrize("name", ["itemstats", "colors", "materials", "characters"])
async def test_the_others_answer_all(served: Dialect, name: str) -> None:
    answer = await served.get(f"/v2/{name}?ids=all")
    ids = await served.json(f"/v2/{name}")
    assert answer.status_code == 200
    assert [entry.get("id", entry["name"]) for entry in answer.json()] == ids
    assert answer.headers["x-result-count"] == answer.headers["x-result-total"] == str(len(ids))


async def test_two_hundred_ids_are_the_most(served: Dialect) -> None:
    """Behaviour 12."""
    many = ",".join(map(str, range(1_000_000, 1_000_199)))
    assert (await served.get(f"/v2/items?ids=19721,{many}")).status_code == 206
    assert (await served.get(f"/v2/items?ids=19721,{many},19721,19721")).status_code == 206
    text = "id list too long; this endpoint is limited to 200 ids at once"
    for name in ("items", "characters", "colors"):
        assert await refused(served, f"/v2/{name}?ids=19721,1,{many}") == (400, text)


async def test_characters_are_answered_by_name(served: Dialect) -> None:
    """Behaviour 10."""
    answer = await served.get(f"/v2/characters?ids=Nobody,{NAME},Second+Hero,{NAME}")
    assert answer.status_code == 206
    assert [entry["name"] for entry in answer.json()] == ["Test Nâme", "Second Hero"]
    assert [len(entry["bags"]) for entry in answer.json()] == [4, 1]
    assert (answer.headers["x-result-count"], answer.headers["x-result-total"]) == ("2", "2")


async def test_of_id_ids_and_page_the_first_counts(served: Dialect) -> None:
    assert (await served.json("/v2/items?page=0&ids=19721,12134&id=19685"))["id"] == 19685
    assert [entry["id"] for entry in await served.json("/v2/items?page=0&ids=19721,12134")] == [19721, 12134]
    assert (await served.json("/v2/items/19721?id=19685&ids=1&page=0"))["id"] == 19721


# --- pages ------------------------------------------------------------------------------------------------------------


def links(answer: Any) -> dict[str, str]:
    found = [part.split("; rel=") for part in answer.headers["link"].split(", ")]
    return {rel: url for url, rel in found}


async def test_pages_cover_everything_once_and_tell_where_they_stand(served: Dialect) -> None:
    """Behaviour 26."""
    ids = await served.json("/v2/items")
    seen: list[int] = []
    last = (len(ids) - 1) // 4
    for page in range(last + 1):
        answer = await served.get(f"/v2/items?page={page}&page_size=4")
        assert answer.status_code == 200
        found = [entry["id"] for entry in answer.json()]
        seen += found
        assert answer.headers["x-page-size"] == "4"
        assert answer.headers["x-page-total"] == str(last + 1)
        assert answer.headers["x-result-count"] == str(len(found))
        assert answer.headers["x-result-total"] == str(len(ids))
        places = {"previous": page - 1, "next": page + 1, "self": page, "first": 0, "last": last}
        assert links(answer) == {
            rel: f"</v2/items?page={at}&page_size=4>" for rel, at in places.items() if 0 <= at <= last
        }
    assert seen == ids
    assert set(links(await served.get(f"/v2/items?page={last}&page_size=4"))) == {"previous", "self", "first", "last"}


async def test_a_page_has_fifty_entries_unless_told(served: Dialect) -> None:
    """Behaviour 26."""
    answer = await served.get("/v2/colors?page=0")
    assert answer.headers["x-page-size"] == "50"
    assert links(answer)["self"] == "</v2/colors?page=0&page_size=50>"
    assert (await served.get("/v2/colors?page_size=2")).headers["x-page-total"] == "2"
    assert len(await served.json("/v2/characters?page=1&page_size=1")) == 1


@pytest.mark.parametrize("size", ["201", "0", "-1", "x", "", "1.5", "99999999999999"])
async def test_a_page_size_out_of_range_is_refused(served: Dialect, size: str) -> None:
    """Behaviour 25."""
    text = "page_size out of range. Use page_size values 1 - 200."
    assert await refused(served, f"/v2/items?page=0&page_size={size}") == (400, text)
    assert await refused(served, f"/v2/items?page_size={size}") == (400, text)
    assert (await served.get("/v2/items?page_size=200")).status_code == 200


@pytest.mark.parametrize("page", ["5", "-1", "x", "", "99999999999999"])
async def test_a_page_past_the_end_is_refused_naming_the_last(served: Dialect, page: str) -> None:
    """Behaviour 25."""
    pages = (len(DEMO["/v2/items"]) + 3) // 4
    text = f"page out of range. Use page values 0 - {pages - 1}."
    assert await refused(served, f"/v2/items?page={page}&page_size=4") == (400, text)
    assert (await served.get(f"/v2/items?page={pages - 1}&page_size=4")).status_code == 200


async def test_the_first_page_of_nothing_is_empty(served: Dialect) -> None:
    await seed(served.asked.gateway, PROVIDER, {"/v2/account": {**sample("account"), "name": "Other.5678"}})
    other = await served.mint(owner="Other.5678")
    answer = await served.get("/v2/characters?page=0", key=other)
    assert (answer.status_code, answer.json()) == (200, [])
    assert (answer.headers["x-page-total"], answer.headers["x-result-total"]) == ("1", "0")
    assert set(links(answer)) == {"self", "first", "last"}
    text = "page out of range. Use page values 0 - 0."
    assert await refused(served, "/v2/characters?page=1", key=other) == (400, text)
    assert await served.json("/v2/characters?ids=all", key=other) == []


# --- schema versions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "has"),
    [
        ("", set[str]()),
        ("v=2014-01-01", set[str]()),
        ("v=0001-01-01T00:00:00Z", set[str]()),
        ("v=2019-02-20T23:59:59Z", set[str]()),
        ("v=2019-02-21T00:00:00.000Z", {"last_modified"}),
        ("v=2019-02-21", {"last_modified"}),
        ("v=2019-12-18T23:59:59.999Z", {"last_modified"}),
        ("v=2019-12-19T00:00:00%2B01:00", {"last_modified"}),
        ("v=2019-12-19T00:00:00Z", {"last_modified", "build_storage_slots"}),
        ("v=2024-07-20T00:59:59Z", {"last_modified", "build_storage_slots"}),
        ("v=2024-07-20T01:00:00.000Z", {"last_modified", "build_storage_slots", "wvw"}),
        ("v=2199-01-01", {"last_modified", "build_storage_slots", "wvw"}),
        ("v=latest", {"last_modified", "build_storage_slots", "wvw"}),
    ],
)
async def test_a_version_is_the_newest_that_is_not_later(served: Dialect, asked: str, has: set[str]) -> None:
    found = await served.json(f"/v2/account?{asked}")
    assert {"last_modified", "build_storage_slots", "wvw"} & set(found) == has
    assert found.get("wvw_rank") == (None if "wvw" in has else 150)
    headers = {"X-Schema-Version": asked.removeprefix("v=").replace("%2B", "+")}
    assert await served.json("/v2/account", **headers) == found


async def test_the_query_beats_the_header(served: Dialect) -> None:
    newer = {"X-Schema-Version": "2199-01-01"}
    assert "wvw" in await served.json("/v2/account", **newer)
    assert "wvw" not in await served.json("/v2/account?v=2019-02-21", **newer)
    assert "wvw" in await served.json("/v2/account?v=latest", X_Schema_Version="x")


@pytest.mark.parametrize("version", ["x", "2019-02-30", "newest", "2019", "20190", "2019-05-22T25:00:00Z", "-1"])
async def test_a_version_that_is_no_date_is_refused(served: Dialect, version: str) -> None:
    for path in ("/v2/account", "/v2/items", "/v2/tokeninfo"):
        assert await refused(served, f"{path}?v={version}") == (400, "invalid schema version")
        assert await refused(served, path, X_Schema_Version=version) == (400, "invalid schema version")


async def test_what_is_told_about_a_key_has_a_type_from_its_version_on(served: Dialect) -> None:
    """Behaviour 30."""
    classic = await served.json("/v2/tokeninfo")
    assert classic == {"id": served.key[:36], "name": "test", "permissions": list(PROVIDER.manifest.scopes)}
    for version in ("2019-05-22T00:00:00.000Z", "2019-05-22T00:00:00Z", "2024-01-01", "latest"):
        assert await served.json(f"/v2/tokeninfo?v={version}") == {**classic, "type": "APIKey"}
    assert await served.json("/v2/tokeninfo?v=2019-05-21") == classic
    limited = await served.mint(limits=["/v2/tokeninfo"])
    told = await served.json(f"/v2/tokeninfo?{EVERY}", key=limited)
    assert told["type"] == "Subtoken"
    assert told["urls"] == ["/v2/tokeninfo"]
    assert told["issued_at"] == "2026-01-02T03:04:05Z"
    assert set(await served.json("/v2/tokeninfo", key=limited)) == {"id", "name", "permissions"}


async def test_a_character_has_tabs_or_skills_by_version(served: Dialect) -> None:
    await seed(served.asked.gateway, PROVIDER, {"/v2/characters/Second Hero": sample("character_oldest")}, OWNER)
    tabs = {"build_tabs_unlocked", "active_build_tab", "equipment_tabs_unlocked", "active_equipment_tab"}
    old = await served.json("/v2/characters/Second%20Hero")
    new = await served.json(f"/v2/characters/Second%20Hero?{EVERY}")
    assert set(old) - set(new) == {"skills", "specializations"}
    old, new = await served.json(f"/v2/characters/{NAME}"), await served.json(f"/v2/characters/{NAME}?{EVERY}")
    assert set(new) - set(old) == {*tabs, "last_modified"}


async def test_a_second_suffix_is_a_text_before_its_version(served: Dialect) -> None:
    documents = {"/v2/items": [*sample("items_older"), *sample("items")]}
    await seed(served.asked.gateway, PROVIDER, documents, OWNER)

    async def suffix(number: int, version: str) -> Any:
        return (await served.json(f"/v2/items/{number}?v={version}"))["details"].get("secondary_suffix_item_id")

    old, new = "2020-11-17T00:29:59Z", "2020-11-17T00:30:00.000Z"
    assert [await suffix(number, old) for number in (9002, 9003, 71836, 87225)] == ["24618", "", "24615", None]
    assert [await suffix(number, new) for number in (9002, 9003, 71836, 87225)] == [24618, None, 24615, None]


# --- headers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*PRIVATE, *PUBLIC])
async def test_every_answer_says_how_long_it_may_be_kept_and_by_whom(served: Dialect, path: str) -> None:
    headers = (await served.get(path)).headers
    private = path in PRIVATE
    assert headers["cache-control"] == ("private,max-age=60" if private else "public,max-age=300")
    assert headers["vary"] == ("Authorization, X-Schema-Version" if private else "X-Schema-Version")
    assert headers["access-control-allow-origin"] == "*"
    assert headers["x-rate-limit-limit"] == "600"
    assert headers["content-type"] == "application/json; charset=utf-8"


async def test_what_did_not_change_is_not_sent_again(served: Dialect) -> None:
    for path in (f"/v2/characters/{NAME}/inventory", "/v2/items/19721", "/v2/items?page=0&page_size=2"):
        answer = await served.get(path)
        tag = answer.headers["etag"]
        for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
            again = await served.get(path, If_None_Match=known)
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == tag
            assert again.headers["cache-control"] == answer.headers["cache-control"]
        assert (await served.get(path, If_None_Match='"x"')).status_code == 200


async def test_what_changed_has_another_tag(served: Dialect) -> None:
    path = "/v2/account/inventory"
    tag = (await served.get(path)).headers["etag"]
    await seed(served.asked.gateway, PROVIDER, {path: [None]}, OWNER)
    answer = await served.get(path, If_None_Match=tag)
    assert (answer.status_code, answer.json()) == (200, [None])


async def test_localised_answers_name_their_language(served: Dialect) -> None:
    for path in ("/v2/items/19721", "/v2/skins?ids=70", "/v2/colors?page=0", "/v2/itemstats?id=161", "/v2/materials/5"):
        for asked in ("", "lang=en", "lang=de", "lang=xx"):
            answer = await served.get(path + ("&" if "?" in path else "?") + asked)
            assert answer.headers["content-language"] == "en"
    for path in ("/v2/account", "/v2/items", "/v2/characters?ids=all"):
        assert "content-language" not in (await served.get(path)).headers


@pytest.mark.parametrize("path", [f"/v2/characters/{NAME}/inventory", "/v2/items?page=0&page_size=2", "/v2.json"])
async def test_head_has_the_headers_and_no_body(served: Dialect, path: str) -> None:
    whole, head = await served.get(path), await served.get(path, method="HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert dict(head.headers) == dict(whole.headers)


async def test_head_sends_no_body_at_all(served: Dialect) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "method": "HEAD",
        "path": "/rest/guildwars2/v2.json",
        "headers": [],
        "query_string": b"",
    }
    await served.asked.gateway.app()(scope, receive, send)
    assert [message.get("body") for message in sent] == [None, b""]


async def test_head_is_refused_as_get_is(served: Dialect) -> None:
    for path, status in (("/v2/what", 404), ("/v2/account?v=x", 400), (UNKNOWN, 404)):
        answer = await served.get(path, method="HEAD")
        assert (answer.status_code, answer.content) == (status, b"")
    assert (await served.get("/v2/account", method="HEAD", key=None)).status_code == 401


async def test_options_tells_what_is_allowed_and_takes_no_key(served: Dialect) -> None:
    for path in ("/v2/account", UNKNOWN, "/v2/items"):
        answer = await served.get(path, method="OPTIONS", key=None)
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
        assert answer.headers["access-control-allow-origin"] == "*"


# --- the rate limit ---------------------------------------------------------------------------------------------------


async def test_who_asks_too_often_is_told_to_wait_before_anything_else(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behaviour 23, from the serving side."""
    async with running(settings(store_url, server=ServerSettings(rest_rate_limit=True))) as asked:
        served = Dialect(asked, "bad")
        # On a slow machine the three hundred take so long that some are allowed again.
        loop = asyncio.get_running_loop()
        began = loop.time()
        monkeypatch.setattr(loop, "time", lambda: began)
        for _ in range(300):
            assert (await served.get("/v2/what")).status_code == 404
        for path, method in (("/v2/what", "GET"), ("/v2/items", "GET"), ("/v2/items", "POST"), ("/v2/account", "GET")):
            answer = await served.get(path, method=method)
            assert (answer.status_code, answer.json()) == (429, {"text": "too many requests"})
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.headers["x-rate-limit-limit"] == "600"
            assert answer.headers["access-control-allow-origin"] == "*"
        # Five a second are.
        monkeypatch.setattr(loop, "time", lambda: began + 1)
        statuses = [(await served.get("/v2/what")).status_code for _ in range(6)]
        assert statuses == [404] * 5 + [429]


async def test_nobody_is_held_back_where_the_limit_is_off(served: Dialect) -> None:
    for _ in range(301):
        assert (await served.get("/v2/what")).status_code == 404


# --- served and read back ---------------------------------------------------------------------------------------------

EVERYTHING = """query($owner: OwnerInput!) {
  inventoryOwner(owner: $owner) { id name details { ... on GuildWars2Account {
    id name age world guilds guildLeader created access commander lastModified fractalLevel dailyAp monthlyAp
    buildStorageSlots wvw { teamId rank } token { id name permissions type urls } } } }
  inventory(owner: $owner) { id isVisible
    containers { nodes { __typename id key name kind capacity freeSlots version
      ... on GuildWars2Character { summary { name race level crafting { discipline rating active } lastModified title }
        bagSlots { index bag { id key index size capacity freeSlots version definition { id name details { size } }
          slots { index item { ...item } } } } }
      slots { index item { ...item } }
      containers { nodes { id key name ... on GuildWars2Storage { category { order itemIds } } } } } }
    items(first: 250, filter: { minQuantity: 0 }) { totalCount nodes { id key quantity } } } }
fragment item on GuildWars2Item { id key name kind quantity binding boundTo charges skinId dyeIds upgradeIds infusionIds
  upgradeSlotIndices skin { id name } dyes { id name cloth { rgb } item { id } } upgrades { id name }
  infusions { id name } stats { id attributes { key amount } definition { name attributes { key multiplier } } }
  definition { id key name kind rarity ... on GuildWars2ItemDefinition { chatLink level details { type } } } }"""


async def test_what_the_dialect_serves_our_own_client_reads_back_to_the_same_graph(served: Dialect) -> None:
    """Behaviour 32."""
    odd = {"/v2/characters/Odd One/inventory": sample("inventory_odd"), "/v2/characters/Odd One": {"name": "Odd One"}}
    await seed(served.asked.gateway, PROVIDER, odd, OWNER)
    headers = {header(PROVIDER): served.key}
    owner = {"provider": "GUILD_WARS_2", "key": OWNER}
    async with upstream(PROVIDER, served.asked) as over:
        far = (await over.ask(EVERYTHING, headers=headers, owner=owner)).whole()
    near = (await served.asked.ask(EVERYTHING, headers=headers, owner=owner)).whole()
    assert far == near
    assert len(near["inventory"]["items"]["nodes"]) > 10


async def test_what_is_served_twice_is_equal_byte_for_byte(served: Dialect) -> None:
    """Behaviour 32."""
    for path in [*PRIVATE, *PUBLIC]:
        once, again = await served.get(path), await served.get(path)
        assert once.content == again.content
        assert once.headers["etag"] == again.headers["etag"]


async def test_the_dialect_over_the_dialect_serves_the_same(served: Dialect) -> None:
    """Behaviour 32: a gateway may have another as its service."""
    async with upstream(PROVIDER, served.asked) as over:
        second = Dialect(over, served.key)
        for path in PRIVATE:
            versioned = f"{path}{'&' if '?' in path else '?'}{EVERY}"
            first, answer = await served.get(versioned), await second.get(versioned)
            assert (answer.status_code, answer.content) == (first.status_code, first.content), path
        assert await refused(second, "/v2/account", key=None) == (401, "endpoint requires authentication")
        assert await refused(second, f"{UNKNOWN}") == (404, "no such id")
