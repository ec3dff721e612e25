"""The samples of every answer: our dialects' answers have their fields and types, and our client reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

import httpx
import orjson
import pytest

from gateway.model.errors import UpstreamInvalid
from gateway.model.ids import OwnerRef
from gateway.providers.roblox import wire
from gateway.providers.roblox.types import RobloxAsset
from tests.providers.roblox.conftest import CROWN, Dialects
from tests.providers.roblox.service import open_front

HERE = Path(__file__).parent / "samples"
SAMPLES: dict[str, Any] = {path.stem: orjson.loads(path.read_bytes()) for path in sorted(HERE.glob("*.json"))}
ERRORS: list[Any] = SAMPLES.pop("errors")
OWNER = OwnerRef("roblox", "42")

READERS: dict[str, Callable[[Any], Any]] = {
    "inventoryItem": lambda sample: wire.parse_item(sample, OWNER),
    "inventoryItems": lambda sample: [wire.parse_item(row, OWNER) for row in wire.parse_cloud_page(sample).entries],
    "collectibles": lambda sample: [wire.parse_collectible(row, OWNER) for row in wire.parse_page(sample).entries],
    "items": lambda sample: [wire.parse_owned(row) for row in wire.parse_page(sample).entries],
    "isOwned": wire.parse_flag,
    "canView": wire.parse_flag,
    "package": wire.parse_assets,
    "categories": wire.parse_categories,
    "favorites": wire.parse_categories,
    "places": lambda sample: [wire.parse_place(row, OWNER, "Created") for row in wire.parse_page(sample).entries],
    "user": wire.parse_user,
    "userinfo": wire.parse_subject,
    "introspection": wire.parse_introspection,
}

REQUESTS: dict[str, str] = {
    "inventoryItems": "/cloud/v2/users/42/inventory-items?maxPageSize=100",
    "collectibles": "/v1/users/42/assets/collectibles?limit=10",
    "items": f"/v1/users/42/items/Asset/{CROWN}",
    "isOwned": f"/v1/users/42/items/Asset/{CROWN}/is-owned",
    "canView": "/v1/users/42/can-view-inventory",
    "package": "/v1/packages/7200/assets",
    "categories": "/v1/users/42/categories",
    "favorites": "/v1/users/42/categories/favorites",
    "places": "/v1/users/42/places/inventory?placesTab=Created",
    "inventoryV2": "/v2/users/42/inventory?assetTypes=Hat",
    "inventoryOfTypeV2": "/v2/users/42/inventory/8",
    "user": "/v1/users/authenticated",
    "userinfo": "/oauth/v1/userinfo",
}


def kinds(value: Any, place: str = "") -> dict[str, set[str]]:
    """Tell which types stand in which places; lists by all of their entries."""
    found: dict[str, set[str]] = {place: {type(value).__name__}}
    entries: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        entries = [(f"{place}.{name}", part) for name, part in cast("dict[str, Any]", value).items()]
    elif isinstance(value, list):
        entries = [(f"{place}[]", part) for part in cast("list[Any]", value)]
    for at, part in entries:
        for inner, types in kinds(part, at).items():
            found.setdefault(inner, set()).update(types)
    return found


def test_every_answer_has_a_sample_with_its_source() -> None:
    assert {*SAMPLES} == {*READERS} | {*REQUESTS} | {"collection"}
    assert all(sample["source"] for sample in SAMPLES.values())


@pytest.mark.parametrize("name", READERS)
def test_our_client_reads_the_sample(name: str) -> None:
    assert READERS[name](SAMPLES[name]["answer"]) not in (None, [])


@pytest.mark.parametrize("name", REQUESTS)
async def test_our_dialect_answers_in_the_form_of_the_sample(dialects: Dialects, name: str) -> None:
    headers = {**await dialects.cookie(), **(await dialects.token() if name == "userinfo" else await dialects.key())}
    answer = await dialects.get(REQUESTS[name], headers)
    assert answer.status_code == 200
    ours, theirs = kinds(answer.json()), kinds(SAMPLES[name]["answer"])
    assert {*ours} == {*theirs}
    for place, types in theirs.items():
        assert ours[place] - {"NoneType"} <= types | ours[place] & {"str", "int", "dict"}
        # A number stays a number, and a text a text.
        for one, other in (("int", "str"), ("str", "int"), ("bool", "int")):
            assert not (one in types and other in ours[place]), place


async def test_the_collection_and_the_key_are_answered_in_the_form_of_the_samples(dialects: Dialects) -> None:
    done = await dialects.write("POST", "/v1/collections/items/Asset/7101")
    assert done.json() == SAMPLES["collection"]["answer"]
    asked = {"apiKey": await dialects.secret("key")}
    told = await dialects.asked.client.post("/rest/roblox/api-keys/v1/introspect", json=asked)
    assert kinds(told.json()) == kinds(SAMPLES["introspection"]["answer"])


def test_the_documents_own_example_is_read_to_the_letter() -> None:
    found = wire.parse_item(SAMPLES["inventoryItem"]["answer"], OWNER)
    assert isinstance(found, RobloxAsset)
    assert (found.asset_id, found.instance_id, found.key) == (12928981934, 173413781720, "asset:173413781720")
    assert found.inventory_item_asset_type == "INVENTORY_ITEM_ASSET_TYPE_UNSPECIFIED"
    assert found.collectible is not None
    assert found.collectible.serial_number == 160
    written = wire.render_item(found, whole=True)
    assert written == {**SAMPLES["inventoryItem"]["answer"], "path": written["path"]}


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{error['host']}-{error['status']}")
async def test_our_client_reads_every_error(error: Any) -> None:
    """What is answered to a list of the cloud, and to a list of v1."""

    def instead(request: httpx.Request) -> httpx.Response:
        is_cloud = "/cloud/" in request.url.path
        if is_cloud == (error["host"] == "cloud"):
            return httpx.Response(error["status"], json=error["answer"], headers={"retry-after": "600"})
        if "can-view" in request.url.path:
            return httpx.Response(200, json={"canView": True})
        return httpx.Response(200, json={"inventoryItems": [], "nextPageToken": ""})

    async with AsyncExitStack() as stack:
        front = await open_front(stack, None, instead)
        front.use(key="some-key")
        answer = await front.inventory("items { nodes { key } }")
    assert answer.codes == ([] if error["code"] is None else [error["code"]])
    if error["code"] is None:
        assert answer.data["inventory"] in (None, {"items": None})


@pytest.mark.parametrize("name", READERS)
def test_a_sample_with_a_broken_part_is_refused_without_its_value(name: str) -> None:
    """Every number and id in turn is a text that is none."""
    for broken in _broken(SAMPLES[name]["answer"]):
        with pytest.raises(UpstreamInvalid) as refused:
            READERS[name](broken)
        assert "geheim" not in refused.value.message


def _broken(value: Any) -> Iterator[Any]:
    """Give a value with each of its numbers and ids, one at a time, replaced."""
    if isinstance(value, dict):
        parts = cast("dict[str, Any]", value)
        # A cursor may be any text.
        for name, part in [pair for pair in parts.items() if not pair[0].endswith("Cursor")]:
            yield from ({**parts, name: inner} for inner in _broken(part))
    elif isinstance(value, list):
        entries = cast("list[Any]", value)
        for at, entry in enumerate(entries):
            yield from ([*entries[:at], inner, *entries[at + 1 :]] for inner in _broken(entry))
    elif (isinstance(value, str) and value.isdecimal()) or type(value) is int:
        yield "geheim"
