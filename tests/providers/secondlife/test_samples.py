"""The samples of every response: our dialect's answers have their fields and types, and our client reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx
import orjson
import pytest

from gateway.model.errors import (
    Conflict,
    Forbidden,
    GatewayError,
    Gone,
    InvalidInput,
    NotFound,
)
from gateway.model.ids import OwnerRef
from gateway.providers.secondlife import wire
from gateway.providers.secondlife.codec import JSON
from gateway.providers.secondlife.upstream import judge, read_refusal
from tests.providers.secondlife.conftest import (
    AGENT,
    BOOTS,
    CLOTHING,
    CURRENT,
    HATS,
    JEANS,
    NOTHING,
    OUTFIT,
    STRAW_HAT,
    TRASH,
    WINTER,
    Dialect,
    link,
    tid,
)

HERE = Path(__file__).parent / "samples"
SAMPLES: dict[str, Any] = {path.stem: orjson.loads(path.read_bytes()) for path in sorted(HERE.glob("*.json"))}
ERRORS: dict[str, Any] = SAMPLES.pop("errors")
OWNER = OwnerRef("secondlife", AGENT)

FOLDER = {"name": "New", "type_default": -1}
NEW_LINK = {"linked_id": UUID(JEANS), "type": 24, "name": "Link", "desc": ""}
NEW_ITEM = {"name": "Thing", "type": 7}
EVERYTHING = {"categories": [FOLDER], "links": [NEW_LINK], "items": [NEW_ITEM]}

REQUESTS: dict[str, tuple[str, str, Any]] = {
    "categoryResponse": ("GET", f"/category/{CLOTHING}", None),
    "categoryChildrenResponse": ("GET", "/category/root/children", None),
    "categoryNewChildrenResponse": ("POST", f"/category/{HATS}", EVERYTHING),
    "categoryNewResponse": ("PUT", "/category/inbox", None),
    "categoryModifyResponse": ("PATCH", f"/category/{HATS}", {"name": "Caps"}),
    "categoryCopyResponse": ("COPY", f"/category/{HATS}", None),
    "categoryMoveResponse": ("MOVE", f"/category/{HATS}", None),
    "categoryDeleteResponse": ("DELETE", f"/category/{HATS}", None),
    "categoryChildrenReplaceResponse": ("PUT", f"/category/{HATS}/children", EVERYTHING),
    "categoryChildrenMoveResponse": ("MOVE", f"/category/{HATS}/children", None),
    "categoryLinksResponse": ("GET", f"/category/{OUTFIT}/links", None),
    "categoryLinksReplaceResponse": ("PUT", "/category/current/links", [NEW_LINK]),
    "categoryLinksCopyResponse": ("COPY", f"/category/{OUTFIT}/links", None),
    "categoryLinksMoveResponse": ("MOVE", f"/category/{OUTFIT}/links", None),
    "categoryLinksDeleteResponse": ("DELETE", f"/category/{OUTFIT}/links", None),
    "categoryItemsResponse": ("GET", f"/category/{HATS}/items", None),
    "categoryItemsReplaceResponse": ("PUT", f"/category/{HATS}/items", {"items": [NEW_ITEM], "links": [NEW_LINK]}),
    "categoryItemsCopyResponse": ("COPY", f"/category/{WINTER}/items", None),
    "categoryItemsMoveResponse": ("MOVE", f"/category/{HATS}/items", None),
    "categoryItemsDeleteResponse": ("DELETE", f"/category/{HATS}/items", None),
    "categoryCategoriesResponse": ("GET", f"/category/{CLOTHING}/categories", None),
    "categoryCategoriesMoveResponse": ("MOVE", f"/category/{HATS}/categories", None),
    "itemResponse": ("GET", f"/item/{STRAW_HAT}", None),
    "linkResponse": ("GET", f"/item/{link(1)}", None),
    "itemModifyResponse": ("PATCH", f"/item/{STRAW_HAT}", {"name": "Cap"}),
    "linkModifyResponse": ("PATCH", f"/item/{link(1)}", {"name": "Cap"}),
    "itemCopyResponse": ("COPY", f"/item/{STRAW_HAT}", None),
    "linkCopyResponse": ("COPY", f"/item/{link(1)}", None),
    "itemMoveResponse": ("MOVE", f"/item/{STRAW_HAT}", None),
    "linkMoveResponse": ("MOVE", f"/item/{link(1)}", None),
    "itemDeleteResponse": ("DELETE", f"/item/{STRAW_HAT}", None),
}
"""By schema, a request of the dialect that is answered by it."""

OURS = {"thumbnail", "favorite", "is_owner_group"}
"""What the service has had since its document was written."""


def differences(sample: Any, answer: Any, place: str = "") -> list[str]:
    """Tell where an answer has other fields or types than a sample; of lists and maps by id, by their first entries."""
    if type(sample) is not type(answer):
        return [f"{place}: {type(answer).__name__}, not {type(sample).__name__}"]
    pairs: list[tuple[str, Any, Any]] = []
    if isinstance(sample, list):
        pairs = [(place, sample[0], answer[0])] if sample and answer else []
    elif isinstance(sample, dict):
        one, other = cast("dict[str, Any]", sample), cast("dict[str, Any]", answer)
        if is_by_id(one) or is_by_id(other):
            values = [*other.values()]
            pairs = [(f"{place}/*", next(iter(one.values())), values[0])] if one and values else []
        else:
            missing = [f"{place}/{name} is missing" for name in one if name not in other]
            unknown = [f"{place}/{name} is not of it" for name in other if name not in one and name not in OURS]
            if missing or unknown:
                return missing + unknown
            pairs = [(f"{place}/{name}", one[name], other[name]) for name in one]
    return [fault for where, inner, outer in pairs for fault in differences(inner, outer, where)]


def is_by_id(value: dict[str, Any]) -> bool:
    return any(len(name) == 36 for name in value)


@pytest.mark.parametrize("name", SAMPLES)
async def test_an_answer_has_the_fields_of_its_sample(served: Dialect, name: str) -> None:
    method, path, body = REQUESTS[name]
    headers: Any = {"Destination": BOOTS if "current" in path or method == "MOVE" else TRASH}
    if name.startswith("categoryLinksCopy"):
        headers = {"Destination": CURRENT}
    answer = await served.send(method, path, body, Accept=JSON, **headers)
    assert answer.status_code in (200, 201)
    assert differences(SAMPLES[name], orjson.loads(answer.content)) == []


def test_every_response_has_a_sample_and_a_request() -> None:
    assert {*SAMPLES} == {*REQUESTS}
    assert len(SAMPLES) + len(ERRORS) == 43


@pytest.mark.parametrize("name", [name for name in SAMPLES if "category_id" in SAMPLES[name]])
def test_our_client_reads_every_answer_about_a_folder(name: str) -> None:
    sample = SAMPLES[name]
    branch = wire.parse_branch(sample, OWNER)
    assert branch.category.key == sample["category_id"]
    assert (branch.category.number, branch.category.name) == (sample["version"], sample["name"])
    embedded = sample.get("_embedded", {})
    things = {item.key for item in branch.items or ()}
    assert things == {*embedded.get("items", {}), *embedded.get("links", {})}
    assert {one.category.key for one in branch.children or ()} == {*embedded.get("categories", {})}
    assert branch.category.extra is None
    for thing in branch.items or ():
        assert thing.extra is None


@pytest.mark.parametrize("name", [name for name in SAMPLES if "item_id" in SAMPLES[name]])
def test_our_client_reads_every_answer_about_an_item(name: str) -> None:
    sample = SAMPLES[name]
    thing = wire.parse_thing(sample, OWNER)
    assert (thing.key, thing.container_key) == (sample["item_id"], sample["parent_id"])
    assert (thing.linked_key is None) is name.startswith("item")
    assert thing.extra is None
    written = orjson.loads(orjson.dumps(wire.render_thing(thing, broken=False)))
    assert {key: written[key] for key in sample if not key.startswith("_") and key != "permissions"} == {
        key: sample[key] for key in sample if not key.startswith("_") and key != "permissions"
    }


KINDS: dict[int, type[GatewayError]] = {
    400: InvalidInput,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    412: Conflict,
}


@pytest.mark.parametrize("name", ERRORS)
def test_our_client_reads_every_error(name: str) -> None:
    status, body = ERRORS[name]["status"], ERRORS[name]["body"]
    assert judge(httpx.Response(status)) is None or status == 412
    item = "item_id" in body or None
    error = read_refusal(status, body, category=body.get("category_id"), item=item and body["item_id"])
    assert isinstance(error, KINDS[status])
    assert getattr(error, "key", None) == (body.get("category_id") or body.get("item_id")) or status == 400


@pytest.mark.parametrize(
    ("name", "method", "path", "body"),
    [
        ("errorGeneral", "GET", "/category/x", None),
        ("errorInvalidRequest", "POST", f"/category/{HATS}", {"items": 5}),
        ("errorInvalidLinksShape", "POST", f"/category/{HATS}", {"links": [{**NEW_LINK, "linked_id": UUID(NOTHING)}]}),
        ("errorInvalidCategoryRequest", "PATCH", f"/category/{HATS}", {"name": 5}),
        ("errorInvalidItemRequest", "PATCH", f"/item/{STRAW_HAT}", {"name": 5}),
        ("errorInvalidPermissions", "DELETE", f"/category/{CLOTHING}", None),
        ("errorCategoryNotFound", "GET", f"/category/{NOTHING}", None),
        ("errorItemNotFound", "GET", f"/item/{NOTHING}", None),
        ("errorDuplicateTransaction", "DELETE", f"/item/{STRAW_HAT}?tid=", None),
        ("errorCategoryGone", "DELETE", f"/category/{NOTHING}", None),
        ("errorItemGone", "DELETE", f"/item/{NOTHING}", None),
        ("errorPreconditionFailed", "DELETE", f"/category/{HATS}", None),
    ],
)
async def test_an_error_has_the_fields_of_its_sample(
    served: Dialect, name: str, method: str, path: str, body: Any
) -> None:
    if path.endswith("tid="):
        path += tid()
        await served.ask(method, path)
    headers: Any = {"If_Match": '"x"'} if name == "errorPreconditionFailed" else {}
    answer = await served.send(method, path, body, Accept=JSON, **headers)
    assert answer.status_code == ERRORS[name]["status"]
    found = orjson.loads(answer.content)
    assert {field: type(found[field]) for field in found} == {
        field: type(value) for field, value in ERRORS[name]["body"].items()
    }
    assert found["error_code"] == ERRORS[name]["body"]["error_code"]
