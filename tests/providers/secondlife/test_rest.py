"""The dialect that we serve: every cell, statuses, conditions, transactions, and what a refusal leaves unchanged."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from structlog.testing import capture_logs

from gateway.providers.secondlife import PROVIDER
from gateway.providers.secondlife.codec import JSON, LLSD, parse_llsd, write_llsd
from gateway.providers.secondlife.keys import SPECIAL
from tests.gateways import NOW, copied
from tests.providers.secondlife.conftest import (
    AGENT,
    BOOTS,
    CLOTHING,
    CURRENT,
    HATS,
    JEANS,
    LIBRARY,
    LIBRARY_FOLDER,
    LIBRARY_OBJECTS,
    NOTHING,
    OLD,
    OTHER,
    OUTFIT,
    ROOT,
    ROOT_PATH,
    SHIRT,
    STRAW_HAT,
    TOP_HAT,
    TRASH,
    WINTER,
    WOOL_HAT,
    ZERO,
    Dialect,
    item,
    link,
    open_dialect,
    read,
    tid,
)

NEW = "11111111-0000-4000-8000-0000000000aa"
MAPS = {"items", "links", "categories"}
FOLDER = {"category_id": ZERO, "name": "New", "type_default": -1}
REMOVED = {
    "_categories_removed",
    "_category_items_removed",
    "_broken_links_removed",
    "_attachments_removed",
    "_wearables_removed",
    "_active_gestures_removed",
    "_total_items_removed",
    "_updated_category_versions",
}
COPIED = {
    "_embedded",
    "_top_category_id",
    "_created_items",
    "_created_categories",
    "_moved_items",
    "_removed_items",
    "_updated_category_versions",
}


def new_link(linked: str = JEANS, **more: Any) -> dict[str, Any]:
    return {"linked_id": UUID(linked), "type": 24, "inv_type": 18, "name": "Link", "desc": "@500", **more}


def new_item(**more: Any) -> dict[str, Any]:
    return {"name": "Thing", "type": 7, "inv_type": 7, **more}


CELLS: list[tuple[str, str, Any, int, set[str]]] = [
    ("GET", f"/category/{HATS}", None, 200, set()),
    ("POST", f"/category/{HATS}", {"categories": [FOLDER]}, 201, {"_embedded", "_created_categories"}),
    ("PUT", "/category/inbox", None, 201, {"_created_categories", "_updated_category_versions"}),
    ("PATCH", f"/category/{HATS}", {"name": "Caps"}, 200, {"_updated_categories", "_updated_category_versions"}),
    ("COPY", f"/category/{HATS}", None, 201, COPIED),
    ("MOVE", f"/category/{HATS}", None, 200, {"_updated_categories", "_updated_category_versions"}),
    ("DELETE", f"/category/{HATS}", None, 200, REMOVED),
    ("GET", f"/category/{HATS}/children", None, 200, {"_embedded"}),
    (
        "PUT",
        f"/category/{HATS}/children",
        {"items": [new_item()]},
        201,
        {"_embedded", "_created_items", "_created_categories", *REMOVED} - {"_category_items_removed"},
    ),
    ("COPY", f"/category/{HATS}/children", None, 201, COPIED),
    (
        "MOVE",
        f"/category/{HATS}/children",
        None,
        200,
        {"_embedded", "_updated_items", "_updated_categories", "_updated_category_versions"},
    ),
    ("DELETE", f"/category/{HATS}/children", None, 200, REMOVED),
    ("GET", f"/category/{OUTFIT}/links", None, 200, {"_embedded"}),
    (
        "PUT",
        f"/category/{OUTFIT}/links",
        [new_link()],
        201,
        {"_embedded", "_linked_ids", "_created_items", "_updated_items", "_category_items_removed"}
        | {"_updated_category_versions"},
    ),
    ("COPY", f"/category/{OUTFIT}/links", None, 201, {"_embedded", "_created_items", "_updated_category_versions"}),
    ("MOVE", f"/category/{OUTFIT}/links", None, 200, {"_embedded", "_updated_items", "_updated_category_versions"}),
    ("DELETE", f"/category/{OUTFIT}/links", None, 200, {"_category_items_removed", "_updated_category_versions"}),
    ("GET", f"/category/{HATS}/items", None, 200, {"_embedded"}),
    (
        "PUT",
        f"/category/{HATS}/items",
        {"items": [new_item()]},
        201,
        {"_embedded", "_linked_ids", "_created_items", "_updated_items", *REMOVED}
        - {"_categories_removed", "_total_items_removed"},
    ),
    ("COPY", f"/category/{WINTER}/items", None, 201, {"_embedded", "_created_items", "_updated_category_versions"}),
    ("MOVE", f"/category/{HATS}/items", None, 200, {"_embedded", "_updated_items", "_updated_category_versions"}),
    ("DELETE", f"/category/{HATS}/items", None, 200, REMOVED - {"_categories_removed", "_total_items_removed"}),
    ("GET", f"/category/{HATS}/categories", None, 200, {"_embedded"}),
    (
        "PUT",
        f"/category/{HATS}/categories",
        [FOLDER],
        201,
        {"_embedded", "_created_items", "_created_categories", *REMOVED} - {"_category_items_removed"},
    ),
    ("COPY", f"/category/{HATS}/categories", None, 201, COPIED),
    (
        "MOVE",
        f"/category/{HATS}/categories",
        None,
        200,
        {"_embedded", "_updated_categories", "_updated_category_versions"},
    ),
    ("DELETE", f"/category/{HATS}/categories", None, 200, REMOVED),
    ("GET", f"/item/{STRAW_HAT}", None, 200, set()),
    ("PATCH", f"/item/{STRAW_HAT}", {"name": "Cap"}, 200, {"_updated_items", "_updated_category_versions"}),
    ("COPY", f"/item/{STRAW_HAT}", None, 201, {"_created_items", "_updated_category_versions"}),
    ("MOVE", f"/item/{STRAW_HAT}", None, 200, {"_updated_items", "_updated_category_versions"}),
    ("DELETE", f"/item/{STRAW_HAT}", None, 200, REMOVED - {"_categories_removed", "_total_items_removed"}),
]
"""Resource by method: what is sent, and the status and the fields of the answer beside the object's own."""

LACKING = {
    *(("MOVE", part) for part in ("category", "children", "links", "items", "categories", "item")),
    *(("COPY", part) for part in ("children", "links", "items", "categories", "item")),
    *(("PUT", part) for part in ("children", "items", "categories")),
}

cells = pytest.mark.parametrize(
    ("method", "path", "body", "status", "fields"),
    CELLS,
    ids=[f"{method} {path.split('/')[1]} {'/'.join(path.split('/')[3:])}".strip() for method, path, *_ in CELLS],
)


def destination(method: str) -> Any:
    return {"Destination": TRASH} if method in ("COPY", "MOVE") else {}


def part_of(path: str) -> str:
    steps = path.split("/")
    return steps[3] if len(steps) > 3 else steps[1]


@cells
async def test_every_cell_answers_with_its_status_and_fields(
    either: Dialect, method: str, path: str, body: Any, status: int, fields: set[str]
) -> None:
    found = await either.ask(method, path, body, status=status, **destination(method))
    assert {name for name in found if name.startswith("_")} - {"_links", "_base_uri", "_broken"} >= fields
    extra = {name for name in found if name.startswith("_")} - {"_links", "_base_uri", "_broken"}
    assert extra <= fields | {"_updated_category_versions", "_created_items", "_created_categories"}
    if method == "DELETE":
        assert not [name for name in found if not name.startswith("_")]


@cells
async def test_simulation_answers_alike_and_writes_nothing(
    served: Dialect, method: str, path: str, body: Any, status: int, fields: set[str]
) -> None:
    """Behaviour 7."""
    before = await served.whole()
    for word in ("1", "true"):
        simulated = await served.send(method, f"{path}?simulate={word}&tid=once", body, **destination(method))
        assert simulated.status_code == status
    assert await served.whole() == before
    real = await served.send(method, f"{path}?simulate=0&tid=once", body, **destination(method))
    assert real.status_code == status
    assert {*read(real)} == {*read(simulated)}
    assert {name for name in real.headers if name in ("location", "etag")} == {
        name for name in simulated.headers if name in ("location", "etag")
    } | ({"etag"} if method == "COPY" and "etag" in real.headers else set())
    refused = await served.send(method, f"{path}?simulate=yes", body, **destination(method))
    assert refused.status_code == 400
    assert (await served.send(method, f"{path}?simulate=", body, **destination(method))).status_code != 400
    del fields


@cells
async def test_a_transaction_is_done_once(
    served: Dialect, method: str, path: str, body: Any, status: int, fields: set[str]
) -> None:
    """Behaviours: Behaviour 1, Behaviour 3."""
    del fields
    if method == "GET":
        return
    once = tid()
    # A failed request leaves the id free.
    missing = path.replace(path.split("/")[2], NOTHING)
    if "inbox" not in path:
        assert (await served.send(method, f"{missing}?tid={once}", body, **destination(method))).status_code in (
            404,
            410,
        )
    await served.ask(method, f"{path}?tid={once}", body, status=status, **destination(method))
    after = await served.whole()
    conditions: list[Any] = [{}, {"If_Match": '"nonsense"'}]
    for headers in conditions:
        again = await served.ask(method, f"{path}?tid={once}", body, status=409, **destination(method), **headers)
        assert again["transaction_id"] == once
        assert {"error_code", "error_description"} <= again.keys()
    assert await served.whole() == after


@pytest.mark.parametrize(("method", "path", "body"), [(cell[0], cell[1], cell[2]) for cell in CELLS])
async def test_a_strict_dialect_has_the_gaps_of_the_service(strict: Dialect, method: str, path: str, body: Any) -> None:
    before = await strict.whole()
    answer = await strict.send(method, path, body, **destination(method))
    if (method, part_of(path)) in LACKING:
        assert answer.status_code == 501
        assert read(answer)["error_code"] == 15
        assert await strict.whole() == before
    else:
        assert answer.status_code < 300


async def test_two_requests_of_one_transaction_at_once_are_done_once(either: Dialect) -> None:
    """Behaviour 2."""
    once = tid()
    before = await either.version(HATS)
    body = {"categories": [FOLDER]}
    answers = await asyncio.gather(*(either.send("POST", f"/category/{HATS}?tid={once}", body) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert await either.version(HATS) == before + 1


# --- conditions -------------------------------------------------------------------------------------------------------

TAGGED = ["", "/children?depth=0", "/children?depth=2", "/items", "/categories", "/categories?depth=1"]


@pytest.mark.parametrize("path", TAGGED)
async def test_a_tag_tells_an_answer_that_has_not_changed(served: Dialect, path: str) -> None:
    """Behaviour 5."""
    answer = await served.send("GET", f"/category/{CLOTHING}{path}")
    tag = answer.headers["etag"]
    kept = await served.send("GET", f"/category/{CLOTHING}{path}", If_None_Match=f'"other", {tag}')
    assert (kept.status_code, kept.content, kept.headers["etag"]) == (304, b"", tag)
    await served.ask("PATCH", f"/category/{HATS}", {"name": "Caps"})
    again = await served.send("GET", f"/category/{CLOTHING}{path}", If_None_Match=tag)
    assert again.status_code == 200
    assert again.headers["etag"] != tag


async def test_tags_differ_by_resource_depth_and_type(served: Dialect) -> None:
    """Behaviour 6."""
    tags: set[str] = set()
    for path in TAGGED:
        for media in (LLSD, JSON):
            answer = await served.send("GET", f"/category/{WINTER}{path}", media=media)
            tags.add(answer.headers["etag"])
            assert {part.strip() for part in answer.headers["vary"].split(",")} >= {"Accept", "Accept-Encoding"}
    assert len(tags) == 2 * len(TAGGED)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"/category/{HATS}", {"categories": [FOLDER]}),
        ("PATCH", f"/category/{HATS}", {"name": "Caps"}),
        ("COPY", f"/category/{HATS}", None),
        ("MOVE", f"/category/{HATS}", None),
        ("DELETE", f"/category/{HATS}", None),
        ("PUT", "/category/trash", None),
        ("PUT", f"/category/{HATS}/children", {"items": []}),
        ("DELETE", f"/category/{HATS}/items", None),
        ("MOVE", f"/category/{HATS}/categories", None),
    ],
)
async def test_a_write_is_held_to_its_tags(either: Dialect, method: str, path: str, body: Any) -> None:
    """Behaviour 4."""
    resource = await either.send("GET", path)
    tag = resource.headers["etag"]
    before = await either.whole()
    conditions: list[tuple[Any, str]] = [
        ({"If_Match": '"stale"'}, "If-Match"),
        ({"If_None_Match": tag}, "If-None-Match"),
    ]
    for headers, condition in conditions:
        answer = await either.send(method, path, body, **destination(method), **headers)
        assert answer.status_code == 412
        found = read(answer)
        assert answer.headers["etag"] == tag
        assert tag in found["etags"]
        assert (found["error_code"], found["condition"]) == (10, condition)
    assert await either.whole() == before
    for good in ("*", f'"stale", {tag}'):
        answer = await either.send(method, f"{path}?simulate=1", body, **destination(method), If_Match=good)
        assert answer.status_code in (200, 201, 409)
    none = await either.send(method, path, body, **destination(method), If_Match=tag, If_None_Match='"stale"')
    assert none.status_code in (200, 201, 409)


# --- reading requests -------------------------------------------------------------------------------------------------


async def test_depths_and_names_are_what_they_must_be(served: Dialect) -> None:
    """Behaviour 8."""
    for depth in ("*", "0", "3", ""):
        await served.get(f"/category/{CLOTHING}/children?depth={depth}")
    for depth in ("-1", "1.5", "abc", "**", "0x1"):
        answer = await served.ask("GET", f"/category/{CLOTHING}/children?depth={depth}", status=400)
        assert answer["error_code"] == 2
    for name in ("AAAAAAAA-0000-4000-8000-000000000001", HATS.replace("-", ""), "wardrobe", "callcard", "Current"):
        await served.ask("GET", f"/category/{name}", status=400)
    await served.ask("GET", "/item/current", status=400)
    # A depth is no parameter of these, and what is unknown is ignored.
    await served.get(f"/category/{OUTFIT}/links?depth=abc&colour=red")
    await served.get(f"/item/{STRAW_HAT}?depth=abc")


async def test_a_comma_before_a_known_parameter_parts_two(served: Dialect) -> None:
    """Behaviour 9."""
    once = tid()
    found = await served.ask("COPY", f"/category/{CLOTHING}?tid={once},depth=0", status=201, Destination=BOOTS)
    assert found["_embedded"]["categories"] == {}
    assert len(found["_created_items"]) == 2
    again = await served.ask("COPY", f"/category/{CLOTHING}?tid={once}", status=409, Destination=BOOTS)
    assert again["transaction_id"] == once
    subset = await served.get(f"/category/{CLOTHING}/children?depth=1&children={HATS},{BOOTS}")
    assert {*subset["_embedded"]["categories"]} == {HATS, BOOTS}


async def test_a_subset_tells_children_whole_and_the_top_not(served: Dialect) -> None:
    found = await served.get(f"/category/{CLOTHING}/children?depth=1&children={HATS},{NOTHING},{WINTER}")
    assert {*found["_embedded"]} == {"categories"}
    (hats,) = found["_embedded"]["categories"].values()
    assert {*hats["_embedded"]} == MAPS
    assert "_embedded" not in hats["_embedded"]["categories"][WINTER]
    for bad in ("x", AGENT.upper()):
        await served.ask("GET", f"/category/{CLOTHING}/children?children={bad}", status=400)


async def test_a_label_counts_only_where_there_is_a_body(served: Dialect) -> None:
    """Behaviour 10."""
    for method, path in (("GET", f"/category/{HATS}"), ("COPY", f"/category/{WINTER}"), ("DELETE", f"/item/{JEANS}")):
        answer = await served.send(method, path, **destination(method), Content_Type="text/plain")
        assert answer.status_code < 300
    body = write_llsd({"categories": [FOLDER]})
    for label in (f"{LLSD}; charset=utf-8", LLSD.upper()):
        answer = await served.send("POST", f"/category/{HATS}", content=body, Content_Type=label)
        assert answer.status_code == 201
    for label in ("text/plain", "application/xml", ""):
        found = await served.ask("POST", f"/category/{HATS}", content=body, Content_Type=label, status=415)
        assert found["error_code"] == 17


async def test_answers_come_in_the_form_that_is_preferred(served: Dialect) -> None:
    """Behaviour 11."""
    for accept, media in (
        (JSON, JSON),
        (LLSD, LLSD),
        ("", LLSD),
        ("*/*", LLSD),
        ("text/html", LLSD),
        (f"{LLSD};q=0.5, {JSON}", JSON),
        (f"{JSON};q=0.1, {LLSD}", LLSD),
        (f"{JSON};q=x", LLSD),
    ):
        for path in (f"/category/{HATS}", f"/category/{NOTHING}", "/category/x"):
            answer = await served.send("GET", path, Accept=accept)
            assert answer.headers["content-type"] == media, accept
    plain = await served.send("GET", f"/category/{HATS}", Accept_Encoding="identity")
    assert "content-encoding" not in plain.headers
    packed = await served.send("GET", f"/category/{HATS}", Accept_Encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    refused = await served.send("GET", f"/category/{HATS}", Accept_Encoding="gzip;q=0")
    assert "content-encoding" not in refused.headers
    body = gzip.compress(write_llsd({"categories": [FOLDER]}))
    await served.ask("POST", f"/category/{HATS}", content=body, Content_Encoding="gzip", status=201)
    for encoding in ("br", "gzip, gzip"):
        await served.ask("POST", f"/category/{HATS}", content=body, Content_Encoding=encoding, status=415)


async def test_json_and_llsd_say_the_same(served: Dialect) -> None:
    one = await served.get("/category/root/children?depth=*")
    other = await served.get("/category/root/children?depth=*", media=JSON)
    assert one == other


BROKEN = [
    b"<llsd>",
    b"<llsd/>",
    b"{}",
    b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'b'>]><llsd><map/></llsd>",
    b"<llsd>" + b"<array>" * 5_000 + b"</array>" * 5_000 + b"</llsd>",
    b"<llsd><map><key>categories</key><uuid>x</uuid></map></llsd>",
    b"<llsd><integer>1x</integer></llsd>",
    b"\xff\xfe",
    b"\x00",
]


@pytest.mark.parametrize("body", BROKEN)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"/category/{HATS}"),
        ("PUT", f"/category/{HATS}/links"),
        ("PATCH", f"/category/{HATS}"),
        ("PATCH", f"/item/{STRAW_HAT}"),
    ],
)
async def test_a_malformed_body_is_refused(served: Dialect, method: str, path: str, body: bytes) -> None:
    before = await served.whole()
    found = await served.ask(method, path, content=body, status=400)
    assert {*found} <= {"error_code", "error_description", "category_id", "item_id"}
    json = await served.send(method, path, content=b"[" * 100_000, media=JSON)
    assert json.status_code == 400
    assert await served.whole() == before


async def test_a_body_that_is_too_long_is_not_read(served: Dialect) -> None:
    found = await served.ask("POST", f"/category/{HATS}", content=b" " * ((1 << 20) + 1), status=413)
    assert found["error_code"] == 0
    bomb = gzip.compress(b" " * (4 << 20))
    await served.ask("POST", f"/category/{HATS}", content=bomb, Content_Encoding="gzip", status=413)


async def test_what_is_no_resource_or_no_method_is_told(served: Dialect) -> None:
    for path in ("", "/", "/nothing", "/category", f"/category/{HATS}/wardrobe", f"/item/{STRAW_HAT}/x"):
        answer = await served.send("POST", path, {"items": []})
        assert answer.status_code == 404, path
    for method, path, allow in (
        ("POST", f"/category/{HATS}/children", "GET, PUT, COPY, MOVE, DELETE"),
        ("PUT", f"/item/{STRAW_HAT}", "GET, PATCH, COPY, MOVE, DELETE"),
        ("DELETE", "/orphans", "GET"),
        ("BREW", f"/category/{HATS}", "GET, POST, PUT, PATCH, COPY, MOVE, DELETE"),
    ):
        answer = await served.send(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    assert (await served.send("GET", f"//category//{HATS}")).status_code == 200


# --- reading ----------------------------------------------------------------------------------------------------------


async def test_a_depth_expands_so_many_generations(served: Dialect) -> None:
    """Behaviour 12."""
    found = await served.get(f"/category/{CLOTHING}/children?depth=0")
    assert {*found["_embedded"]} == MAPS
    hats = found["_embedded"]["categories"][HATS]
    assert "_embedded" not in hats
    assert {*hats["_links"]} == {"self", "parent"}
    deeper = await served.get(f"/category/{CLOTHING}/children?depth=1")
    hats = deeper["_embedded"]["categories"][HATS]
    assert {*hats["_embedded"]} == MAPS
    assert {*deeper["_embedded"]["categories"][BOOTS]["_embedded"]} == MAPS
    assert "_embedded" not in hats["_embedded"]["categories"][WINTER]
    assert await served.get(f"/category/{CLOTHING}?depth=1") == {
        **found,
        "_links": {**found["_links"], "self": {"href": f"/category/{CLOTHING}"}},
    }
    assert "_embedded" not in await served.get(f"/category/{CLOTHING}?depth=0")
    folders = await served.get(f"/category/{CLOTHING}/categories?depth=1")
    assert {*folders["_embedded"]} == {"categories"}
    assert {*folders["_embedded"]["categories"][HATS]["_embedded"]} == {"categories"}


async def test_keys_are_the_ids_and_links_are_links(served: Dialect) -> None:
    """Behaviour 13."""

    def check(document: Any) -> None:
        for name, key in (("items", "item_id"), ("links", "item_id"), ("categories", "category_id")):
            for at, entry in document.get("_embedded", {}).get(name, {}).items():
                assert entry[key] == at
                assert (name == "links") is (entry.get("type") in (24, 25))
                if name == "categories":
                    check(entry)

    check(await served.get("/category/root/children?depth=*"))
    check(await served.get(f"/category/{CURRENT}/items"))


async def test_the_current_outfit_tells_what_it_links_to(served: Dialect) -> None:
    """Behaviour 33."""
    found = await served.get("/category/current/links")
    assert found["category_id"] == CURRENT
    assert {*found["_embedded"]} == {"links"}
    links = found["_embedded"]["links"]
    assert links[link(1)]["_embedded"]["item"]["permissions"]["base_mask"] == 581632
    assert links[link(4)]["_embedded"]["category"]["category_id"] == OUTFIT
    assert "_embedded" not in links[link(4)]["_embedded"]["category"]
    assert links[link(5)]["_broken"] is True
    assert "_embedded" not in links[link(5)]
    assert links[link(1)]["_broken"] is False
    assert links[link(2)]["desc"] == "@400"
    assert "permissions" not in links[link(1)]
    shown = await served.get(f"/item/{link(1)}")
    assert shown["_embedded"]["item"]["item_id"] == STRAW_HAT
    assert shown["_base_uri"] == "slcap://InventoryAPIv3"


async def test_an_answer_that_is_too_large_is_refused_and_never_cut(tmp_path: Any, tmp_path_factory: Any) -> None:
    """Behaviour 37."""
    async with AsyncExitStack() as stack:
        url = await copied(PROVIDER, tmp_path_factory, tmp_path)
        dialect = await open_dialect(stack, url, most_objects=6)
        found = await dialect.ask("GET", f"/category/{CLOTHING}/children?depth=5", status=403)
        assert found["error_code"] == 2
        whole = await dialect.get(f"/category/{CLOTHING}/children?depth=0")
        assert sum(len(part) for part in whole["_embedded"].values()) == 4
        few = await dialect.get(f"/category/{CLOTHING}/children?depth=1&children={HATS}")
        assert {*few["_embedded"]["categories"]} == {HATS}


async def test_what_lies_nowhere_is_an_orphan(either: Dialect) -> None:
    """Behaviour 38."""
    found = await either.get("/orphans")
    assert {*found["_embedded"]} == MAPS
    (orphan,) = found["_embedded"]["items"].values()
    assert orphan["item_id"] == item(99)
    assert "parent_id" not in orphan
    assert item(99) not in str(await either.get("/category/root/children?depth=*"))
    await either.ask("MOVE", f"/item/{item(99)}", Destination=TRASH)
    assert (await either.get("/orphans"))["_embedded"]["items"] == {}


# --- making -----------------------------------------------------------------------------------------------------------


async def test_what_is_made_is_embedded_and_listed(either: Dialect) -> None:
    """Behaviours: Behaviour 14, Behaviour 40."""
    before = await either.version(HATS)
    body = {"categories": [FOLDER], "links": [new_link()], "items": [new_item(desc="x" * 200)]}
    answer = await either.send("POST", f"/category/{HATS}?tid={tid()}", body)
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/category/{HATS}/children"
    found = read(answer)
    (folder,) = found["_embedded"]["categories"].values()
    assert [folder["category_id"]] == found["_created_categories"]
    assert {**folder["_embedded"]} == {name: {} for name in MAPS}
    assert (folder["version"], folder["parent_id"], folder["agent_id"]) == (1, HATS, AGENT)
    made = {**found["_embedded"]["items"], **found["_embedded"]["links"]}
    assert sorted(made) == sorted(found["_created_items"])
    assert found["version"] == before + 1
    assert found["_updated_category_versions"] == {HATS: before + 1}
    assert found["_links"]["self"]["href"] == f"/category/{HATS}/children"
    (thing,) = found["_embedded"]["items"].values()
    assert len(thing["desc"]) == 127
    assert thing["permissions"]["creator_id"] == AGENT
    for key in made:
        assert (await either.get(f"/item/{key}"))["parent_id"] == HATS


async def test_fifty_links_are_one_version(either: Dialect) -> None:
    """Behaviour 15."""
    before = await either.version(BOOTS)
    links = [new_link(name=f"Link {number}") for number in range(50)]
    found = await either.ask("POST", f"/category/{BOOTS}", {"links": links}, status=201)
    assert found["_updated_category_versions"] == {BOOTS: before + 1}
    assert len(found["_created_items"]) == 50


async def test_one_bad_entry_makes_nothing(either: Dialect) -> None:
    """Behaviour 36."""
    before = await either.whole()
    links = [new_link(), new_link(NOTHING), new_link(link(1))]
    found = await either.ask("POST", f"/category/{HATS}", {"links": links, "categories": [FOLDER]}, status=400)
    assert found["invalid_linked_ids"] == [NOTHING, link(1)]
    assert found["error_code"] == 1
    for body in (
        {"categories": [FOLDER, {"name": ""}]},
        {"categories": [{**FOLDER, "type_default": 99}]},
        {"categories": [{**FOLDER, "type_default": 46}]},
        {"items": [new_item(type=24)]},
        {"items": [new_item(inv_type=18)]},
        {"items": [{"name": "x"}]},
        {"items": {"a": 1}},
        {"links": [new_link(type=6)]},
        {"links": [{"name": "x"}]},
        {"links": [new_link(HATS)]},
    ):
        await either.ask("POST", f"/category/{HATS}", body, status=400)
    await either.ask("POST", f"/category/{HATS}", status=400)
    await either.ask("POST", f"/category/{HATS}", {"links": [new_link()] * 201}, status=400)
    await either.ask("POST", f"/category/{CURRENT}", {"categories": [FOLDER]}, status=400)
    assert await either.whole() == before


async def test_an_id_may_be_chosen_if_it_is_free(either: Dialect) -> None:
    """Behaviour 39."""
    found = await either.ask("POST", f"/category/{HATS}", {"categories": [{**FOLDER, "category_id": NEW}]}, status=201)
    assert found["_created_categories"] == [NEW]
    before = await either.whole()
    for used in (NEW, WINTER, STRAW_HAT):
        await either.ask("POST", f"/category/{HATS}", {"categories": [{**FOLDER, "category_id": used}]}, status=400)
    assert await either.whole() == before


async def test_a_special_category_is_made_once(either: Dialect) -> None:
    """Behaviour 20."""
    answer = await either.send("PUT", "/category/inbox")
    assert answer.status_code == 201
    made = read(answer)
    assert (made["version"], made["parent_id"], made["type_default"]) == (1, ROOT, 50)
    assert made["_created_categories"] == [made["category_id"]]
    assert made["_updated_category_versions"] == {ROOT: 201}
    assert answer.headers["location"] == f"/category/{made['category_id']}"
    for name, key in (("inbox", made["category_id"]), ("current", CURRENT), ("root", ROOT)):
        again = await either.ask("PUT", f"/category/{name}", status=409)
        assert again["category_id"] == key
        assert "error_code" not in again
    await either.ask("GET", "/category/outbox", status=404)
    for name in SPECIAL:
        assert (await either.send("PUT", f"/category/{name}")).status_code in (201, 409)
    await either.ask("PUT", f"/category/{NOTHING}", status=404)


async def test_a_special_name_leads_to_the_lowest_id_under_the_root(served: Dialect) -> None:
    answer = await served.send("GET", "/category/trash/children")
    assert answer.headers["content-location"] == f"/category/{TRASH}/children"
    assert "content-location" not in (await served.send("GET", f"/category/{TRASH}")).headers
    # A folder of that type elsewhere is not meant.
    await served.seed(
        {
            "category_id": "11111111-0000-4000-8000-000000000000",
            "parent_id": HATS,
            "agent_id": AGENT,
            "name": "Trash",
            "type_default": 14,
            "_embedded": {"items": {}, "links": {}, "categories": {}},
        }
    )
    assert (await served.get("/category/trash"))["category_id"] == TRASH


# --- changing ---------------------------------------------------------------------------------------------------------


async def test_a_whole_item_is_taken_and_what_cannot_change_is_ignored(either: Dialect) -> None:
    """Behaviour 22."""
    before = await either.get(f"/item/{STRAW_HAT}")
    version = await either.version(HATS)
    body = {
        **{name: value for name, value in before.items() if not name.startswith("_")},
        "item_id": UUID(WOOL_HAT),
        "agent_id": UUID(OTHER),
        "created_at": 5,
        "name": "Hat of straw",
        "desc": "new",
        "type": "object",
        "inv_type": "object",
        "flags": b"\x00\x00\x01\x00",
        "hash_id": UUID(NOTHING),
        "colour": "red",
        "permissions": {**before["permissions"], "base_mask": -1, "owner_mask": -1, "creator_id": UUID(OTHER)},
    }
    del body["asset_id"]
    found = await either.ask("PATCH", f"/item/{STRAW_HAT}", body)
    assert found["_updated_items"] == [STRAW_HAT]
    assert found["_updated_category_versions"] == {HATS: version + 1}
    after = await either.get(f"/item/{STRAW_HAT}")
    assert (after["name"], after["desc"], after["flags"]) == ("Hat of straw", "new", 256)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"name", "desc", "flags"}
    assert after["permissions"] == before["permissions"]


async def test_values_come_in_every_form_that_clients_send(either: Dialect) -> None:
    """Behaviour 23."""
    cases: list[tuple[Any, Callable[[Any], Any]]] = [
        ({"sale_info": {"sale_type": "copy"}}, lambda found: found["sale_info"] == {"sale_type": 2, "sale_price": 10}),
        ({"sale_info": {"sale_price": 25}}, lambda found: found["sale_info"] == {"sale_type": 2, "sale_price": 25}),
        ({"flags": b"\x00\x00\x01\x00"}, lambda found: found["flags"] == 256),
        ({"flags": -1}, lambda found: found["flags"] == -1),
        ({"flags": "7"}, lambda found: found["flags"] == 7),
        (
            {"permissions": {"next_owner_mask": -1}},
            lambda found: found["permissions"]["next_owner_mask"] == found["permissions"]["base_mask"],
        ),
        (
            {"permissions": {"group_mask": b"\x00\x00\x80\x00"}},
            lambda found: found["permissions"]["group_mask"] == 0x8000,
        ),
        ({"asset_id": NOTHING}, lambda found: found["asset_id"] == NOTHING),
    ]
    for body, check in cases:
        await either.ask("PATCH", f"/item/{STRAW_HAT}", body)
        assert check(await either.get(f"/item/{STRAW_HAT}")), body
    faults: list[Any] = [
        {"flags": b"\x01"},
        {"flags": 1 << 40},
        {"flags": "x"},
        {"flags": 1.5},
        {"sale_info": {"sale_type": "gift"}},
        {"sale_info": {"sale_type": 9}},
        {"sale_info": {"sale_price": -1}},
        {"sale_info": 1},
        {"permissions": {"owner_mask": True}},
        {"asset_id": "x"},
        {"name": 5},
        {"thumbnail": "x"},
        [],
    ]
    for bad in faults:
        found = await either.ask("PATCH", f"/item/{STRAW_HAT}", bad, status=400)
        assert found["item_id"] == STRAW_HAT


async def test_masks_never_contradict_each_other(either: Dialect) -> None:
    """Behaviour 24."""
    made = await either.ask("POST", f"/category/{HATS}", {"items": [new_item()]}, status=201)
    (key,) = made["_created_items"]
    everything = dict.fromkeys(("owner_mask", "group_mask", "everyone_mask", "next_owner_mask"), -1)
    for masks in (everything, {"owner_mask": 0x8000, "everyone_mask": 0xC000}, {"next_owner_mask": 0x2000}):
        found = (await either.ask("PATCH", f"/item/{key}", {"permissions": masks}))["permissions"]
        assert not found["everyone_mask"] & 0x4000
        assert found["group_mask"] & ~found["owner_mask"] == 0
        assert found["everyone_mask"] & ~found["owner_mask"] == 0
        assert found["base_mask"] & 0x80000
        assert found["next_owner_mask"] == 0 or found["next_owner_mask"] & 0x80000
    bare = await either.ask(
        "POST", f"/category/{HATS}", {"items": [new_item(permissions={"base_mask": 0x4000})]}, status=201
    )
    (thing,) = bare["_embedded"]["items"].values()
    assert thing["permissions"]["base_mask"] == 0x4000 | 0x80000 | 0x2000


async def test_a_change_of_the_parent_moves(either: Dialect) -> None:
    """Behaviour 25."""
    before = {key: await either.version(key) for key in (HATS, CLOTHING, BOOTS)}
    same = await either.ask("PATCH", f"/category/{HATS}", {"parent_id": UUID(CLOTHING)})
    assert same["_updated_category_versions"] == {CLOTHING: before[CLOTHING]}
    moved = await either.ask("PATCH", f"/category/{HATS}", {"parent_id": UUID(BOOTS)})
    assert moved["parent_id"] == BOOTS
    assert moved["_updated_category_versions"] == {CLOTHING: before[CLOTHING] + 1, BOOTS: before[BOOTS] + 1}
    assert await either.version(HATS) == before[HATS]
    thing = await either.ask("PATCH", f"/item/{STRAW_HAT}", {"parent_id": BOOTS})
    assert thing["parent_id"] == BOOTS
    await either.ask("PATCH", f"/item/{STRAW_HAT}", {"parent_id": NOTHING}, status=404)


async def test_a_strict_dialect_moves_nothing_by_a_change(strict: Dialect) -> None:
    before = await strict.whole()
    for path, parent in ((f"/category/{HATS}", BOOTS), (f"/item/{STRAW_HAT}", BOOTS)):
        found = await strict.ask("PATCH", path, {"parent_id": UUID(parent)}, status=400)
        assert found["error_description"].startswith("Cannot change parent_id.")
        assert "MOVE" in found["error_description"]
    assert await strict.whole() == before
    await strict.ask("PATCH", f"/category/{HATS}", {"parent_id": UUID(CLOTHING), "name": "Caps"})


async def test_none_clears_and_absence_leaves(either: Dialect) -> None:
    """Behaviour 34."""
    for media in (LLSD, JSON):
        for path in (f"/category/{HATS}", f"/item/{STRAW_HAT}"):
            await either.ask("PATCH", path, {"thumbnail": {"asset_id": NOTHING}}, media=media)
            await either.ask("PATCH", path, {"favorite": {"toggled": True}}, media=media)
            found = await either.get(path)
            assert (found["thumbnail"], found["favorite"]) == ({"asset_id": NOTHING}, {"toggled": True})
            await either.ask("PATCH", path, {"thumbnail": None}, media=media)
            found = await either.get(path)
            assert "thumbnail" not in found
            assert found["favorite"] == {"toggled": True}
            await either.ask("PATCH", path, {"favorite": None}, media=media)
            assert "favorite" not in await either.get(path)


async def test_a_link_is_pointed_elsewhere(either: Dialect) -> None:
    """Behaviour 35."""
    found = await either.ask("PATCH", f"/item/{link(2)}", {"linked_id": UUID(JEANS), "name": "Jeans"})
    assert (found["linked_id"], found["name"], found["type"]) == (JEANS, "Jeans", 24)
    assert found["_embedded"]["item"]["item_id"] == JEANS
    version = await either.version(CURRENT)
    ignored = await either.ask("PATCH", f"/item/{link(2)}", {"asset_id": NOTHING, "flags": 5, "permissions": {}})
    assert ignored["_updated_items"] == []
    assert ignored["_updated_category_versions"] == {CURRENT: version}
    for bad in (NOTHING, link(1)):
        refused = await either.ask("PATCH", f"/item/{link(2)}", {"linked_id": UUID(bad)}, status=400)
        assert refused["error_code"] == 1
    folder = await either.ask("PATCH", f"/item/{link(2)}", {"linked_id": UUID(HATS)})
    assert folder["type"] == 25


# --- moving and copying -----------------------------------------------------------------------------------------------


async def test_a_folder_never_lies_in_itself(either: Dialect) -> None:
    """Behaviour 26."""
    before = await either.whole()
    for to in (HATS, WINTER):
        found = await either.ask("MOVE", f"/category/{HATS}", status=400, Destination=to)
        assert found["category_id"] == HATS
    await either.ask("MOVE", f"/category/{HATS}/categories", status=400, Destination=WINTER)
    still = await either.ask("MOVE", f"/category/{HATS}", Destination=CLOTHING)
    assert still["_updated_categories"] == []
    assert await either.whole() == before
    for _ in range(5):
        answers = await asyncio.gather(
            either.send("MOVE", f"/category/{HATS}", Destination=BOOTS),
            either.send("MOVE", f"/category/{BOOTS}", Destination=HATS),
        )
        assert sorted(answer.status_code for answer in answers) == [200, 400]
        await either.ask("MOVE", f"/category/{HATS}", Destination=CLOTHING)
        await either.ask("MOVE", f"/category/{BOOTS}", Destination=CLOTHING)


async def test_crossing_moves_never_make_a_circle_on_two_gateways(two: tuple[Dialect, Dialect]) -> None:
    one, other = two
    for _ in range(4):
        answers = await asyncio.gather(
            one.send("MOVE", f"/category/{HATS}", Destination=BOOTS),
            other.send("MOVE", f"/category/{BOOTS}", Destination=WINTER),
        )
        assert sorted(answer.status_code for answer in answers) == [200, 400]
        whole = str(await one.get("/category/root/children?depth=*"))
        assert all(key in whole for key in (HATS, BOOTS, WINTER))
        for key in (HATS, BOOTS):
            await one.ask("MOVE", f"/category/{key}", Destination=CLOTHING)


async def test_many_writers_of_one_folder_lose_nothing(two: tuple[Dialect, Dialect]) -> None:
    version = await two[0].version(HATS)
    answers = await asyncio.gather(
        *(two[number % 2].send("POST", f"/category/{HATS}", {"categories": [FOLDER]}) for number in range(16))
    )
    assert {answer.status_code for answer in answers} == {201}
    found = await two[1].get(f"/category/{HATS}/children")
    assert len(found["_embedded"]["categories"]) == 17
    assert found["version"] == version + 16
    assert len({read(answer)["version"] for answer in answers}) == 16


async def test_where_from_and_where_to_must_be_there(either: Dialect) -> None:
    """Behaviour 27."""
    for method in ("COPY", "MOVE"):
        for path in (f"/category/{HATS}", f"/item/{STRAW_HAT}", f"/category/{HATS}/children"):
            found = await either.ask(method, path, status=404, Destination=NOTHING)
            assert found["category_id"] == NOTHING
            await either.ask(method, path, status=400)
            await either.ask(method, path, status=404, Destination="https://elsewhere.test/category/trash")
        gone = await either.ask(method, f"/category/{NOTHING}", status=410, Destination=TRASH)
        assert gone["category_id"] == NOTHING
        gone = await either.ask(method, f"/item/{NOTHING}", status=410, Destination=TRASH)
        assert gone["item_id"] == NOTHING
    for to in ("trash", f"/category/{TRASH}", f"http://localhost{ROOT_PATH}/{either.capability}/category/trash"):
        found = await either.ask("COPY", f"/item/{STRAW_HAT}", status=201, Destination=to)
        assert found["parent_id"] == TRASH


async def test_system_folders_stay(either: Dialect) -> None:
    """Behaviour 28."""
    before = await either.whole()
    for key in (CLOTHING, TRASH, CURRENT, ROOT):
        for method, body in (("PATCH", {"name": "Mine"}), ("PATCH", {"type": -1}), ("DELETE", None)):
            found = await either.ask(method, f"/category/{key}", body, status=403)
            assert found["error_code"] == 14
        await either.ask("MOVE", f"/category/{key}", status=403, Destination=BOOTS)
    await either.ask("DELETE", f"/category/{ROOT}/children", status=403)
    await either.ask("PUT", f"/category/{ROOT}/categories", [], status=403)
    assert await either.whole() == before
    await either.ask("PATCH", f"/category/{CLOTHING}", {"favorite": {"toggled": True}})
    await either.ask("DELETE", f"/category/{TRASH}/children")
    await either.ask("PUT", f"/category/{CURRENT}/links", [], status=201)


async def test_a_copy_takes_what_may_be_copied_and_moves_the_rest(either: Dialect) -> None:
    """Behaviour 29."""
    version = await either.version(HATS)
    await either.ask("POST", f"/category/{HATS}", {"links": [new_link(WOOL_HAT), new_link(JEANS)]}, status=201)
    answer = await either.send("COPY", f"/category/{HATS}", Destination=BOOTS)
    assert answer.status_code == 201
    found = read(answer)
    top = found["_top_category_id"]
    assert found["category_id"] == top
    assert answer.headers["location"] == f"/category/{top}"
    assert found["_moved_items"] == [TOP_HAT]
    assert TOP_HAT not in found["_created_items"] + found["_removed_items"]
    assert not {*found["_created_items"]} & {*found["_removed_items"]}
    assert found["_updated_category_versions"] == {HATS: version + 2, BOOTS: 2}
    moved = await either.get(f"/item/{TOP_HAT}")
    assert moved["parent_id"] == top
    (winter,) = found["_embedded"]["categories"].values()
    (wool,) = winter["_embedded"]["items"].values()
    assert wool["item_id"] != WOOL_HAT
    assert (wool["permissions"]["owner_id"], wool["permissions"]["last_owner_id"]) == (AGENT, AGENT)
    original = await either.get(f"/item/{WOOL_HAT}")
    assert wool["permissions"]["creator_id"] == original["permissions"]["creator_id"]
    assert {one["linked_id"] for one in found["_embedded"]["links"].values()} == {wool["item_id"], JEANS}
    await either.ask("COPY", f"/item/{TOP_HAT}", status=403, Destination=BOOTS)
    await either.ask("COPY", f"/category/{top}/items", status=403, Destination=BOOTS)


async def test_a_copy_into_itself_ends_and_copies_of_system_folders_are_ordinary(either: Dialect) -> None:
    found = await either.ask("COPY", f"/category/{CLOTHING}", status=201, Destination=WINTER)
    assert found["type_default"] == -1
    assert len(found["_created_categories"]) == 4
    outfit = await either.ask("COPY", f"/category/{OUTFIT}", status=201, Destination="my_otfts")
    assert outfit["type_default"] == 47
    current = await either.ask("COPY", f"/category/{CURRENT}", status=201, Destination=BOOTS)
    assert current["type_default"] == -1
    assert sum(one["_broken"] for one in current["_embedded"]["links"].values()) == 1


# --- removing ---------------------------------------------------------------------------------------------------------


async def test_removals_tell_what_went_and_are_never_empty(either: Dialect) -> None:
    """Behaviour 17."""
    answer = await either.send("DELETE", f"/category/{BOOTS}/children")
    assert answer.status_code == 200
    found = read(answer)
    assert {*found} == REMOVED
    assert found["_updated_category_versions"] == {BOOTS: 1}
    assert found["_total_items_removed"] == 0
    links = await either.ask("DELETE", f"/category/{BOOTS}/links")
    assert {*links} == {"_category_items_removed", "_updated_category_versions"}


async def test_what_is_gone_is_gone(either: Dialect) -> None:
    """Behaviour 18."""
    await either.ask("DELETE", f"/item/{STRAW_HAT}")
    await either.ask("DELETE", f"/category/{OLD}")
    for path, name in ((f"/item/{STRAW_HAT}", "item_id"), (f"/category/{OLD}", "category_id")):
        assert (await either.ask("DELETE", path, status=410))[name] == path.split("/")[2]
        assert (await either.ask("GET", path, status=404))[name] == path.split("/")[2]
        assert (await either.ask("PATCH", path, {"name": "x"}, status=404))[name] == path.split("/")[2]
    for part in ("children", "links", "items", "categories"):
        await either.ask("DELETE", f"/category/{NOTHING}/{part}", status=410)
        await either.ask("GET", f"/category/{NOTHING}/{part}", status=404)


async def test_a_removed_folder_takes_all_below_and_every_link_to_it(either: Dialect) -> None:
    """Behaviours: Behaviour 16, Behaviour 19."""
    before = {key: await either.version(key) for key in (CLOTHING, CURRENT, OUTFIT)}
    found = await either.ask("DELETE", f"/category/{HATS}")
    assert found["_categories_removed"] == [HATS, WINTER]
    assert sorted(found["_category_items_removed"]) == sorted([STRAW_HAT, TOP_HAT, WOOL_HAT])
    assert found["_total_items_removed"] == 3
    assert sorted(found["_broken_links_removed"]) == [link(1), link(6)]
    assert found["_attachments_removed"] == [STRAW_HAT]
    assert found["_wearables_removed"] == found["_active_gestures_removed"] == []
    assert found["_updated_category_versions"] == {key: number + 1 for key, number in before.items()}
    assert link(1) not in str(await either.get("/category/current/links"))
    worn = await either.ask("DELETE", f"/item/{SHIRT}")
    assert (worn["_wearables_removed"], worn["_broken_links_removed"]) == ([SHIRT], [link(2)])
    gesture = await either.ask("DELETE", f"/item/{item(8)}")
    assert gesture["_active_gestures_removed"] == [item(8)]
    outfit = await either.ask("DELETE", f"/category/{OUTFIT}")
    assert outfit["_broken_links_removed"] == [link(4)]
    unworn = await either.ask("DELETE", f"/item/{link(5)}")
    assert unworn["_category_items_removed"] == [link(5)]
    assert JEANS in str(await either.get(f"/category/{CLOTHING}/items"))


async def test_a_slam_is_whole_and_keeps_what_is_no_link(either: Dialect) -> None:
    """Behaviour 21."""
    await either.ask("POST", f"/category/{HATS}", {"links": [new_link()]}, status=201)
    before = await either.whole()
    body = [{"linked_id": UUID(SHIRT), "type": 24, "name": "Shirt", "desc": "@400"}, new_link(NOTHING)]
    refused = await either.ask("PUT", f"/category/{HATS}/links?tid={tid()}", body, status=400)
    assert refused["invalid_linked_ids"] == [NOTHING]
    await either.ask("PUT", f"/category/{HATS}/links", status=400)
    await either.ask("PUT", f"/category/{HATS}/links", {"links": []}, status=400)
    assert await either.whole() == before
    version = await either.version(HATS)
    answer = await either.send("PUT", f"/category/{HATS}/links", body[:1])
    assert answer.headers["location"] == f"/category/{HATS}/links"
    found = read(answer)
    (made,) = found["_embedded"]["links"].values()
    assert (made["inv_type"], made["desc"]) == (18, "@400")
    assert found["_linked_ids"] == [SHIRT]
    assert len(found["_category_items_removed"]) == 1
    assert found["_updated_category_versions"] == {HATS: version + 1}
    items = await either.get(f"/category/{HATS}/items")
    assert {*items["_embedded"]["items"]} == {STRAW_HAT, TOP_HAT}
    assert {*items["_embedded"]["links"]} == {made["item_id"]}
    empty = await either.ask("PUT", f"/category/{HATS}/links", [], status=201)
    assert empty["_embedded"]["links"] == {}
    assert empty["version"] == version + 2


async def test_slams_at_once_leave_one_whole_list(either: Dialect) -> None:
    lists = [[new_link(target, name=f"{number}") for target in (SHIRT, JEANS, STRAW_HAT)] for number in range(6)]
    version = await either.version(CURRENT)
    answers = await asyncio.gather(*(either.send("PUT", f"/category/{CURRENT}/links", body) for body in lists))
    assert {answer.status_code for answer in answers} == {201}
    found = await either.get("/category/current/links")
    assert len({one["name"] for one in found["_embedded"]["links"].values()}) == 1
    assert len(found["_embedded"]["links"]) == 3
    assert found["version"] == version + 6


# --- whose ------------------------------------------------------------------------------------------------------------


async def test_the_library_is_only_read_and_copied_from(either: Dialect) -> None:
    """Behaviour 30."""
    cap = either.library
    found = await either.get(f"/category/{LIBRARY}/children?depth=*", capability=cap)
    assert found["_base_uri"] == "slcap://LibraryAPIv3"
    refusals: list[tuple[str, str, Any]] = [
        ("POST", f"/category/{LIBRARY_FOLDER}", {"categories": [FOLDER]}),
        ("PUT", "/category/inbox", None),
        ("PATCH", f"/category/{LIBRARY_FOLDER}", {"name": "Mine"}),
        ("DELETE", f"/category/{LIBRARY_FOLDER}", None),
        ("DELETE", f"/category/{LIBRARY_FOLDER}/children", None),
        ("PUT", f"/category/{LIBRARY_FOLDER}/links", []),
        ("PATCH", f"/item/{item(901)}", {"name": "Mine"}),
        ("MOVE", f"/category/{LIBRARY_FOLDER}", None),
        ("MOVE", f"/item/{item(901)}", None),
    ]
    for method, path, body in refusals:
        refused = await either.ask(method, path, body, status=403, capability=cap, **destination(method))
        assert refused["error_code"] == 14
    assert await either.get(f"/category/{LIBRARY}/children?depth=*", capability=cap) == found
    mine = await either.whole()
    kept = await either.ask("COPY", f"/category/{LIBRARY_OBJECTS}", status=403, capability=cap, Destination=BOOTS)
    assert kept["error_code"] == 14
    assert await either.whole() == mine
    once = tid()
    path = f"/category/{LIBRARY_FOLDER}?tid={once},depth=0"
    answer = await either.send("COPY", path, capability=cap, Destination=CLOTHING)
    assert answer.status_code == 201
    copied = read(answer)
    assert (copied["parent_id"], copied["agent_id"]) == (CLOTHING, AGENT)
    assert copied["_updated_category_versions"] == {CLOTHING: 14}
    (linked,) = copied["_embedded"]["links"].values()
    assert linked["linked_id"] in copied["_embedded"]["items"]
    blazer = copied["_embedded"]["items"][linked["linked_id"]]
    assert blazer["permissions"]["last_owner_id"] == "ba2a564a-f0f1-4b82-9c61-b7520bfcd09f"
    assert (await either.send("COPY", path, capability=cap, Destination=CLOTHING)).status_code == 409
    assert (await either.get(f"/category/{copied['category_id']}"))["name"] == "City Chic"
    assert await either.get(f"/category/{LIBRARY}/children?depth=*", capability=cap) == found
    await either.ask("GET", f"/category/{HATS}", status=404, capability=cap)
    await either.ask("GET", f"/category/{LIBRARY_FOLDER}", status=404)


async def test_another_agents_things_are_not_there(either: Dialect) -> None:
    """Behaviour 31."""
    theirs = "11111111-0000-4000-8000-00000000c002"
    await either.seed(
        {
            "category_id": "11111111-0000-4000-8000-00000000c001",
            "parent_id": ZERO,
            "agent_id": OTHER,
            "name": "My Inventory",
            "type_default": 8,
            "version": 1,
            "_embedded": {
                "items": {},
                "links": {},
                "categories": {
                    theirs: {
                        "category_id": theirs,
                        "agent_id": OTHER,
                        "name": "Theirs",
                        "type_default": -1,
                        "version": 1,
                        "_embedded": {"items": {}, "links": {}, "categories": {}},
                    }
                },
            },
        }
    )
    for method, path, status in (
        ("GET", f"/category/{theirs}", 404),
        ("GET", f"/category/{theirs}/children", 404),
        ("DELETE", f"/category/{theirs}", 410),
        ("COPY", f"/category/{theirs}", 410),
        ("MOVE", f"/category/{theirs}", 410),
    ):
        there = await either.send(method, path, **destination(method))
        nowhere = await either.send(method, path.replace(theirs, NOTHING), **destination(method))
        assert there.status_code == status
        assert str(read(there)).replace(theirs, NOTHING) == str(read(nowhere))
    await either.ask("MOVE", f"/category/{HATS}", status=404, Destination=theirs)
    await either.ask("POST", f"/category/{HATS}", {"links": [new_link(theirs, type=25)]}, status=400)
    cap = await either.mint(OTHER)
    assert (await either.get(f"/category/{theirs}", capability=cap))["name"] == "Theirs"


async def test_errors_tell_nothing_that_a_viewer_takes_for_an_object(served: Dialect) -> None:
    """Behaviour 32."""
    with capture_logs() as logs:
        for method, path, body in (
            ("GET", f"/category/{NOTHING}", None),
            ("DELETE", f"/item/{NOTHING}", None),
            ("PATCH", f"/item/{STRAW_HAT}", {"flags": "x"}),
            ("POST", f"/category/{HATS}", {"links": [new_link(NOTHING)]}),
            ("DELETE", f"/category/{ROOT}", None),
            ("GET", "/category/x", None),
            ("MOVE", f"/category/{HATS}", None),
            ("POST", "/", None),
        ):
            answer = await served.send(method, path, body)
            assert 400 <= answer.status_code < 500
            found = read(answer)
            assert "parent_id" not in found
            assert not [name for name in found if name.startswith("_")]
            assert served.capability not in str(found) + str(dict(answer.headers))
            assert "Traceback" not in str(found)
    assert served.capability not in str(logs)


async def test_a_capability_that_is_unknown_expired_or_revoked_leads_nowhere(served: Dialect) -> None:
    store = served.asked.gateway.store
    revoked = await served.mint()
    for cap in ("x", ZERO, await served.mint(expires_at=NOW - timedelta(seconds=1)), "..%2f"):
        answer = await served.send("GET", "/category/root", capability=cap)
        assert answer.status_code == 404, cap
    assert (await served.send("GET", "/category/root", capability=revoked)).status_code == 200
    for grant in await store.grants("secondlife"):
        await store.revoke_grant("secondlife", grant.label)
    # By the clock, as the gateway's own stands still here.
    assert await store.grant("secondlife", "inventory", revoked, datetime.now(UTC)) is None


async def test_a_seed_leads_to_the_capabilities_it_is_asked_for(served: Dialect) -> None:
    seed = await served.mint(part="seed")
    names = ["InventoryAPIv3", "LibraryAPIv3", "FetchLib2"]
    answer = await served.asked.client.post(
        f"{ROOT_PATH}/seed/{seed}", content=write_llsd(names), headers={"Content-Type": LLSD}
    )
    assert answer.status_code == 200
    found = parse_llsd(answer.content)
    assert {*found} == {"InventoryAPIv3", "LibraryAPIv3"}
    for name, root in (("InventoryAPIv3", ROOT), ("LibraryAPIv3", LIBRARY)):
        there = await served.asked.client.get(f"{found[name]}/category/root", headers={"Accept": JSON})
        assert orjson.loads(there.content)["category_id"] == root
    only = await served.asked.client.post(
        f"{ROOT_PATH}/seed/{seed}", content=b'["LibraryAPIv3"]', headers={"Content-Type": JSON, "Accept": JSON}
    )
    assert {*only.json()} == {"LibraryAPIv3"}
    cases: list[tuple[str, Any, int]] = [
        (f"/seed/{served.capability}", names, 404),
        ("/seed/x", names, 404),
        (f"/seed/{seed}", {}, 400),
    ]
    for path, body, status in cases:
        refused = await served.asked.client.post(
            ROOT_PATH + path, content=write_llsd(body), headers={"Content-Type": LLSD}
        )
        assert refused.status_code == status
    assert (await served.asked.client.get(f"{ROOT_PATH}/seed/{seed}")).status_code == 405
    assert (await served.send("GET", "/category/root", capability=seed)).status_code == 404


# --- what reviewers found ---------------------------------------------------------------------------------------------


async def nest(dialect: Dialect, levels: int) -> str:
    """Make folders one in another, and give the outermost."""
    keys = [f"55555555-0000-4000-8000-{number:012d}" for number in range(levels)]
    for above, key in zip([BOOTS, *keys], keys, strict=False):
        await dialect.ask("POST", f"/category/{above}", {"categories": [{**FOLDER, "category_id": key}]}, status=201)
    return keys[0]


async def test_what_is_nested_too_deep_for_one_document_is_refused_before_anything_is_done(served: Dialect) -> None:
    top = await nest(served, 70)
    before = await served.version(TRASH)
    for media in (LLSD, JSON):
        for part in ("/children?depth=*", "/categories?depth=65", "?depth=*"):
            path = f"/category/{top}{part}"
            found = await served.ask("GET", path, status=403, media=media)
            assert found["error_code"] == 2
        assert (await served.get(f"/category/{top}/children?depth=50", media=media))["category_id"] == top
    await served.ask("COPY", f"/category/{top}", status=403, Destination=TRASH)
    assert await served.version(TRASH) == before
    await served.ask("DELETE", f"/category/{top}?depth=*", status=403, If_Match='"stale"')


async def test_a_condition_on_what_is_too_large_is_not_passed_over(tmp_path: Any, tmp_path_factory: Any) -> None:
    async with AsyncExitStack() as stack:
        dialect = await open_dialect(stack, await copied(PROVIDER, tmp_path_factory, tmp_path), most_objects=3)
        await dialect.ask("DELETE", f"/category/{HATS}/children?depth=*", status=403, If_Match='"stale"')
        assert (await dialect.get(f"/item/{STRAW_HAT}"))["parent_id"] == HATS


async def test_an_error_names_only_ids(served: Dialect) -> None:
    for path in (f"/category/{HATS}", f"/item/{STRAW_HAT}"):
        for to in (f"{ROOT_PATH}/{served.capability}/category/{NOTHING}", "inbox", "nowhere"):
            found = await served.ask("MOVE", path, status=404, Destination=to)
            assert "category_id" not in found
            assert served.capability not in str(found)
    assert "category_id" not in await served.ask("GET", "/category/inbox", status=404)
    assert "category_id" not in await served.ask("DELETE", "/category/inbox", status=410)


async def test_an_id_that_is_removed_in_the_same_request_is_not_free(either: Dialect) -> None:
    before = await either.whole()
    for path, body in (
        (f"/category/{HATS}/children", {"categories": [{**FOLDER, "category_id": UUID(WINTER)}]}),
        (f"/category/{HATS}/items", {"items": [new_item(item_id=UUID(STRAW_HAT))]}),
        (f"/category/{CURRENT}/links", [new_link(item_id=UUID(link(1)))]),
    ):
        await either.ask("PUT", path, body, status=400)
    assert await either.whole() == before


async def test_a_transaction_of_a_special_category_that_stands_is_left_free(served: Dialect) -> None:
    once = tid()
    for _ in range(2):
        assert "transaction_id" not in await served.ask("PUT", f"/category/current?tid={once}", status=409)
    await served.ask("POST", f"/category/{HATS}?tid={once}", {"categories": [FOLDER]}, status=201)
    again = await served.ask("PUT", f"/category/current?tid={once}", status=409)
    assert again["transaction_id"] == once
    assert (await served.ask("PUT", f"/category/{HATS}", status=409))["category_id"] == HATS
    made = await served.send("PUT", "/category/favorite")
    assert made.headers["content-location"] == made.headers["location"]


async def test_conditions_that_name_no_version_hold_nobody_up(either: Dialect) -> None:
    conditions: list[Any] = [{"If_Match": "*"}, {"If_None_Match": '"other"'}]
    for headers in conditions:
        body = {"categories": [FOLDER]}
        answers = await asyncio.gather(*(either.send("POST", f"/category/{BOOTS}", body, **headers) for _ in range(5)))
        assert {answer.status_code for answer in answers} == {201}
    tag = (await either.send("GET", f"/category/{BOOTS}")).headers["etag"]
    answers = await asyncio.gather(
        *(either.send("PATCH", f"/category/{BOOTS}", {"name": f"{number}"}, If_Match=tag) for number in range(5))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]
    for answer in answers:
        if answer.status_code == 412:
            assert answer.headers["etag"] != tag
            assert tag not in read(answer)["etags"]


async def test_a_copy_from_the_library_is_held_to_its_tags(either: Dialect) -> None:
    for path in (f"/category/{LIBRARY_FOLDER}", f"/category/{LIBRARY_FOLDER}/items"):
        found = await either.ask("COPY", path, status=412, capability=either.library, Destination=BOOTS, If_Match='"x"')
        assert found["condition"] == "If-Match"
    assert await either.version(BOOTS) == 1
    tag = (await either.send("GET", f"/category/{LIBRARY_FOLDER}", capability=either.library)).headers["etag"]
    # An address behind the other capability of the same agent.
    to = f"http://localhost{ROOT_PATH}/{either.capability}/category/{BOOTS}"
    path = f"/category/{LIBRARY_FOLDER}"
    await either.ask("COPY", path, status=201, capability=either.library, Destination=to, If_Match=tag)
    stranger = await either.mint(OTHER)
    elsewhere = to.replace(either.capability, stranger)
    await either.ask("COPY", path, status=404, capability=either.library, Destination=elsewhere)


async def test_masks_are_put_right_by_whatever_changes_or_copies(either: Dialect) -> None:
    wrong = {"base_mask": 0x4000, "owner_mask": -1, "group_mask": 0, "everyone_mask": 0x4000, "next_owner_mask": 0}
    key = "66666666-0000-4000-8000-000000000001"
    thing = {"item_id": key, "agent_id": AGENT, "name": "Wrong", "type": 7, "inv_type": 7, "permissions": wrong}
    await either.seed({"agent_id": AGENT, "_embedded": {"items": {key: thing}, "links": {}, "categories": {}}})
    changed = await either.ask("PATCH", f"/item/{key}", {"desc": "new"})
    assert not changed["permissions"]["everyone_mask"] & 0x4000
    assert changed["permissions"]["base_mask"] & 0x2000


async def test_a_new_import_never_lowers_a_version(served: Dialect) -> None:
    await served.ask("PATCH", f"/category/{HATS}", {"name": "Caps"})
    before = await served.version(CLOTHING)
    await served.seed(None)
    assert await served.version(CLOTHING) > before


async def test_an_agent_without_anything_can_begin(either: Dialect) -> None:
    cap = await either.mint(OTHER)
    await either.ask("DELETE", f"/item/{NOTHING}", status=410, capability=cap)
    await either.ask("PUT", "/category/current", status=404, capability=cap)
    root = await either.ask("PUT", "/category/root", status=201, capability=cap)
    assert root["parent_id"] == ZERO
    await either.ask("PUT", "/category/current", status=201, capability=cap)
    whole = await either.get("/category/root/children?depth=*", capability=cap)
    assert len(whole["_embedded"]["categories"]) == 1


async def test_none_in_what_is_made_is_absence_and_bytes_may_be_text(served: Dialect) -> None:
    body = {
        "categories": [{"name": "x", "type_default": None, "category_id": None, "thumbnail": None}],
        "items": [new_item(flags=None, sale_info={"sale_type": None}, permissions=None, inv_type=None, desc=None)],
    }
    for media in (LLSD, JSON):
        await served.ask("POST", f"/category/{HATS}", body, status=201, media=media)
    await served.ask("PATCH", f"/item/{STRAW_HAT}", {"flags": "AAABAA=="}, media=JSON)
    assert (await served.get(f"/item/{STRAW_HAT}"))["flags"] == 256


async def test_a_type_that_is_named_goes_before_any_other(served: Dialect) -> None:
    for accept, media in (
        ("application/json, text/plain, */*", JSON),
        (f"*/*, {LLSD}", LLSD),
        (f"{JSON}, {LLSD}", LLSD),
        ("application/json;q=0, */*", LLSD),
    ):
        answer = await served.send("GET", f"/category/{HATS}", Accept=accept)
        assert answer.headers["content-type"] == media, accept


async def test_a_repeat_is_told_even_where_what_it_was_about_is_gone(served: Dialect) -> None:
    once = tid()
    await served.ask("PATCH", f"/item/{STRAW_HAT}?tid={once}", {"name": "Cap"})
    await served.ask("DELETE", f"/item/{STRAW_HAT}")
    again = await served.ask("PATCH", f"/item/{STRAW_HAT}?tid={once}", {"name": "Cap"}, status=409)
    assert again["transaction_id"] == once
    await served.get(f"/category/{HATS}?children=x")


async def test_a_strict_dialect_tells_first_what_is_wrong(strict: Dialect) -> None:
    await strict.ask("MOVE", f"/category/{HATS}", status=400)
    await strict.ask("MOVE", f"/category/{NOTHING}", status=410, Destination=TRASH)
    await strict.ask("MOVE", f"/category/{LIBRARY_FOLDER}", status=403, capability=strict.library, Destination=TRASH)


async def test_a_copy_that_copies_nothing_changes_no_version(either: Dialect) -> None:
    await either.ask("MOVE", f"/item/{TOP_HAT}", Destination=BOOTS)
    version = await either.version(BOOTS)
    found = await either.ask("COPY", f"/category/{BOOTS}/children", status=201, Destination=BOOTS)
    assert found["_created_items"] == found["_moved_items"] == []
    assert found["_updated_category_versions"] == {BOOTS: version}


async def test_of_what_is_copied_twice_each_copy_is_whole(either: Dialect) -> None:
    await either.ask("DELETE", f"/item/{TOP_HAT}")
    found = await either.ask("COPY", f"/category/{CLOTHING}/categories", status=201, Destination=TRASH)
    hats = next(one for one in found["_embedded"]["categories"].values() if one["name"] == "Hats")
    (winter,) = hats["_embedded"]["categories"].values()
    assert [one["name"] for one in winter["_embedded"]["items"].values()] == ["Wool hat"]
