"""The dialect that we serve: statuses, envelopes, pages, sessions, what is refused and what it leaves unchanged."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime, timedelta
from importlib import resources
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from structlog.testing import capture_logs

from gateway.backends.guarded import Guarded
from gateway.backends.local import LocalSession
from gateway.model.definition import DefinitionConnection
from gateway.model.errors import (
    Conflict,
    Forbidden,
    GatewayError,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Unauthenticated,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.model.manifest import ProviderKey
from gateway.model.node import problem
from gateway.model.paging import Part
from gateway.model.ports import Wanted
from gateway.model.relations import UNLOADED
from gateway.providers.community import PROVIDER
from gateway.providers.community.ledger import LocalLedger
from gateway.providers.community.local import Local
from gateway.providers.community.rest import MOST_BYTES
from gateway.providers.community.rules import Order
from gateway.providers.community.types import FAILED, CommunityMint
from tests.gateways import NOW, upstream
from tests.providers.community.conftest import NOVA, ROOT, Dialect

DEMO: dict[str, Any] = orjson.loads((resources.files(PROVIDER.demo) / "demo.json").read_bytes())
LAB = "/v1/community/lab/inventory"
REFRESH = "/v1/user/auth/refresh-session"
AT = "2026-01-02T03:04:05Z"

ENVELOPES = {
    400: (10002, "generic_client_error"),
    401: (10003, "generic_unauthorized"),
    404: (10006, "generic_not_found"),
    500: (10001, "internal_server_error"),
}

CALLS = [
    ("GET", ""),
    ("GET", "/slots?userId=u_1"),
    ("GET", "/slots/s_head/items?onlyOwned=false"),
    ("GET", "/items/i_cap"),
    ("POST", "/slots/allocate"),
    ("GET", "/avatar?userId=u_1"),
    ("GET", "/items?onlyOwned=false&userId=u_1"),
    ("POST", "/avatar/mint"),
]
"""The eight calls, good ones."""

BODIES = {
    "/slots/allocate": {"slots": [{"slotId": "s_head", "itemId": "i_cap"}]},
    "/avatar/mint": {"blockchain": "sui"},
}


async def call(served: Dialect, method: str, path: str, *, under: str = NOVA, token: str | None = "") -> Any:
    """Make one of the eight calls."""
    if method == "POST":
        return await served.post(f"{under}{path}", BODIES[path], token=token)
    return await served.get(f"{under}{path}", token=token)


def told(answer: Any) -> tuple[int, int, str]:
    """Give status, code and message of an envelope, whose keys must stand in order."""
    assert list(answer.json()) in (["code", "message"], ["code", "message", "details"])
    assert answer.headers["content-type"] == "application/json"
    return answer.status_code, answer.json()["code"], answer.json()["message"]


def refused(answer: Any) -> int:
    """Give the status of an answer that must be that status's plain envelope."""
    status, *rest = told(answer)
    assert tuple(rest) == ENVELOPES[status], answer.text
    return status


def reasons(answer: Any) -> list[str]:
    """Give why a write was refused."""
    refused(answer)
    return [detail["reason"] for detail in answer.json()["details"]]


# --- a small community for what the samples do not have ---------------------------------------------------------------


def slot(key: str, order: int, *, required: bool = False) -> dict[str, Any]:
    return {
        "id": key,
        "key": key,
        "name": key,
        "description": None,
        "order": order,
        "required": required,
        "item": None,
        "allocatedAt": None,
    }


def item(key: str, fits: Sequence[str], quantity: int, token: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {
        "id": key,
        "name": f"The {key}",
        "description": None,
        "imageUrl": None,
        "modelUrl": None,
        "slotIds": [*fits],
        "type": None,
        "rarity": None,
        "attributes": [],
        "owned": quantity > 0,
        "quantity": quantity,
        "token": token,
        "createdAt": None,
    }


TOKEN = {"blockchain": "sui", "contractAddress": "0xc", "tokenId": "7"}
ONE, OTHER, TWO, BODY = (
    item("one", ["a", "b", "c"], 1),
    item("other", ["a", "b"], 1, TOKEN),
    item("two", ["a", "b", "c"], 2),
    item("body", ["body"], 1),
)
FREE, FREE_BODY = item("free", ["a"], 0), item("free_body", ["body"], 0)
SLOTS = [slot("a", 1), slot("b", 2), slot("body", 3, required=True), slot("c", 4)]


def unowned(whole: Mapping[str, Any]) -> dict[str, Any]:
    """Give an item as the catalogue has it."""
    token = whole["token"] and {**whole["token"], "tokenId": None}
    return {**whole, "owned": False, "quantity": 0, "token": token}


def page(items: Sequence[Any]) -> dict[str, Any]:
    return {"items": [*items], "page": 1, "limit": 100, "total": len(items), "totalPages": 1}


def lab(
    user: str = "u_9",
    *,
    slots: Sequence[Any] = SLOTS,
    owned: Sequence[Any] = (ONE, OTHER, TWO, BODY),
    others: Sequence[Any] = (FREE, FREE_BODY),
    wallets: Sequence[str] = ("sui",),
) -> dict[str, Any]:
    """Make the documents of a community with one user."""
    return {
        LAB: {
            "id": "inv_lab",
            "communityId": "com_lab",
            "ckey": "lab",
            "name": "Lab",
            "description": None,
            "imageUrl": None,
            "blockchains": ["sui", "base"],
            "slotCount": len(slots),
            "itemCount": len(owned) + len(others),
            "createdAt": None,
            "updatedAt": None,
        },
        f"{LAB}/slots?userId={user}": [*slots],
        f"{LAB}/items?onlyOwned=false": page([unowned(one) for one in (*owned, *others)]),
        f"{LAB}/items?onlyOwned=true&userId={user}": page(owned),
        "/v1/user/wallets?userId=" + user: [{"blockchain": name, "address": f"0x{name}"} for name in wallets],
    }


@pytest.fixture
async def bench(served: Dialect) -> Dialect:
    """Serve the dialect with the small community in it; its user asks."""
    await served.seed(lab())
    return Dialect(served.asked, await served.mint("lab/u_9"))


def put(*entries: tuple[str, str | None]) -> dict[str, Any]:
    return {"slots": [{"slotId": slot, "itemId": item} for slot, item in entries]}


async def allocate(served: Dialect, *entries: tuple[str, str | None], under: str = LAB) -> Any:
    return await served.post(f"{under}/slots/allocate", put(*entries))


async def allocated(served: Dialect, *entries: tuple[str, str | None], under: str = LAB) -> None:
    answer = await allocate(served, *entries, under=under)
    assert answer.status_code == 201, answer.text


async def figure(served: Dialect, user: str = "u_9", under: str = LAB) -> tuple[int, dict[str, str]]:
    """Give an avatar's version and what its slots hold; the slots' own list must tell the same."""
    avatar = await served.json(f"{under}/avatar?userId={user}")
    slots = await served.json(f"{under}/slots?userId={user}")
    found = [(one["id"], one["item"] and one["item"]["id"]) for one in slots]
    assert found == [(one["slotId"], one["itemId"]) for one in avatar["slots"]]
    assert all((one["item"] is None) == (one["allocatedAt"] is None) for one in slots)
    return avatar["version"], {slot: item for slot, item in found if item is not None}


async def mints(served: Dialect, user: str = "u_9", under: str = LAB) -> list[tuple[str, int, str]]:
    avatar = await served.json(f"{under}/avatar?userId={user}")
    return [(one["blockchain"], one["version"], one["status"]) for one in avatar["mints"]]


async def try_mint(served: Dialect, blockchain: object, under: str = LAB) -> Any:
    return await served.post(f"{under}/avatar/mint", {"blockchain": blockchain})


# --- what is served ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [NOVA, *(path for path in DEMO if re.match(f"{NOVA}/(slots|avatar).*userId=", path))])
async def test_a_community_is_served_as_it_was_imported(served: Dialect, path: str) -> None:
    assert await served.json(path) == DEMO[path]


@pytest.mark.parametrize("path", [path for path in DEMO if re.match(f"{NOVA}/items.*userId=", path)])
async def test_items_are_served_as_they_were_imported(served: Dialect, path: str) -> None:
    found = await served.json(f"{path}&limit=100")
    assert found["items"] == sorted(DEMO[path]["items"], key=lambda one: (one["name"], one["id"]))
    owner = f"nova/{path.rpartition('userId=')[2].partition('&')[0]}"
    for one in found["items"][:2]:
        assert await served.json(f"{NOVA}/items/{one['id']}", token=await served.mint(owner)) == one


async def test_the_examples_of_the_contract_are_answered(served: Dialect) -> None:
    found = await served.json(f"{NOVA}/slots/s_head/items?onlyOwned=true&page=1&limit=2")
    cap = await served.json(f"{NOVA}/items/i_cap")
    assert list(found) == ["items", "page", "limit", "total", "totalPages"]
    assert cap in found["items"]
    assert (cap["name"], cap["slotIds"], cap["owned"], cap["quantity"]) == ("Blue cap", ["s_head"], True, 1)
    assert list(cap) == [
        *("id", "name", "description", "imageUrl", "modelUrl", "slotIds", "type", "rarity"),
        *("attributes", "owned", "quantity", "token", "createdAt"),
    ]


async def test_the_kit_is_the_same_for_all(served: Dialect) -> None:
    """Behaviour 28."""
    kit = await served.json(NOVA)
    assert (kit["id"], kit["blockchains"], kit["slotCount"], kit["itemCount"]) == ("inv_1", ["sui", "base"], 6, 14)
    for owner in ("nova/u_2", "nova/u_nobody", "elsewhere/u_5"):
        assert await served.json(NOVA, token=await served.mint(owner)) == kit


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_a_community_is_found_by_its_id_too(served: Dialect, method: str, path: str) -> None:
    by_id = await call(served, method, path, under="/v1/community/com_1/inventory")
    by_key = await call(served, method, path)
    assert by_id.status_code == (201 if method == "POST" else 200), by_id.text
    assert by_id.content == by_key.content


async def test_an_item_shows_the_token_of_the_copy_that_is_owned(bench: Dialect) -> None:
    assert (await bench.json(f"{LAB}/items/other"))["token"] == TOKEN
    listed = await bench.json(f"{LAB}/items?onlyOwned=true&userId=u_9")
    assert {one["id"]: one["token"] for one in listed["items"]} == {
        "one": None,
        "other": TOKEN,
        "two": None,
        "body": None,
    }
    await allocated(bench, ("a", "other"))
    assert (await bench.json(f"{LAB}/slots?userId=u_9"))[0]["item"]["token"] == TOKEN
    stranger = await bench.mint("lab/u_nobody")
    assert (await bench.json(f"{LAB}/items/other", token=stranger))["token"] == {**TOKEN, "tokenId": None}


async def test_a_single_item_is_of_the_session_and_one_who_is_no_user_owns_none(served: Dialect) -> None:
    """Behaviour 8."""
    stranger = await served.mint("nova/u_nobody")
    cap = await served.json(f"{NOVA}/items/i_cap")
    assert await served.json(f"{NOVA}/items/i_cap", token=stranger) == {**cap, "owned": False, "quantity": 0}
    listed = await served.json(f"{NOVA}/slots/s_head/items?onlyOwned=false", token=stranger)
    assert listed["items"]
    assert {(one["owned"], one["quantity"]) for one in listed["items"]} == {(False, 0)}
    assert (await served.json(f"{NOVA}/slots/s_head/items?onlyOwned=true", token=stranger))["total"] == 0


async def test_two_sessions_see_their_own_items_of_a_slot(served: Dialect) -> None:
    """Behaviour 8."""
    owned = {}
    for user in ("u_1", "u_2"):
        token = await served.mint(f"nova/{user}")
        everything = await served.json(f"{NOVA}/items?onlyOwned=false&userId={user}&limit=100")
        fitting = [one for one in everything["items"] if "s_head" in one["slotIds"]]
        found = await served.json(f"{NOVA}/slots/s_head/items?onlyOwned=false", token=token)
        assert found["items"] == fitting
        kept = await served.json(f"{NOVA}/slots/s_head/items?onlyOwned=true", token=token)
        assert kept["items"] == [one for one in fitting if one["owned"]]
        assert kept["total"] == len(kept["items"])
        owned[user] = {one["id"] for one in kept["items"]}
    assert owned["u_1"] != owned["u_2"]


async def test_all_items_are_of_the_user_that_is_named(served: Dialect) -> None:
    """Behaviour 9."""
    path = f"{NOVA}/items?onlyOwned=true&userId="
    other = await served.mint("nova/u_2")
    assert await served.json(f"{path}u_2") == await served.json(f"{path}u_2", token=other)
    assert (await served.json(f"{path}u_2"))["total"] == 3
    assert (await served.json(f"{path}u_1", token=other))["total"] == 9


async def test_a_user_who_never_allocated_has_an_empty_avatar_of_version_0(served: Dialect) -> None:
    """Behaviour 19."""
    found = await served.json(f"{NOVA}/avatar?userId=u_2")
    slots = await served.json(f"{NOVA}/slots?userId=u_2")
    assert (found["userId"], found["inventoryId"]) == ("u_2", "inv_1")
    assert (found["version"], found["updatedAt"], found["mints"]) == (0, None, [])
    assert found["slots"] == [{"slotId": one["id"], "itemId": None} for one in slots]
    assert len(slots) == 6
    assert all(one["item"] is None and one["allocatedAt"] is None for one in slots)


@pytest.mark.parametrize("path", ["slots?userId={}", "avatar?userId={}", "items?onlyOwned=false&userId={}"])
async def test_a_user_that_there_is_not_is_not_found(served: Dialect, path: str) -> None:
    """Behaviour 19."""
    for user in ("u_nobody", "me", "u_1/", "%00", "U_1", "u_1%20", "%ff", "x" * 5_000):
        assert refused(await served.get(f"{NOVA}/{path.format(user)}")) == 404, user


async def test_losing_an_item_empties_its_slot_and_raises_the_version_once(bench: Dialect) -> None:
    """Behaviour 29."""
    await allocated(bench, ("a", "one"), ("b", "two"))
    await bench.seed({f"{LAB}/items?onlyOwned=true&userId=u_9": page([OTHER, TWO, BODY])})
    for _ in range(2):
        assert await figure(bench) == (2, {"b": "two"})


# --- parameters -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["slots", "avatar", "items?onlyOwned=false"])
async def test_the_user_must_be_named(served: Dialect, path: str) -> None:
    """Behaviour 5."""
    joiner = "&" if "?" in path else "?"
    assert refused(await served.get(f"{NOVA}/{path}")) == 400
    assert refused(await served.get(f"{NOVA}/{path}{joiner}userId=")) == 400
    assert refused(await served.get(f"{NOVA}/{path}{joiner}userid=u_1")) == 400


async def test_a_refusal_is_these_bytes(served: Dialect) -> None:
    """Behaviour 1."""
    answer = await served.get(f"{NOVA}/slots")
    assert answer.status_code == 400
    assert answer.content == b'{"code":10002,"message":"generic_client_error"}'


@pytest.mark.parametrize("path", ["items?userId=u_1", "slots/s_head/items?"])
async def test_only_owned_is_told_in_words(served: Dialect, path: str) -> None:
    """Behaviour 6. Behaviour 7."""
    totals: dict[str, int] = {}
    for word in ("true", "TRUE", "True", "1", "false", "FALSE", "0"):
        found = await served.json(f"{NOVA}/{path}&onlyOwned={word}")
        totals[word] = found["total"]
        owned = {one["owned"] for one in found["items"]}
        assert owned == {True} if word in ("true", "TRUE", "True", "1") else False in owned
    assert len({totals[word] for word in ("true", "TRUE", "True", "1")}) == 1
    assert totals["false"] == totals["FALSE"] == totals["0"] > totals["true"]
    for query in ("", "&onlyOwned=", "&onlyOwned=maybe", "&onlyOwned=yes", "&onlyOwned=2", "&onlyowned=true"):
        assert refused(await served.get(f"{NOVA}/{path}{query}")) == 400, query


async def test_items_come_in_pages_by_name(served: Dialect) -> None:
    """Behaviour 10."""
    path = f"{NOVA}/items?userId=u_1&onlyOwned="
    whole = await served.json(f"{path}false&limit=100")
    assert (whole["total"], whole["totalPages"], len(whole["items"])) == (14, 1, 14)
    assert whole["items"] == sorted(whole["items"], key=lambda one: (one["name"], one["id"]))
    read: list[Any] = []
    for number in (1, 2, 3, 4):
        part = await served.json(f"{path}false&limit=4&page={number}")
        assert (part["page"], part["limit"], part["total"], part["totalPages"]) == (number, 4, 14, 4)
        read += part["items"]
    assert read == whole["items"]
    past = await served.json(f"{path}false&limit=4&page=5")
    assert past == {"items": [], "page": 5, "limit": 4, "total": 14, "totalPages": 4}
    far = await served.json(f"{path}true&page=9999999999&limit=100")
    assert (far["items"], far["page"], far["total"]) == ([], 9999999999, 9)
    bare = await served.json(f"{path}true")
    assert (bare["page"], bare["limit"], bare["total"], bare["totalPages"]) == (1, 20, 9, 1)
    assert [one["id"] for one in bare["items"]] == [one["id"] for one in whole["items"] if one["owned"]]


async def test_items_of_a_slot_come_in_pages(served: Dialect) -> None:
    """Behaviour 10."""
    path = f"{NOVA}/slots/s_head/items?onlyOwned=false"
    whole = await served.json(path)
    total = whole["total"]
    assert total == len(whole["items"]) > 1
    parts = [await served.json(f"{path}&limit=1&page={number}") for number in range(1, total + 2)]
    assert [one for part in parts for one in part["items"]] == whole["items"]
    assert parts[-1] == {"items": [], "page": total + 1, "limit": 1, "total": total, "totalPages": total}


@pytest.mark.parametrize("path", ["items?userId=u_1&onlyOwned=false", "slots/s_head/items?onlyOwned=false"])
async def test_pages_and_limits_are_whole_numbers_from_1(served: Dialect, path: str) -> None:
    """Behaviour 10."""
    for value in ("0", "-1", "x", "", "1.0", "1e1", "+1", "%D9%A1", "9" * 5_000):
        assert refused(await served.get(f"{NOVA}/{path}&limit={value}")) == 400, value
        assert refused(await served.get(f"{NOVA}/{path}&page={value}")) == 400, value
    assert refused(await served.get(f"{NOVA}/{path}&limit=101")) == 400
    assert (await served.get(f"{NOVA}/{path}&limit=100&colour=blue")).status_code == 200


async def test_a_page_costs_the_same_whatever_it_holds(served: Dialect) -> None:
    counts: dict[str, set[int]] = {}
    for path in ("items?userId=u_1&onlyOwned=false", "slots/s_head/items?onlyOwned=false"):
        for limit in (1, 2, 100):
            served.asked.statements.clear()
            await served.json(f"{NOVA}/{path}&limit={limit}")
            counts.setdefault(path, set()).add(len(served.asked.statements))
    assert all(len(found) == 1 and max(found) <= 9 for found in counts.values()), counts
    for user in ("u_1", "u_2"):
        served.asked.statements.clear()
        await served.json(f"{NOVA}/slots?userId={user}")
        counts.setdefault("slots", set()).add(len(served.asked.statements))
    assert len(counts["slots"]) <= 2
    assert max(counts["slots"]) <= 10


async def test_ids_may_hold_anything_and_are_decoded_once(served: Dialect) -> None:
    ids = ["a/b", "a/items", "items", "%2F", "ä ö+?#&", ".", "allocate", "emoji 🎩", "a:b"]
    await served.seed(
        lab(slots=[slot(f"s{key}", n) for n, key in enumerate(ids)], owned=[item(key, [f"s{key}"], 1) for key in ids])
    )
    bench = Dialect(served.asked, await served.mint("lab/u_9"))
    for key in ids:
        # A segment of dots alone is taken out of a path by those who send it.
        sent = quote(key, safe="").replace(".", "%2E")
        assert (await bench.json(f"{LAB}/items/{sent}"))["id"] == key
        found = await bench.json(f"{LAB}/slots/{quote(f's{key}', safe='')}/items?onlyOwned=true")
        assert [one["id"] for one in found["items"]] == [key]
    for wrong in ("a%252Fb", "a/b", "A%2Fb", "%00", "a%2Fb%20", "%ff", "x" * 3_000):
        assert refused(await bench.get(f"{LAB}/items/{wrong}")) == 404, wrong
        assert refused(await bench.get(f"{LAB}/slots/s{wrong}/items?onlyOwned=true")) == 404, wrong
    await allocated(bench, *((f"s{key}", key) for key in ids))
    assert await figure(bench) == (1, {f"s{key}": key for key in ids})


# --- routes, sessions, communities: the order of checks ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v1"),
        ("GET", NOVA + "/"),
        ("GET", NOVA + "/things"),
        ("GET", NOVA + "/items/"),
        ("GET", NOVA + "/items/i_cap/"),
        ("GET", NOVA + "/slots/s_head"),
        ("GET", "/v1/community//inventory"),
        ("GET", "/v2/community/nova/inventory"),
        ("POST", NOVA),
        ("POST", NOVA + "/items"),
        ("POST", NOVA + "/slots"),
        ("PUT", NOVA + "/slots/allocate"),
        ("GET", NOVA + "/slots/allocate"),
        ("HEAD", NOVA + "/avatar/mint"),
        ("DELETE", NOVA + "/items/i_cap"),
        ("PATCH", NOVA + "/avatar?userId=u_1"),
        ("OPTIONS", NOVA),
        ("TRACE", NOVA),
        ("PROPFIND", NOVA),
        ("GET", REFRESH),
        ("PUT", REFRESH),
    ],
)
async def test_other_routes_and_methods_are_not_found_whoever_asks(served: Dialect, method: str, path: str) -> None:
    for token in ("", None, "bad"):
        answer = await served.send(method, path, token=token)
        assert answer.status_code == 404
        if method != "HEAD":
            assert told(answer) == (404, 10006, "generic_not_found")


async def test_a_head_is_a_get_without_its_body(served: Dialect) -> None:
    for path in (NOVA, f"{NOVA}/slots", f"{NOVA}/avatar?userId=u_1"):
        answer, head = await served.get(path), await served.send("HEAD", path)
        assert head.status_code == answer.status_code
        assert head.content == b""
        assert head.headers["content-length"] == str(len(answer.content)) != "0"


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_without_a_good_session_there_is_nothing(served: Dialect, method: str, path: str) -> None:
    """Behaviour 23."""
    for under in (NOVA, "/v1/community/nobody/inventory", "/v1/community/%00/inventory"):
        for token in (None, "bad", "x" * 3_000, "a.b.c"):
            answer = await call(served, method, path, under=under, token=token)
            assert told(answer) == (401, 10003, "generic_unauthorized")
    before = await figure(served, "u_1", NOVA)
    late = await served.mint("nova/u_1", expires_at=NOW)
    for under in (NOVA, "/v1/community/nobody/inventory"):
        answer = await call(served, method, path, under=under, token=late)
        assert told(answer) == (401, 10004, "session_token_expired")
    assert await figure(served, "u_1", NOVA) == before


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic abc", "Token x", "bearer\tx", "Bearer a\tb"])
async def test_other_ways_to_carry_a_token_are_none(served: Dialect, value: str) -> None:
    answer = await served.send("GET", NOVA, token=None, Authorization=value)
    assert told(answer) == (401, 10003, "generic_unauthorized")


async def test_the_word_before_a_token_is_read_in_any_case_and_odd_letters_are_no_token(served: Dialect) -> None:
    for word in ("bearer", "BEARER", "Bearer "):
        assert (await served.send("GET", NOVA, token=None, Authorization=f"{word} {served.token}")).status_code == 200
    raw = {b"Authorization": b"Bearer \xc3\xa4\xff"}
    answer = await served.asked.client.get(f"{ROOT}{NOVA}", headers=raw)
    assert told(answer) == (401, 10003, "generic_unauthorized")
    query = await served.send("GET", f"{NOVA}?access_token={served.token}", token=None)
    assert refused(query) == 401


async def test_a_session_is_good_for_its_ten_minutes(served: Dialect) -> None:
    for left, status in ((timedelta(seconds=1), 200), (timedelta(), 401), (timedelta(seconds=-1), 401)):
        token = await served.mint("nova/u_1", expires_at=NOW + left)
        assert (await served.get(NOVA, token=token)).status_code == status


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_an_unknown_community_is_not_found_on_all_calls(served: Dialect, method: str, path: str) -> None:
    """Behaviour 23."""
    for ckey in ("nobody", "NOVA", "inv_1", "me", "%00", "nova%2Fu_1", "nova%20", "%ff", "x" * 500):
        answer = await call(served, method, path, under=f"/v1/community/{ckey}/inventory")
        assert told(answer) == (404, 10006, "generic_not_found"), ckey


async def test_a_slot_of_another_community_is_not_found(bench: Dialect) -> None:
    """Behaviour 23."""
    assert refused(await bench.get(f"{LAB}/slots/s_head/items?onlyOwned=false")) == 404
    assert refused(await bench.get(f"{NOVA}/slots/a/items?onlyOwned=false")) == 404
    assert refused(await bench.get(f"{LAB}/items/i_cap")) == 404
    assert reasons(await allocate(bench, ("s_head", "one"))) == ["unknown_slot"]
    assert reasons(await allocate(bench, ("a", "i_cap"))) == ["unknown_item"]
    assert await figure(bench) == (0, {})


async def test_parameters_are_looked_at_after_the_community_and_before_what_they_name(served: Dialect) -> None:
    nobody = "/v1/community/nobody/inventory"
    assert refused(await served.get(f"{nobody}/slots")) == 404
    assert refused(await served.post(f"{nobody}/slots/allocate", [])) == 404
    assert refused(await served.get(f"{NOVA}/items?userId=u_nobody&onlyOwned=maybe")) == 400
    assert refused(await served.get(f"{NOVA}/items?userId=u_nobody&onlyOwned=true")) == 404
    assert refused(await served.get(f"{NOVA}/slots/s_nothing/items?onlyOwned=true&limit=0")) == 400
    assert refused(await served.get(f"{NOVA}/slots/s_nothing/items?onlyOwned=true")) == 404


async def test_one_who_is_no_user_of_the_community_cannot_write(served: Dialect) -> None:
    stranger = await served.mint("nova/u_nobody")
    for path, body in BODIES.items():
        assert refused(await served.post(f"{NOVA}{path}", {}, token=stranger)) == 400
        assert refused(await served.post(f"{NOVA}{path}", body, token=stranger)) == 404


# --- allocating -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", BODIES)
async def test_a_write_is_answered_without_a_byte(served: Dialect, path: str) -> None:
    """Behaviour 4."""
    answer = await served.post(f"{NOVA}{path}", BODIES[path])
    assert (answer.status_code, answer.content) == (201, b"")
    assert answer.headers["content-length"] == "0"
    assert "content-type" not in answer.headers


async def test_what_is_allocated_is_shown_with_its_time(bench: Dialect) -> None:
    await allocated(bench, ("a", "one"), ("body", "body"))
    slots = await bench.json(f"{LAB}/slots?userId=u_9")
    assert slots[0] == {**SLOTS[0], "item": ONE, "allocatedAt": AT}
    assert slots[2] == {**SLOTS[2], "item": BODY, "allocatedAt": AT}
    assert slots[1] == SLOTS[1]
    avatar = await bench.json(f"{LAB}/avatar?userId=u_9")
    assert avatar == {
        "userId": "u_9",
        "inventoryId": "inv_lab",
        "version": 1,
        "imageUrl": None,
        "modelUrl": None,
        "slots": [
            {"slotId": "a", "itemId": "one"},
            {"slotId": "b", "itemId": None},
            {"slotId": "body", "itemId": "body"},
            {"slotId": "c", "itemId": None},
        ],
        "mints": [],
        "updatedAt": AT,
    }


async def test_an_avatar_that_no_document_told_of_is_of_the_kit(bench: Dialect) -> None:
    """Behaviour 19."""
    found = await bench.json(f"{LAB}/avatar?userId=u_9")
    assert (found["inventoryId"], found["version"], found["updatedAt"]) == ("inv_lab", 0, None)


async def test_what_lies_in_a_slot_is_looked_up_where_it_is_not_in_hand(
    bench: Dialect, monkeypatch: pytest.MonkeyPatch
) -> None:
    await allocated(bench, ("a", "one"), ("b", "other"))
    whole = await bench.json(f"{LAB}/slots?userId=u_9")
    read: Any = LocalSession.contents_by_container
    for instead, told in ((UNLOADED, whole), (None, SLOTS)):

        async def bare(session: Any, refs: Any, instead: object = instead) -> Any:
            found = await read(session, refs)
            for item in (item for contents in found.values() for item in contents.items):
                item.definition = instead
            return found

        monkeypatch.setattr(LocalSession, "contents_by_container", bare)
        assert await bench.json(f"{LAB}/slots?userId=u_9") == told


async def test_one_bad_entry_and_nothing_is_changed(bench: Dialect) -> None:
    """Behaviour 11."""
    await allocated(bench, ("c", "two"))
    answer = await allocate(bench, ("a", "one"), ("b", "two"), ("body", "free_body"))
    assert refused(answer) == 400
    assert answer.json()["details"] == [{"slotId": "body", "itemId": "free_body", "reason": "not_owned"}]
    assert await figure(bench) == (1, {"c": "two"})


async def test_empty_text_and_null_clear_and_an_absent_item_does_not(bench: Dialect) -> None:
    """Behaviour 12."""
    await allocated(bench, ("a", "one"), ("b", "other"), ("c", "two"))
    await allocated(bench, ("a", ""), ("b", None))
    assert await figure(bench) == (2, {"c": "two"})
    answer = await bench.post(f"{LAB}/slots/allocate", {"slots": [{"slotId": "c"}]})
    assert refused(answer) == 400
    assert answer.json()["details"] == [{"slotId": "c", "field": "itemId", "reason": "invalid_field"}]
    assert await figure(bench) == (2, {"c": "two"})


async def test_two_slots_are_swapped_in_one_call(bench: Dialect) -> None:
    """Behaviour 13."""
    await allocated(bench, ("a", "one"), ("b", "other"))
    await allocated(bench, ("a", "other"), ("b", "one"))
    assert await figure(bench) == (2, {"a": "other", "b": "one"})
    await allocated(bench, ("c", "one"), ("b", ""))
    assert await figure(bench) == (3, {"a": "other", "c": "one"})


async def test_a_copy_lies_in_one_slot_and_two_copies_in_two(bench: Dialect) -> None:
    """Behaviour 14."""
    assert set(reasons(await allocate(bench, ("a", "one"), ("b", "one")))) == {"quantity_exceeded"}
    await allocated(bench, ("a", "two"), ("b", "two"))
    answer = await allocate(bench, ("c", "two"))
    assert refused(answer) == 400
    assert answer.json()["details"] == [{"slotId": "c", "itemId": "two", "reason": "quantity_exceeded"}]
    assert await figure(bench) == (1, {"a": "two", "b": "two"})


async def test_what_does_not_exist_is_told_before_what_does_not_fit(bench: Dialect) -> None:
    """Behaviour 15."""
    misfit = await allocate(bench, ("body", "one"))
    assert (misfit.status_code, reasons(misfit)) == (400, ["does_not_fit"])
    for unknown, reason in (
        (("z", "one"), "unknown_slot"),
        (("", "one"), "unknown_slot"),
        (("a\0", "one"), "unknown_slot"),
        (("a", "z"), "unknown_item"),
        (("a", "o\0ne"), "unknown_item"),
        (("a", "u_9/one"), "unknown_item"),
        (("a", "x" * 5_000), "unknown_item"),
    ):
        answer = await allocate(bench, unknown)
        assert (answer.status_code, reasons(answer)) == (404, [reason])
        both = await allocate(bench, ("body", "one"), unknown)
        assert (both.status_code, reasons(both)) == (404, ["does_not_fit", reason])
    assert await figure(bench) == (0, {})


async def test_a_slot_is_named_once_and_a_list_is_a_list_that_is_not_empty(bench: Dialect) -> None:
    """Behaviour 16."""
    twice = await allocate(bench, ("a", "one"), ("a", "one"))
    assert (twice.status_code, reasons(twice)) == (400, ["duplicate_slot"])
    empty = await allocate(bench)
    assert (empty.status_code, reasons(empty)) == (400, ["empty_list"])
    many = await allocate(bench, *((f"s{n}", "one") for n in range(101)))
    assert (many.status_code, reasons(many)) == (400, ["invalid_field"])
    for listed in (None, {}, "a", 1, True, {"slotId": "a", "itemId": "one"}):
        answer = await bench.post(f"{LAB}/slots/allocate", {"slots": listed})
        assert refused(answer) == 400
        assert answer.json()["details"] == [{"field": "slots", "reason": "invalid_field"}]
    assert refused(await bench.post(f"{LAB}/slots/allocate", {})) == 400
    assert await figure(bench) == (0, {})


@pytest.mark.parametrize(
    ("entry", "fields"),
    [
        (None, ["slotId", "itemId"]),
        ([], ["slotId", "itemId"]),
        ("a", ["slotId", "itemId"]),
        ({}, ["slotId", "itemId"]),
        ({"itemId": None}, ["slotId"]),
        ({"slotId": None, "itemId": "one"}, ["slotId"]),
        ({"slotId": 1, "itemId": "one"}, ["slotId"]),
        ({"slotId": "a", "itemId": 1}, ["itemId"]),
        ({"slotId": "a", "itemId": False}, ["itemId"]),
        ({"slotId": "a", "itemId": ["one"]}, ["itemId"]),
        ({"slotId": "a", "itemId": {}}, ["itemId"]),
    ],
)
async def test_an_entry_of_another_form_is_refused_and_its_fields_are_told(
    bench: Dialect, entry: object, fields: list[str]
) -> None:
    answer = await bench.post(f"{LAB}/slots/allocate", {"slots": [{"slotId": "z", "itemId": "one"}, entry]})
    assert refused(answer) == 400
    assert [detail["field"] for detail in answer.json()["details"]] == fields
    assert {detail["reason"] for detail in answer.json()["details"]} == {"invalid_field"}


async def test_a_required_slot_is_changed_but_not_cleared(bench: Dialect) -> None:
    await allocated(bench, ("body", "body"))
    for nothing in ("", None):
        answer = await allocate(bench, ("body", nothing))
        assert refused(answer) == 400
        assert answer.json()["details"] == [{"slotId": "body", "reason": "required_slot"}]
    assert await figure(bench) == (1, {"body": "body"})


async def test_the_same_allocation_again_changes_nothing(bench: Dialect) -> None:
    """Behaviour 17."""
    await allocated(bench, ("a", "one"), ("b", ""))
    before = [await bench.json(f"{LAB}/{path}?userId=u_9") for path in ("avatar", "slots")]
    assert before[0]["version"] == 1
    await allocated(bench, ("a", "one"), ("b", ""))
    assert [await bench.json(f"{LAB}/{path}?userId=u_9") for path in ("avatar", "slots")] == before


async def test_a_write_is_the_callers_own(served: Dialect) -> None:
    before = await figure(served, "u_1", NOVA)
    other = await served.mint("nova/u_2")
    mine = await served.json(f"{NOVA}/items?onlyOwned=true&userId=u_2")
    entry = {"slotId": mine["items"][0]["slotIds"][0], "itemId": mine["items"][0]["id"], "userId": "u_1"}
    answer = await served.post(f"{NOVA}/slots/allocate?userId=u_1", {"slots": [entry], "userId": "u_1"}, token=other)
    assert answer.status_code == 201
    assert await figure(served, "u_1", NOVA) == before
    assert await figure(served, "u_2", NOVA) == (1, {entry["slotId"]: entry["itemId"]})


# --- minting ----------------------------------------------------------------------------------------------------------


async def test_a_mint_is_made_once_for_each_version_and_blockchain(served: Dialect) -> None:
    """Behaviour 20."""
    await served.seed(lab(wallets=("sui", "base")))
    bench = Dialect(served.asked, await served.mint("lab/u_9"))
    await allocated(bench, ("body", "body"))
    for name in ("sui", " SUI\t", "sui"):
        assert (await try_mint(bench, name)).status_code == 201
    assert await mints(bench) == [("sui", 1, "minted")]
    first = (await bench.json(f"{LAB}/avatar?userId=u_9"))["mints"][0]
    assert first["tokenId"]
    assert first["txHash"]
    assert (first["requestedAt"], first["mintedAt"]) == (AT, AT)
    await allocated(bench, ("a", "one"))
    assert (await try_mint(bench, "sui")).status_code == 201
    assert await mints(bench) == [("sui", 2, "minted"), ("sui", 1, "minted")]
    assert (await try_mint(bench, "Base")).status_code == 201
    assert await mints(bench) == [("base", 2, "minted"), ("sui", 2, "minted"), ("sui", 1, "minted")]
    found = (await bench.json(f"{LAB}/avatar?userId=u_9"))["mints"]
    assert found[-1] == first
    assert len({one["tokenId"] for one in found}) == 3
    assert (await figure(bench))[0] == 2


async def test_a_mint_is_refused_for_an_unknown_chain_an_empty_avatar_and_want_of_a_wallet(bench: Dialect) -> None:
    """Behaviour 21."""
    unknown = await try_mint(bench, "ethereum")
    assert (unknown.status_code, unknown.json()["details"]) == (
        400,
        [{"field": "blockchain", "reason": "unsupported_blockchain"}],
    )
    empty = await try_mint(bench, "sui")
    assert refused(empty) == 400
    assert empty.json()["details"] == [{"reason": "empty_avatar"}, {"slotId": "body", "reason": "required_slot"}]
    await allocated(bench, ("a", "one"))
    lacking = await try_mint(bench, "sui")
    assert refused(lacking) == 400
    assert lacking.json()["details"] == [{"slotId": "body", "reason": "required_slot"}]
    await allocated(bench, ("body", "body"))
    poor = await try_mint(bench, "base")
    assert refused(poor) == 400
    assert poor.json()["details"] == [{"field": "blockchain", "reason": "no_wallet"}]
    assert await mints(bench) == []
    assert (await try_mint(bench, "sui")).status_code == 201


class FailsAtFirst:
    """A ledger whose first mint fails."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.good = LocalLedger()

    async def submit(self, order: Order, *, at: datetime) -> CommunityMint:
        self.orders.append(order)
        if len(self.orders) == 1:
            return CommunityMint(blockchain=order.blockchain, version=order.version, status=FAILED, requested_at=at)
        return await self.good.submit(order, at=at)

    def current(self, mint: CommunityMint, *, user: str, inventory: str, at: datetime) -> CommunityMint:
        return self.good.current(mint, user=user, inventory=inventory, at=at)


async def test_a_mint_that_failed_is_tried_again(bench: Dialect) -> None:
    """Behaviour 22."""
    ledger = FailsAtFirst()
    backend: Any = bench.asked.gateway.backends["community"]
    backend.inner.own = Local(lambda: NOW, ledger)
    await allocated(bench, ("body", "body"))
    assert (await try_mint(bench, "sui")).status_code == 201
    failed = (await bench.json(f"{LAB}/avatar?userId=u_9"))["mints"]
    assert [(one["status"], one["tokenId"], one["mintedAt"]) for one in failed] == [("failed", None, None)]
    for _ in range(2):
        assert (await try_mint(bench, "sui")).status_code == 201
        assert await mints(bench) == [("sui", 1, "minted")]
    assert len(ledger.orders) == 2
    assert ledger.orders[0] == ledger.orders[1]


# --- bodies -----------------------------------------------------------------------------------------------------------

POSTS = [f"{NOVA}/slots/allocate", f"{NOVA}/avatar/mint", REFRESH]


HOSTILE = [
    b"",
    b"null",
    b"[]",
    b'"text"',
    b"1",
    b"{",
    b'{"slots":[}',
    b"{'blockchain':'sui'}",
    b"\xff\xfe",
    b'{"blockchain":"\xff"}',
    b'{"blockchain":"\\ud800"}',
    b"[" * 100_000,
    b"[" * 60_000,
    b'{"slots":' * 7_000,
    b'{"slots":' + b"9" * 5_000 + b',"blockchain":' + b"9" * 5_000 + b',"refreshToken":1e999}',
    b'{"blockchain":"' + b"x" * 1_000_000 + b'"}',
    b" " * 1_000_000,
]
"""Bodies that are no good object of any call."""


@pytest.mark.parametrize("path", POSTS)
async def test_a_body_that_is_no_good_object_is_refused(served: Dialect, path: str) -> None:
    for content in HOSTILE:
        answer = await served.send("POST", path, content=content, Content_Type="application/json")
        assert told(answer)[:2] == (400, 10002), content[:20]


@pytest.mark.parametrize("path", POSTS)
async def test_a_body_is_json_by_its_type(served: Dialect, path: str) -> None:
    content = orjson.dumps({**BODIES["/slots/allocate"], **BODIES["/avatar/mint"], "refreshToken": "x"})
    for good in ("application/json", "Application/JSON; charset=utf-8", "application/json;odd"):
        answer = await served.send("POST", path, content=content, Content_Type=good)
        assert answer.status_code == (401 if path == REFRESH else 201), good
    for other in ("text/plain", "application/x-www-form-urlencoded", "application/json5", "json", ""):
        answer = await served.send("POST", path, content=content, Content_Type=other)
        assert answer.content == b'{"code":10002,"message":"generic_client_error"}', other
    assert refused(await served.send("POST", path, content=content)) == 400


async def test_a_body_is_read_no_further_than_a_good_one_goes(served: Dialect) -> None:
    sent = 0

    async def endless() -> AsyncGenerator[bytes]:
        nonlocal sent
        while True:
            sent += 8_192
            yield b" " * 8_192

    headers = {"Authorization": f"Bearer {served.token}", "Content-Type": "application/json"}
    answer = await served.asked.client.post(f"{ROOT}{NOVA}/avatar/mint", content=endless(), headers=headers)
    assert refused(answer) == 400
    assert sent <= MOST_BYTES + 2 * 8_192
    padded = orjson.dumps(BODIES["/avatar/mint"]).ljust(MOST_BYTES)
    whole = await served.send("POST", f"{NOVA}/avatar/mint", content=padded, Content_Type="application/json")
    assert whole.status_code == 201


@pytest.mark.parametrize("value", [None, 1, True, [], {}, ["sui"]])
async def test_a_blockchain_and_a_refresh_token_are_texts(served: Dialect, value: object) -> None:
    for path, field in ((f"{NOVA}/avatar/mint", "blockchain"), (REFRESH, "refreshToken")):
        for body in ({field: value}, {}):
            answer = await served.post(path, body)
            assert refused(answer) == 400
            assert answer.json()["details"] == [{"field": field, "reason": "invalid_field"}]


# --- refresh tokens ---------------------------------------------------------------------------------------------------


async def refresh_token(served: Dialect, owner: str, *, expires_at: datetime | None = None) -> str:
    backend: Any = served.asked.gateway.backends["community"]
    wanted = Wanted(
        part="refresh", owner=owner, name="test", scopes=(), issued_at=NOW, expires_at=expires_at, limits=()
    )
    return await backend.inner.issue(wanted)


async def test_a_refresh_token_makes_a_session_without_a_session(served: Dialect) -> None:
    refresh = await refresh_token(served, "nova/u_2")
    for token in (None, "bad"):
        answer = await served.post(REFRESH, {"refreshToken": refresh}, token=token)
        assert (answer.status_code, list(answer.json())) == (200, ["sessionToken"])
        made = answer.json()["sessionToken"]
        own = await served.json(f"{NOVA}/slots/s_head/items?onlyOwned=false", token=made)
        assert own == await served.json(
            f"{NOVA}/slots/s_head/items?onlyOwned=false", token=await served.mint("nova/u_2")
        )
    assert refused(await served.get(NOVA, token=refresh)) == 401


async def test_a_refresh_token_that_is_late_or_unknown_makes_none(served: Dialect) -> None:
    late = await refresh_token(served, "nova/u_2", expires_at=NOW)
    answer = await served.post(REFRESH, {"refreshToken": late})
    assert told(answer) == (401, 10005, "refresh_token_expired")
    for unknown in ("", "x", served.token, "ä\0", "x" * 10_000):
        answer = await served.post(REFRESH, {"refreshToken": unknown})
        assert told(answer) == (401, 10003, "generic_unauthorized"), unknown


# --- over the service itself ------------------------------------------------------------------------------------------


async def test_the_dialect_answers_over_the_service_as_over_the_store(served: Dialect) -> None:
    paths = [
        *(path for method, path in CALLS if method == "GET"),
        *("/slots?userId=u_2", "/avatar?userId=u_nobody", "/items/i_nothing", "/slots/s_nothing/items?onlyOwned=true"),
        *("/items?onlyOwned=true&userId=u_1&limit=4&page=2", "/items?onlyOwned=true&userId=u_2&page=9"),
    ]
    writes = [
        ("/slots/allocate", put()),
        ("/slots/allocate", put(("s_head", "i_nothing"), ("s_nothing", "i_cap"))),
        ("/slots/allocate", put(("s_body", None))),
        ("/slots/allocate", put(("s_head", ""))),
        ("/avatar/mint", {"blockchain": "ethereum"}),
        ("/avatar/mint", {"blockchain": "sui"}),
    ]
    late = await served.mint("nova/u_1", expires_at=NOW)
    async with upstream(PROVIDER, served.asked) as asked:
        far = Dialect(asked, served.token)
        for path in paths:
            near, there = await served.get(NOVA + path), await far.get(NOVA + path)
            assert (there.status_code, there.content) == (near.status_code, near.content), path
        for token in ("bad", late):
            near, there = await served.get(NOVA, token=token), await far.get(NOVA, token=token)
            assert (told(there), there.content) == (told(near), near.content)
        for path, body in writes:
            there, near = await far.post(NOVA + path, body), await served.post(NOVA + path, body)
            assert (there.status_code, there.content) == (near.status_code, near.content), body
    assert await mints(served, "u_1", NOVA) == [("sui", 4, "minted"), ("sui", 2, "minted")]


# --- faults -----------------------------------------------------------------------------------------------------------


async def test_a_fault_is_in_the_log_and_not_in_the_answer(served: Dialect, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Any:
        raise RuntimeError("hidden")

    for owner, name in ((Local, "facts"), (Guarded, "session")):
        with monkeypatch.context() as patch, capture_logs() as logs:
            patch.setattr(owner, name, broken)
            for path in (NOVA, f"{NOVA}/avatar?userId=u_1"):
                answer = await served.get(path)
                assert told(answer) == (500, 10001, "internal_server_error")
                assert b"hidden" not in answer.content
        assert len([entry for entry in logs if entry.get("exc_info")]) == 2


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (Unauthenticated("no"), 401, "generic_unauthorized"),
        (Unauthenticated("no", provider_code="SESSION_TOKEN_EXPIRED"), 401, "session_token_expired"),
        (Unauthenticated("no", provider_code="REFRESH_TOKEN_EXPIRED"), 401, "refresh_token_expired"),
        (Unauthenticated("no", provider_code="GENERIC_NOT_FOUND"), 401, "generic_unauthorized"),
        (Forbidden("no"), 400, "generic_client_error"),
        (Conflict("no", provider_code="not_owned"), 400, "generic_client_error"),
        # The store was busy, which is none of the caller's doing, and passes.
        (Conflict("busy", retryable=True), 500, "internal_server_error"),
        (NotFound("no"), 404, "generic_not_found"),
        (RateLimited("wait", retry_after=1), 500, "internal_server_error"),
        (UpstreamTimeout("late"), 500, "internal_server_error"),
        (UpstreamUnavailable("down"), 500, "internal_server_error"),
        (UpstreamInvalid("odd"), 500, "internal_server_error"),
        (OutcomeUnknown("gone"), 500, "internal_server_error"),
    ],
)
async def test_every_kind_of_error_has_its_envelope(
    served: Dialect, monkeypatch: pytest.MonkeyPatch, error: GatewayError, status: int, message: str
) -> None:
    async def raised(*_: object) -> Any:
        raise error

    async def given(_: object, keys: Sequence[Any]) -> Any:
        return dict.fromkeys(keys, error)

    with monkeypatch.context() as patch:
        patch.setattr(LocalSession, "write", raised)
        assert told(await served.post(f"{NOVA}/avatar/mint", {"blockchain": "sui"}))[::2] == (status, message)
    for answer in (raised, given):
        with monkeypatch.context() as patch:
            patch.setattr(LocalSession, "items_by_key", answer)
            if answer is raised or not isinstance(error, NotFound):
                assert told(await served.get(f"{NOVA}/items/i_cap"))[::2] == (status, message)
            patch.setattr(LocalSession, "catalogue_by_owner", answer)
            path = f"{NOVA}/items?userId=u_1&onlyOwned=true"
            assert told(await served.get(path))[::2] == (status, message)


async def test_a_list_of_which_a_part_is_missing_is_no_answer(served: Dialect, monkeypatch: pytest.MonkeyPatch) -> None:
    async def partial(_: object, asked: Sequence[Any]) -> Any:
        part: Part[Any] = Part(entries=[], has_next=False, has_previous=False)
        missing = problem(UpstreamTimeout("late"), ProviderKey.COMMUNITY, owner="nova/u_1")
        return {one: DefinitionConnection.of(part, [missing]) for one in asked}

    monkeypatch.setattr(LocalSession, "catalogue_by_owner", partial)
    assert refused(await served.get(f"{NOVA}/items?userId=u_1&onlyOwned=true")) == 500


async def test_a_caller_who_leaves_amid_a_body_is_no_fault(served: Dialect) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    path = f"{ROOT}{NOVA}/avatar/mint"
    headers = {"authorization": f"Bearer {served.token}", "content-type": "application/json"}
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    with capture_logs() as logs:
        await served.asked.gateway.app()(scope, receive, send)
    assert sent == []
    assert not logs
