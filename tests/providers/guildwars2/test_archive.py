"""Import and export: every endpoint's document goes in and comes out whole, through a real store."""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncGenerator
from importlib import resources
from typing import Any

import orjson
import pytest

from gateway.files import Line
from gateway.importing import Report, import_documents
from gateway.model.errors import GatewayError, InvalidInput
from gateway.model.ids import DefinitionRef
from gateway.providers.guildwars2 import PROVIDER, archive
from gateway.providers.guildwars2.wire import render_definition
from gateway.store.store import Store
from tests.providers.guildwars2.payloads import CATALOGUE, OWNED, OWNER, REF, owned, rewritten, sample


@pytest.fixture
async def store() -> AsyncGenerator[Store]:
    found = Store("sqlite://", types=PROVIDER.types)
    await found.start()
    yield found
    await found.aclose()


async def bring(store: Store, payload: object, kind: str | None = None, owner: str | None = None) -> Report:
    lines = [("documents", [Line(1, payload)])]
    return await import_documents(store, PROVIDER.key, archive, lines, owner=owner, kind=kind, strict=False)


async def export(store: Store) -> dict[str, Any]:
    found = await store.owned(REF)
    assert found is not None
    # Through JSON, as to a file and back.
    return orjson.loads(orjson.dumps(dict(archive.render_export(found))))


async def catalogue(store: Store, kind: str) -> list[Any]:
    family = archive.family(kind)
    keys = await store.definition_keys(PROVIDER.key, family)
    found = await store.definitions([DefinitionRef(PROVIDER.key, key) for key in keys])
    entries = [found[DefinitionRef(PROVIDER.key, key)] for key in keys]
    assert not [entry for entry in entries if isinstance(entry, GatewayError)]
    return [render_definition(entry) for entry in entries if not isinstance(entry, GatewayError)]


# --- round trips ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OWNED)
async def test_a_document_of_an_account_comes_out_as_it_went_in(store: Store, name: str) -> None:
    """Unknown keys and words too. Behaviour 20."""
    report = await bring(store, sample(name), OWNED[name], OWNER)
    assert report.rejected == []
    assert (await export(store))[f"/v2/{OWNED[name]}"] == rewritten(name)


@pytest.mark.parametrize("name", CATALOGUE)
async def test_a_document_of_the_catalogue_comes_out_as_it_went_in(store: Store, name: str) -> None:
    report = await bring(store, sample(name), CATALOGUE[name])
    assert report.rejected == []
    by_id = {entry["id"]: entry for entry in rewritten(name)}
    assert await catalogue(store, CATALOGUE[name]) == [by_id[number] for number in sorted(by_id)]


async def filled(store: Store) -> None:
    for name in ("account", "characters", "character", "inventory_odd", "character_oldest", "bank", "shared"):
        await bring(store, sample(name), OWNED[name], OWNER)
    await bring(store, sample("account_materials"), OWNED["account_materials"], OWNER)


async def test_an_export_imported_elsewhere_is_exported_as_equal_json(store: Store) -> None:
    """Behaviour 32."""
    await filled(store)
    once = await export(store)
    other = Store("sqlite://", types=PROVIDER.types)
    await other.start()
    try:
        report = await bring(other, once)
        assert report.rejected == []
        again = await export(other)
    finally:
        await other.aclose()
    assert orjson.dumps(again) == orjson.dumps(once)


async def test_an_export_holds_every_word_that_was_imported(store: Store) -> None:
    await filled(store)
    text = orjson.dumps(await export(store)).decode()
    for name in ("account", "characters", "character", "inventory_odd", "bank", "shared", "account_materials"):
        for word in words(sample(name)):
            assert word in text, (name, word)


def words(value: Any) -> set[str]:
    match value:
        case dict():
            return {f'"{name}"' for name in value}.union(*map(words, value.values()))  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] -- JSON
        case list():
            return set[str]().union(*map(words, value))  # pyright: ignore[reportUnknownArgumentType] -- JSON
        case _:
            return set() if value is None else {orjson.dumps(value).decode()}


async def test_the_demo_comes_out_as_it_went_in(store: Store) -> None:
    documents = orjson.loads((resources.files(PROVIDER.demo) / "demo.json").read_bytes())
    assert (await bring(store, documents)).rejected == []
    out = await export(store)
    for path, document in documents.items():
        kind = path.removeprefix("/v2/")
        if kind in CATALOGUE:
            by_id = {entry["id"]: entry for entry in document}
            assert await catalogue(store, kind) == [by_id[number] for number in sorted(by_id)]
        elif kind == "account/materials":
            assert out[path] == sorted(document, key=lambda entry: (entry["category"], entry["id"]))
        else:
            assert out[path] == document, path


async def test_a_second_import_replaces_what_was_in_the_container(store: Store) -> None:
    await bring(store, sample("inventory_odd"), OWNED["inventory_odd"], OWNER)
    await bring(store, sample("inventory"), OWNED["inventory"], OWNER)
    assert (await export(store))["/v2/characters/Test Nâme/inventory"] == sample("inventory")
    await bring(store, sample("bank"), OWNED["bank"], OWNER)
    await bring(store, [None, {"id": 1, "count": 2}], OWNED["bank"], OWNER)
    assert (await export(store))["/v2/account/bank"] == [None, {"id": 1, "count": 2}]


async def test_an_empty_account_has_all_its_storage(store: Store) -> None:
    await bring(store, sample("account"))
    assert await export(store) == {
        "/v2/account": sample("account"),
        "/v2/characters": [],
        "/v2/account/bank": [],
        "/v2/account/inventory": [],
        "/v2/account/materials": [],
    }


async def test_a_summary_brings_the_bags_that_are_in_it(store: Store) -> None:
    await bring(store, sample("character_oldest"), owner=OWNER)
    out = await export(store)
    assert out["/v2/characters/Second Hero/inventory"] == {"bags": sample("character_oldest")["bags"]}
    assert "bags" not in out["/v2/characters/Second Hero"]


async def test_a_summary_without_bags_leaves_those_that_are_there(store: Store) -> None:
    await bring(store, sample("inventory"), OWNED["inventory"], OWNER)
    await bring(store, sample("character"), owner=OWNER)
    out = await export(store)
    assert out["/v2/characters/Test Nâme/inventory"] == sample("inventory")
    assert out["/v2/characters/Test Nâme"] == sample("character")


async def test_a_name_is_one_however_its_accents_are_written(store: Store) -> None:
    apart = unicodedata.normalize("NFD", "Test Nâme")
    await bring(store, sample("characters"), "characters", OWNER)
    await bring(store, [apart], "characters", OWNER)
    await bring(store, sample("inventory"), f"characters/{apart}/inventory", OWNER)
    await bring(store, {**sample("character"), "name": apart}, f"characters/{apart}", OWNER)
    out = await export(store)
    assert out["/v2/characters"] == sorted(sample("characters"))
    assert out["/v2/characters/Test Nâme/inventory"] == sample("inventory")
    assert out["/v2/characters/Test Nâme"]["name"] == "Test Nâme"


# --- which document it is ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("items", None),
        ("skins", None),
        ("itemstats", None),
        ("colors", None),
        ("materials", None),
        ("account", "/v2/account"),
        ("account_oldest", "/v2/account"),
        ("account_materials", "/v2/account/materials"),
        ("character", "/v2/characters/Test Nâme"),
        ("character_oldest", "/v2/characters/Second Hero"),
    ],
)
async def test_the_shape_tells_which_document_it_is(store: Store, name: str, path: str | None) -> None:
    assert (await bring(store, sample(name), None, OWNER)).rejected == []
    if path is None:
        assert await catalogue(store, CATALOGUE[name])
    else:
        assert path in await export(store)


@pytest.mark.parametrize("name", ["inventory", "bank", "shared", "characters"])
@pytest.mark.parametrize("nothing", [False, True])
def test_a_shape_that_does_not_tell_asks_for_the_kind(name: str, *, nothing: bool) -> None:
    with pytest.raises(InvalidInput, match="--kind"):
        list(archive.parse_record(None, [] if nothing else sample(name), OWNER))


@pytest.mark.parametrize("kind", ["items", "/items", "v2/items", "/v2/items", "/v2/items/"])
def test_a_kind_is_an_endpoints_path_however_it_is_written(kind: str) -> None:
    assert len(list(archive.parse_record(kind, sample("items"), None))) == len(sample("items"))
    assert archive.family(kind) == "item"
    assert archive.splits(kind, sample("items"))


def test_only_lists_of_the_catalogue_stand_or_fall_entry_by_entry() -> None:
    assert archive.splits(None, sample("items"))
    assert archive.splits("colors", [])
    assert not archive.splits("account/bank", sample("bank"))
    assert not archive.splits("items", sample("items")[0])


async def test_a_bad_entry_of_the_catalogue_is_left_out_alone(store: Store) -> None:
    entries = sample("items")
    report = await bring(store, [entries[0], {**entries[1], "id": -1}, {"id": 3}, entries[2]], "items")
    assert [reason for _, _, reason in report.rejected] == [
        "Expected `int` >= 0 - at `$.id`",
        "Object missing required field `name`",
    ]
    assert len(await catalogue(store, "items")) == 2


# --- what is refused --------------------------------------------------------------------------------------------------


def refused(kind: str | None, payload: object, owner: str | None = OWNER) -> str:
    with pytest.raises(InvalidInput) as caught:
        list(archive.parse_record(kind, payload, owner))
    return caught.value.message


def test_another_accounts_document_is_refused() -> None:
    assert "'Tester.1234', not 'Other.5678'" in refused("account", sample("account"), "Other.5678")
    assert "not 'Other.5678'" in refused(None, {"/v2/account": sample("account")}, "Other.5678")


@pytest.mark.parametrize("kind", [kind for kind in OWNED.values() if kind != "account"])
def test_whose_a_document_is_must_be_told_where_it_does_not_say(kind: str) -> None:
    assert "--owner" in refused(kind, [], None)


@pytest.mark.parametrize("owner", ["", "Tester", "a/b.1234"])
def test_an_owner_that_cannot_be_one_is_refused(owner: str) -> None:
    assert "account name" in refused("account/bank", [], owner)
    assert "account name" in refused("account", {**sample("account"), "name": owner}, None)


def test_another_characters_document_is_refused() -> None:
    assert "not 'Second Hero'" in refused("characters/Second Hero", sample("character"))


@pytest.mark.parametrize("name", ["a/b", "", "x" * 65, "a\x00", "a\\b"])
def test_a_character_that_cannot_be_one_is_refused(name: str) -> None:
    refused("characters", ["Ann", name])


@pytest.mark.parametrize("name", ["tokeninfo", "tokeninfo_subtoken"])
@pytest.mark.parametrize("kind", ["tokeninfo", None])
def test_a_key_of_the_service_is_never_imported(name: str, kind: str | None) -> None:
    assert "credential create" in refused(kind, sample(name))


@pytest.mark.parametrize("kind", ["v2.json", "account/wallet", "characters/A/equipment", "characters//inventory", "x"])
def test_an_endpoint_that_is_not_known_is_refused(kind: str) -> None:
    assert "is not an endpoint" in refused(kind, {})


def test_only_the_catalogue_has_families() -> None:
    with pytest.raises(InvalidInput, match="no part of the catalogue"):
        archive.family("account/bank")


MALFORMED: list[tuple[str | None, Any]] = [
    ("account", []),
    ("account", {"id": "x"}),
    ("account", {"id": "x", "name": "A.1234", "created": "yesterday"}),
    ("characters", {"a": 1}),
    ("characters", [1]),
    ("characters/A", {"name": "A", "level": "high"}),
    ("characters/A/inventory", []),
    ("characters/A/inventory", {"bags": 1}),
    ("characters/A/inventory", {"bags": [{"id": 1, "size": 10**9, "inventory": []}]}),
    ("characters/A/inventory", {"bags": [{"id": 1, "size": 1, "inventory": [1]}]}),
    ("account/bank", {"id": 1}),
    ("account/bank", [[]]),
    ("account/bank", [None] * 10_001),
    ("account/materials", [None]),
    ("account/materials", [{"id": 1, "category": -1, "count": 1}]),
    ("items", [{"id": 1}]),
    ("items", "text"),
    ("items", None),
    ("items", 5),
    (None, None),
    (None, "text"),
    (None, {}),
    (None, {"/v2/account": []}),
    (None, {"/v2/account": None, "/v2/what": 1}),
]


@pytest.mark.parametrize(("kind", "payload"), MALFORMED)
def test_a_malformed_document_is_invalid_input(kind: str | None, payload: object) -> None:
    refused(kind, payload, "A.1234")


def test_what_is_read_names_every_part_by_its_place() -> None:
    found = owned("characters/Test Nâme/inventory", sample("inventory"))
    assert [entry.key for entry in found.containers] == [
        "character:Test Nâme",
        "character:Test Nâme/0",
        "character:Test Nâme/2",
        "bank",
        "shared",
        "materials",
    ]
    assert [item.key.removeprefix("character:Test Nâme/") for item in found.items] == ["0/0", "0/1", "0/3", "2/0"]
