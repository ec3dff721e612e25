"""Random sequences of operations, read as a viewer reads them: nothing misleads it, and it knows what is there."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.providers.secondlife import PROVIDER
from gateway.providers.secondlife.codec import JSON
from tests.gateways import copied
from tests.providers.secondlife.conftest import LIBRARY_FOLDER, NOTHING, Dialect, open_dialect, read, tid
from tests.providers.secondlife.viewer import Viewer

FOLDER_PARTS = ("children", "links", "items", "categories")

picks = st.integers(0, 50)
operations = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("create", "ensure", "rename", "patch", "move", "copy", "delete", "clear", "replace", "copy part"),
                *("move part", "move item", "copy item", "delete item", "library"),
            ]
        ),
        picks,
        picks,
        st.sampled_from(FOLDER_PARTS),
        st.booleans(),
    ),
    min_size=4,
    max_size=14,
)


class Driver:
    """Makes requests of operations, on what the viewer believes to be there, and now and then on what is not."""

    def __init__(self, dialect: Dialect, viewer: Viewer) -> None:
        self.dialect = dialect
        self.viewer = viewer

    def folder(self, pick: int) -> str:
        known = [*sorted(self.viewer.folders), NOTHING]
        return known[pick % len(known)]

    def thing(self, pick: int) -> str:
        known = [*sorted(self.viewer.things), NOTHING]
        return known[pick % len(known)]

    def request(self, name: str, one: int, other: int, part: str, flag: bool) -> tuple[str, str, Any, Any]:
        folder, thing, to = self.folder(one), self.thing(one), {"Destination": self.folder(other)}
        new = {
            "categories": [{"name": "New", "type_default": -1}],
            "links": [{"linked_id": UUID(self.thing(other)), "name": "Link", "type": 24}],
            "items": [{"name": "Thing", "type": 7}],
        }
        depth = "&depth=0" if flag else ""
        match name:
            case "create":
                return "POST", f"/category/{folder}", new if flag else {"categories": new["categories"]}, {}
            case "ensure":
                return "PUT", f"/category/{('inbox', 'outbox', 'trash', 'sound')[one % 4]}", None, {}
            case "rename":
                return "PATCH", f"/category/{folder}", {"name": f"Name {other}"}, {}
            case "patch":
                parent = {"parent_id": UUID(to["Destination"])} if flag else {}
                return "PATCH", f"/item/{thing}", {"desc": f"{other}", **parent}, {}
            case "move":
                return "MOVE", f"/category/{folder}", None, to
            case "copy":
                return "COPY", f"/category/{folder}?tid={tid()}{depth}", None, to
            case "delete":
                return "DELETE", f"/category/{folder}", None, {}
            case "clear":
                return "DELETE", f"/category/{folder}/{part}", None, {}
            case "replace":
                whole = {"items": new["items"], "links": new["links"]} if part == "items" else new
                return "PUT", f"/category/{folder}/{part}", new.get(part, whole) if part != "items" else whole, {}
            case "copy part":
                return "COPY", f"/category/{folder}/{part}?tid={tid()}{depth}", None, to
            case "move part":
                return "MOVE", f"/category/{folder}/{part}", None, to
            case "move item":
                return "MOVE", f"/item/{thing}", None, to
            case "copy item":
                return "COPY", f"/item/{thing}", None, to
            case "delete item":
                return "DELETE", f"/item/{thing}", None, {}
            case _:
                return "COPY", f"/category/{LIBRARY_FOLDER}?tid={tid()},depth=0", None, to

    async def do(self, name: str, one: int, other: int, part: str, *, flag: bool) -> None:
        """Make a request, and let the viewer read the answer."""
        method, path, body, headers = self.request(name, one, other, part, flag)
        cap = self.dialect.library if name == "library" else None
        answer = await self.dialect.send(method, path, body, capability=cap, **headers)
        assert answer.status_code < 500, (method, path, answer.text)
        document = read(answer)
        if answer.status_code >= 400:
            if not (answer.status_code == 409 and method == "PUT"):
                self.viewer.fail(document)
            return
        assert answer.status_code != 204
        if method == "PUT" and path.endswith(("/children", "/categories")):
            # What was removed is told by a number alone: a viewer looks again.
            self.viewer.expect("_category_items_removed" not in document, "a field that is not of the schema")
            await self.forget(path.split("/")[2], document)
        for key in self.viewer.change(method, document):
            self.viewer.things[key] = (await self.dialect.get(f"/item/{key}", media=JSON))["parent_id"]

    async def forget(self, key: str, document: Any) -> None:
        """Drop what lies below a folder, as far as it is no longer there."""
        gone = {*document["_categories_removed"]}
        for thing, parent in [*self.viewer.things.items()]:
            if parent in gone or (
                parent == key and key not in gone and "/categories" not in document["_links"]["self"]["href"]
            ):
                del self.viewer.things[thing]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store with the samples, to be copied for each sequence."""
    url = asyncio.run(copied(PROVIDER, tmp_path_factory, tmp_path_factory.mktemp("viewer")))
    return Path(url.removeprefix("sqlite:///"))


# Without making them smaller: each costs a store, and a sequence is short as it is.
@settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(sequence=operations)
def test_a_viewer_reads_every_answer_and_knows_what_is_there(
    store: Path, tmp_path_factory: pytest.TempPathFactory, sequence: list[tuple[str, int, int, str, bool]]
) -> None:
    async def run() -> None:
        async with AsyncExitStack() as stack:
            url = await copied(PROVIDER, tmp_path_factory, tmp_path_factory.mktemp("sequence"))
            dialect = await open_dialect(stack, url)
            viewer = Viewer()
            viewer.fetch(await dialect.get("/category/root/children?depth=*", media=JSON))
            driver = Driver(dialect, viewer)
            for name, one, other, part, flag in sequence:
                before = {key: folder.version for key, folder in viewer.folders.items()}
                await driver.do(name, one, other, part, flag=flag)
                assert viewer.faults == [], (name, one, other, part, flag)
                truth = Viewer()
                truth.fetch(await dialect.get("/category/root/children?depth=*", media=JSON))
                assert truth.faults == []
                assert viewer.folders == truth.folders, (name, one, other, part, flag)
                assert viewer.things == truth.things, (name, one, other, part, flag)
                assert all(truth.folders[key].version >= old for key, old in before.items() if key in truth.folders)

    del store
    asyncio.run(run())


def test_the_viewer_sees_what_would_crash_it() -> None:
    """A model that finds nothing wrong with anything would prove nothing."""
    folder: dict[str, Any] = {"category_id": "a", "parent_id": "0", "version": 1}
    folder["_embedded"] = {"items": {}, "links": {}, "categories": {}}
    answers: list[tuple[str, dict[str, Any]]] = [
        ("DELETE", {"_categories_removed": ["a"], "_updated_category_versions": {"a": 2}}),
        ("DELETE", {"_updated_category_versions": {"b": 2}}),
        ("DELETE", {"_updated_category_versions": ["a"]}),
        ("POST", {**folder, "_updated_category_versions": {"a": 3}}),
        (
            "POST",
            {
                **folder,
                "_embedded": {"items": {"x": {"item_id": "x", "parent_id": "a"}}},
                "_updated_category_versions": {},
            },
        ),
        ("POST", {"_created_categories": ["n"], "_updated_category_versions": {}}),
        (
            "POST",
            {
                **folder,
                "_created_categories": ["n"],
                "_updated_category_versions": {},
                "_embedded": {"categories": {"n": {"category_id": "n", "parent_id": "a", "version": 1}}},
            },
        ),
    ]
    for method, document in answers:
        viewer = Viewer()
        viewer.fetch(folder)
        with contextlib.suppress(AttributeError, KeyError):
            viewer.change(method, document)
        assert viewer.faults, document
    viewer = Viewer()
    viewer.fail({"parent_id": "a"})
    viewer.fail({"_created_items": []})
    assert len(viewer.faults) == 2
