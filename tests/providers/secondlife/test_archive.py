"""Import and export: whole trees, in both forms, read back as they were written."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from importlib import resources
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from gateway.cli import app
from gateway.files import Line, Malformed, documents
from gateway.importing import Broken, import_documents
from gateway.model.errors import InvalidInput
from gateway.model.ids import ContainerRef, OwnerRef
from gateway.providers.secondlife import PROVIDER, archive
from gateway.providers.secondlife.codec import FORMAT, parse_json, parse_llsd, write_json, write_llsd
from gateway.registry import STORED
from gateway.store.store import Store
from tests.providers.secondlife.conftest import AGENT, BOOTS, CLOTHING, CURRENT, HATS, OTHER, ROOT, ZERO, texts

DEMO: dict[str, Any] = orjson.loads((resources.files(PROVIDER.demo) / "demo.json").read_bytes())
TREE, LOOSE, _ = DEMO


@pytest.fixture
async def store() -> AsyncGenerator[Store]:
    opened = await Store.open("sqlite://", types=STORED)
    await opened.migrate()
    yield opened
    await opened.aclose()


async def bring(store: Store, payload: Any, owner: str | None = None, kind: str | None = None) -> Any:
    files = [("x", [Line(1, payload, suspect=True)])]
    return await import_documents(store, PROVIDER.key, archive, files, owner=owner, kind=kind, strict=True)


async def exported(store: Store, owner: str = AGENT) -> dict[str, Any]:
    owned = await store.owned(OwnerRef(PROVIDER.key, owner))
    assert owned is not None
    return dict(archive.render_export(owned))


async def refused(store: Store, payload: Any, owner: str | None = None, kind: str | None = None) -> str:
    with pytest.raises(Broken) as broken:
        await bring(store, payload, owner, kind)
    ((_, _, reason),) = broken.value.report.rejected
    assert not await store.owner_refs(PROVIDER.key)
    return reason


@pytest.mark.parametrize("write", [write_json, write_llsd, FORMAT.write])
async def test_an_export_imported_elsewhere_is_exported_as_the_same(store: Store, write: Any) -> None:
    await bring(store, DEMO)
    for owner in (AGENT, "library"):
        first = await exported(store, owner)
        data = write(first)
        read = parse_json(data) if write is write_json else parse_llsd(data)
        other = await Store.open("sqlite://", types=STORED)
        await other.migrate()
        await bring(other, read)
        assert texts(await exported(other, owner)) == texts(first)
        await other.aclose()


async def test_the_demo_comes_out_as_it_went_in(store: Store) -> None:
    await bring(store, DEMO)

    def bare(value: Any) -> Any:
        """Leave out what answers have beside the things themselves."""
        if isinstance(value, dict):
            parts = cast("dict[str, Any]", value)
            return {name: bare(part) for name, part in parts.items() if name == "_embedded" or name[:1] != "_"}
        return value

    found = bare(texts(await exported(store)))
    assert found == {TREE: bare(DEMO[TREE]), LOOSE: bare(DEMO[LOOSE])}


async def test_what_the_contract_does_not_know_is_kept(store: Store) -> None:
    strange: Any = {"colour": "red", "nested": {"list": [1, None, {"a": 1.5}]}}
    folder: dict[str, Any] = {**root(), "mood": strange}
    folder["_embedded"]["items"] = {HATS: {**thing(HATS), **strange}}
    await bring(store, folder)
    found = texts(await exported(store))[TREE]
    assert found["mood"] == strange
    assert found["_embedded"]["items"][HATS]["colour"] == "red"
    assert found["_embedded"]["items"][HATS]["nested"] == strange["nested"]


def root(**more: Any) -> dict[str, Any]:
    return {
        "category_id": ROOT,
        "parent_id": ZERO,
        "agent_id": AGENT,
        "name": "My Inventory",
        "type_default": 8,
        "version": 5,
        "_embedded": {"items": {}, "links": {}, "categories": {}},
        **more,
    }


def below(key: str, **more: Any) -> dict[str, Any]:
    return {**root(), "category_id": key, "parent_id": ROOT, "name": "Folder", "type_default": -1, **more}


def thing(key: str, **more: Any) -> dict[str, Any]:
    return {"item_id": key, "parent_id": ROOT, "agent_id": AGENT, "name": "Thing", "type": 7, "inv_type": 7, **more}


def holding(**maps: Any) -> dict[str, Any]:
    return {**root(), "_embedded": {"items": {}, "links": {}, "categories": {}, **maps}}


async def test_a_new_import_replaces_what_lay_below_and_nothing_else(store: Store) -> None:
    await bring(store, DEMO)
    folder = below(HATS, parent_id=CLOTHING)
    folder["_embedded"]["items"] = {BOOTS[:-1] + "9": thing(BOOTS[:-1] + "9", parent_id=HATS)}
    await bring(store, folder)
    owner = OwnerRef(PROVIDER.key, AGENT)
    inside = await store.inside([ContainerRef(*owner, HATS)])
    assert [item.name for item in inside] == ["Thing"]
    assert not await store.below([ContainerRef(*owner, HATS)])
    assert len(await store.inside([ContainerRef(*owner, CURRENT)])) == 5
    assert len(await store.loose(owner)) == 1


async def test_an_owner_is_told_by_the_document_or_by_who_imports(store: Store) -> None:
    nobody = root()
    del nobody["agent_id"]
    assert "--owner" in await refused(store, nobody)
    assert "not of" in await refused(store, root(), OTHER)
    assert "owner" in await refused(store, {**nobody}, "x")
    await bring(store, nobody, OTHER)
    assert await store.owner_refs(PROVIDER.key) == [OwnerRef(PROVIDER.key, OTHER)]
    await bring(store, {**nobody, "_base_uri": "slcap://LibraryAPIv3", "category_id": CLOTHING})
    assert OwnerRef(PROVIDER.key, "library") in await store.owner_refs(PROVIDER.key)


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ([], None),
        ("x", None),
        ({"/elsewhere": {}}, None),
        (root(), "items"),
        ({**root(), "category_id": "x"}, None),
        ({**root(), "version": "x"}, None),
        ({**root(), "name": 5}, None),
        ({**root(), "type_default": -1}, None),
        ({**below(HATS), "parent_id": ZERO}, None),
        (holding(categories={HATS: {"category_id": HATS}}), None),
        ({**root(), "_embedded": {"items": {}}}, None),
        (holding(categories={HATS: below(HATS), "b": below(HATS)}), None),
        (holding(items={"a": thing(ROOT)}), None),
        (holding(items={"a": thing("x")}), None),
        (holding(items={"a": thing(HATS, flags=1 << 40)}), None),
        (holding(items={"a": thing(HATS, created_at="x")}), None),
        (holding(items={"a": thing(HATS, permissions=1)}), None),
        (holding(items={"a": thing(HATS, name="a\0b")}), None),
    ],
)
async def test_a_document_that_is_no_good_is_refused_whole(store: Store, payload: Any, kind: str | None) -> None:
    assert await refused(store, payload, AGENT, kind)


def test_what_is_nested_without_end_is_refused() -> None:
    deep: Any = root()
    for number in range(2_000):
        deep = {**below(f"11111111-0000-4000-8000-{number:012d}"), "_embedded": {"categories": {"x": deep}}}
    with pytest.raises(InvalidInput):
        list(archive.parse_record(None, deep, None))


def test_there_is_no_catalogue() -> None:
    with pytest.raises(InvalidInput):
        archive.family("items")


async def test_folders_nested_deeper_than_a_document_may_be_are_written_apart(store: Store) -> None:
    keys = [f"55555555-0000-4000-8000-{number:012d}" for number in range(150)]
    tree: Any = None
    for number, key in reversed([*enumerate(keys)]):
        folder = below(key, parent_id=keys[number - 1] if number else ROOT)
        inside = {} if tree is None else {tree["category_id"]: tree}
        folder["_embedded"] = {"items": {}, "links": {}, "categories": inside}
        tree = folder
    await bring(store, {**root(), "_embedded": {"items": {}, "links": {}, "categories": {keys[0]: tree}}})
    first = await exported(store)
    assert len(first) == 3
    for write, read in ((write_json, parse_json), (FORMAT.write, parse_llsd)):
        other = await Store.open("sqlite://", types=STORED)
        await other.migrate()
        await bring(other, read(write(first)))
        assert texts(await exported(other)) == texts(first)
        await other.aclose()


@pytest.mark.parametrize("form", ["json", "llsd"])
def test_the_commands_read_and_write_both_forms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, code: int = 0) -> Any:
        result = CliRunner().invoke(app, [*arguments], env={"GATEWAY_STORE__URL": f"sqlite:///{tmp_path}/store.db"})
        assert result.exit_code == code, result.output
        return result

    (tmp_path / "demo.json").write_bytes(orjson.dumps(DEMO))
    run("import", "secondlife", "demo.json")
    file = tmp_path / "export"
    file.write_bytes(run("export", "secondlife", "--owner", AGENT, "--format", form).stdout_bytes)
    (line,) = documents(file, formats=[FORMAT])
    assert line.fault is None
    assert {*cast("dict[str, Any]", line.payload)} == {TREE, LOOSE}
    assert "folder" in run("import", "secondlife", "export").stdout.replace("container", "folder")
    assert "json, llsd" in run("export", "secondlife", "--owner", AGENT, "--format", "yaml", code=2).stderr


def test_a_file_that_is_no_llsd_is_told(tmp_path: Path) -> None:
    file = tmp_path / "broken.xml"
    file.write_bytes(b"  <?xml version='1.0'?>\n<!DOCTYPE x>\n<llsd/>")
    (line,) = documents(file, formats=[FORMAT])
    assert line.fault is not None
    assert "document type" in line.fault


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**31), 2**31 - 1)
    | st.text(st.characters(codec="utf-8", exclude_categories=["C"]))
    | st.uuids(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdef_", max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(value=values)
def test_both_forms_say_what_they_were_told(value: Any) -> None:
    assert texts(parse_llsd(write_llsd(value))) == texts(value)
    assert parse_json(write_json(value)) == texts(value)


@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_are_malformed(data: bytes) -> None:
    for read in (parse_llsd, parse_json):
        encoded = b"<?xml version='1.0' encoding='" + data[:8] + b"'?><llsd/>"
        for text in (data, b"<llsd>" + data + b"</llsd>", encoded):
            with contextlib.suppress(Malformed):
                read(text)
