"""Payloads: what is read is written again, whatever it holds; what is no payload is refused without showing it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect

from gateway.model.errors import UpstreamInvalid
from gateway.providers.guildwars2 import rules, wire
from gateway.providers.guildwars2.catalogue import ENDPOINTS
from gateway.providers.guildwars2.types import CharacterContents, GuildWars2Item
from gateway.providers.leftovers import leftover, merged
from tests.providers.guildwars2.payloads import CANONICAL, CATALOGUE, FOLDER, OTHERS, OWNED, REF, raw, rewritten, sample

# --- the samples ------------------------------------------------------------------------------------------------------

SHAPES: dict[str, Any] = {
    "characters": list[str],
    "character": wire.WireCharacter,
    "character_oldest": wire.WireCharacter,
    **dict.fromkeys([name for name in OWNED if name.startswith("inventory")], wire.WireInventory),
    "bank": list[wire.WireItem | None],
    "shared": list[wire.WireItem | None],
    "account_materials": list[wire.WireMaterial],
    "account": wire.WireAccount,
    "account_oldest": wire.WireAccount,
    "tokeninfo": wire.WireToken,
    "tokeninfo_classic": wire.WireToken,
    "tokeninfo_subtoken": wire.WireToken,
    "items": list[wire.WireItemDefinition],
    "items_older": list[wire.WireItemDefinition],
    "skins": list[wire.WireSkin],
    "itemstats": list[wire.WireItemStat],
    "itemstats_older": list[wire.WireItemStat],
    "colors": list[wire.WireColor],
    "materials": list[wire.WireMaterialCategory],
}


def test_every_sample_is_named_and_has_its_source_told() -> None:
    names = {path.stem for path in FOLDER.glob("*.json")}
    assert names == {*OWNED, *CATALOGUE, *OTHERS}
    told = (FOLDER / "README.md").read_text()
    assert [name for name in names if f"| `{name}.json` |" not in told] == []


@pytest.mark.parametrize("name", [*CANONICAL[1:], "items", "skins", "itemstats", "colors", "materials"])
def test_a_sample_is_written_as_it_was_read_with_unknown_words_and_keys_at_every_level(name: str) -> None:
    """Behaviour 20. Behaviour 2."""
    assert rewritten(name) == sample(name)


def test_the_list_of_characters_is_written_in_natural_order() -> None:
    assert rewritten("characters") == sorted(sample("characters"))


def test_the_documents_own_example_is_written_as_it_was_read() -> None:
    assert rewritten("inventory_document") == sample("inventory_document")


@pytest.mark.parametrize("name", ["tokeninfo", "tokeninfo_classic", "tokeninfo_subtoken"])
def test_what_is_told_about_a_key_is_written_as_it_was_read(name: str) -> None:
    """Behaviour 30."""
    assert wire.render_token(wire.parse_token(wire.decode(raw(name), wire.WireToken))) == sample(name)


def test_slots_that_an_answer_leaves_out_are_filled_up_and_more_than_the_size_are_kept() -> None:
    assert rewritten("inventory_short") == {
        "bags": [
            {"id": 87225, "size": 6, "inventory": [{"id": 12134, "count": 7}, None, None, None, None, None]},
            {
                "id": 8932,
                "size": 4,
                "inventory": [None, {"id": 12135, "count": 2}, {"id": 19670, "count": 1}, None],
            },
        ]
    }


def test_what_is_read_forgivingly_is_written_strictly() -> None:
    """Behaviour 19: `bound_to` without `Character` is ignored. Old and new names of attributes are one."""
    assert rewritten("inventory_loose")["bags"][0]["inventory"] == [
        {
            "id": 78963,
            "count": 1,
            "stats": {
                "id": 161,
                "attributes": {
                    "ConditionDamage": 63,
                    "ConditionDuration": 40,
                    "BoonDuration": 41,
                    "Healing": 42,
                    "CritDamage": 43,
                },
            },
            "binding": "Account",
        },
        {"id": 12134, "count": 7},
    ]


def test_attributes_of_any_name_and_amount_come_through() -> None:
    """Behaviour 16."""
    stats = rewritten("inventory_odd")["bags"][1]["inventory"][0]["stats"]["attributes"]
    assert stats == {"Power": 125.5, "AgonyResistance": 9, "LuckOfTheDraw": 3}
    assert "CritDamage" in rewritten("inventory")["bags"][2]["inventory"][0]["stats"]["attributes"]


def test_an_item_of_an_older_schema_is_written_in_the_newest() -> None:
    old, ring = rewritten("items_older")
    assert old["details"]["secondary_suffix_item_id"] == 24618
    assert ring["details"] == {"type": "Ring", "infusion_slots": [], "engraved": True}
    assert ring["chat_link"] == "[&AgErIwAA]"


@pytest.mark.parametrize("text", ["x", "-1", "99999999999", "9" * 5000, "²"])
def test_a_second_suffix_that_is_no_id_is_none(text: str) -> None:
    document = {**sample("items_older")[0], "details": {"secondary_suffix_item_id": text}}
    found = wire.parse_definition(wire.decode(orjson.dumps(document), wire.WireItemDefinition))
    assert found.details is not None
    assert found.details.secondary_suffix_item_id is None


def test_an_attribute_combination_of_the_first_sketch_is_written_as_a_list() -> None:
    assert rewritten("itemstats_older")[0]["attributes"] == [
        {"attribute": "Power", "multiplier": 0.35, "value": 0},
        {"attribute": "CritDamage", "multiplier": 0.25, "value": 0},
    ]


def test_an_account_of_the_oldest_schema_is_written_in_the_newest() -> None:
    expected = sample("account_oldest")
    expected["wvw"] = {"rank": expected.pop("wvw_rank")}
    assert rewritten("account_oldest") == expected


def test_a_character_of_the_oldest_schema_keeps_what_newer_ones_lack_but_no_nulls() -> None:
    expected = sample("character_oldest")
    del expected["guild"], expected["bags"]
    assert rewritten("character_oldest") == expected


@pytest.mark.parametrize(
    ("number", "link"), [(87225, "[&AgG5VAEA]"), (0, "[&AgEAAAAA]"), ((1 << 24) - 1, "[&AgH///8A]"), (1 << 24, "")]
)
def test_the_chat_link_is_worked_out_where_it_is_missing(number: int, link: str) -> None:
    document = {key: value for key, value in sample("items")[0].items() if key != "chat_link"}
    read = wire.decode(orjson.dumps({**document, "id": number}), wire.WireItemDefinition)
    assert wire.render_definition(wire.parse_definition(read))["chat_link"] == link


# --- anything -------------------------------------------------------------------------------------------------------

TIMES = st.datetimes(min_value=datetime(2012, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001 -- hypothesis wants them so
    lambda moment: moment.isoformat().replace("+00:00", "Z")
)

FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "created": TIMES,
    "last_modified": TIMES,
    "issued_at": TIMES,
    "expires_at": TIMES,
    "chat_link": st.text(min_size=1),
    # Of what older schemas wrote otherwise, the newest form; the samples have the others.
    "secondary_suffix_item_id": st.integers(0, 2**31 - 1),
    "wvw_rank": st.none(),
    # Without `Character` it is left out.
    "bound_to": st.none(),
}
"""What fields of these names hold, beyond what their type says."""


def payload_of(shape: inspect.Type, name: str = "") -> st.SearchStrategy[Any]:
    """Make payloads of a shape."""
    if name in FIELDS:
        return FIELDS[name]
    match shape:
        case inspect.StructType():
            required = {f.encode_name: payload_of(f.type, f.name) for f in shape.fields if f.required}
            optional = {f.encode_name: payload_of(f.type, f.name) for f in shape.fields if not f.required}
            if shape.cls is wire.WireItemStat:
                required["attributes"] = st.lists(payload_of(inspect.type_info(wire.WireStatAttribute)), max_size=3)
            if shape.cls in (wire.WireItemDefinition, wire.WireColor):
                # What is always there, but can be done without.
                always = "chat_link" if shape.cls is wire.WireItemDefinition else "categories"
                required[always] = optional.pop(always).filter(lambda value: value is not None)
            return st.fixed_dictionaries(required, optional=optional)
        case inspect.ListType():
            return st.lists(payload_of(shape.item_type), max_size=4)
        case inspect.DictType():
            return st.dictionaries(st.text("abcXYZ", min_size=1), payload_of(shape.value_type), max_size=3)
        case inspect.UnionType():
            return st.one_of([payload_of(part) for part in shape.types])
        case inspect.IntType():
            return st.integers(shape.ge, shape.le)
        case inspect.FloatType():
            return st.floats(allow_nan=False, allow_infinity=False)
        case inspect.StrType():
            return st.text(max_size=5)
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case _:
            raise TypeError(shape)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        known = cast("dict[str, Any]", value)
        return {name: without_nulls(part) for name, part in known.items() if part is not None}
    return [without_nulls(part) for part in cast("list[Any]", value)] if isinstance(value, list) else value


def filled(payload: Any, shape: Any) -> Any:
    """Give a payload as it is written: without nulls, and with the empty lists that are always there."""
    return without_nulls(msgspec.to_builtins(wire.decode(json.dumps(payload).encode(), shape)))


@settings(max_examples=60, deadline=None, derandomize=True)
@pytest.mark.parametrize("family", ENDPOINTS)
@given(data=st.data())
def test_any_entry_of_the_catalogue_is_written_as_it_was_read(family: str, data: st.DataObject) -> None:
    endpoint = ENDPOINTS[family]
    payload = data.draw(payload_of(inspect.type_info(endpoint.shape)))
    read = wire.decode(json.dumps(payload).encode(), endpoint.shape)
    assert wire.render_definition(endpoint.parse(read)) == filled(payload, endpoint.shape)


@settings(max_examples=60, deadline=None, derandomize=True)
@pytest.mark.parametrize(
    ("shape", "parse", "render"),
    [
        (wire.WireAccount, wire.parse_account, wire.render_account),
        (wire.WireCharacter, wire.parse_character, wire.render_character),
        (wire.WireToken, wire.parse_token, wire.render_token),
    ],
    ids=["account", "character", "tokeninfo"],
)
@given(data=st.data())
def test_any_document_about_an_account_is_written_as_it_was_read(
    shape: Any, parse: Callable[[Any], Any], render: Callable[[Any], Any], data: st.DataObject
) -> None:
    payload = data.draw(payload_of(inspect.type_info(shape)))
    assert render(parse(wire.decode(json.dumps(payload).encode(), shape))) == filled(payload, shape)


ITEMS = payload_of(inspect.type_info(wire.WireItem)).flatmap(
    lambda item: (
        st.just(item) | st.text(max_size=5).map(lambda name: {**item, "binding": "Character", "bound_to": name})
    )
)
PLACES = st.lists(st.none() | ITEMS, max_size=5)
BAGS = st.lists(
    st.none()
    | st.fixed_dictionaries({"id": st.integers(0, 2**31 - 1), "size": st.integers(0, 7), "inventory": PLACES}),
    max_size=4,
)


def as_written(places: list[Any], size: int = 0) -> list[Any]:
    written = [None if item is None else {"count": 1, **without_nulls(item)} for item in places]
    return written + [None] * (size - len(written))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(bags=BAGS)
def test_any_inventory_is_written_as_it_was_read_each_bag_and_stack_at_its_place(bags: list[Any]) -> None:
    """Behaviour 1. Behaviour 2. Behaviour 3."""
    read = wire.decode(json.dumps({"bags": bags}).encode(), wire.WireInventory)
    held = wire.parse_inventory(read, REF, "Test Nâme")
    laid = rules.contents(held.container, held.children, held.items)
    assert isinstance(laid, CharacterContents)
    sizes = [0 if bag is None else max(bag["size"], len(bag["inventory"])) for bag in bags]
    assert wire.render_inventory(laid) == {
        "bags": [
            bag and {"id": bag["id"], "size": size, "inventory": as_written(bag["inventory"], size)}
            for bag, size in zip(bags, sizes, strict=True)
        ]
    }
    stacks = sum(1 for bag in bags if bag for item in bag["inventory"] if item)
    assert (laid.capacity, laid.free_slots) == (sum(sizes), sum(sizes) - stacks)
    assert len({item.id for item in held.items}) == len(held.items) == stacks


@settings(max_examples=60, deadline=None, derandomize=True)
@given(places=PLACES)
def test_any_bank_is_written_as_it_was_read(places: list[Any]) -> None:
    held = wire.parse_slots(wire.decode(json.dumps(places).encode(), list[wire.WireItem | None]), REF, "bank")
    assert wire.render_slots(rules.contents(held.container, (), held.items).slots or []) == as_written(places)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(entries=st.lists(payload_of(inspect.type_info(wire.WireMaterial)), max_size=4))
def test_any_material_storage_is_written_as_it_was_read(entries: list[Any]) -> None:
    held = wire.parse_materials(wire.decode(json.dumps(entries).encode(), list[wire.WireMaterial]), REF)
    assert [wire.render_material(cast("GuildWars2Item", item)) for item in held.items] == without_nulls(entries)


# --- what the contract does not know --------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text("abc[]", max_size=2), part, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text("abc[]", max_size=2), JSON, max_size=4)


@st.composite
def known_part(draw: st.DrawFn, read: Any) -> Any:
    """Write some of what was read: keys may be missing at any level, entries of lists may not."""
    if isinstance(read, dict):
        known = cast("dict[str, Any]", read)
        return {name: draw(known_part(part)) for name, part in known.items() if draw(st.booleans())}
    return [draw(known_part(part)) for part in cast("list[Any]", read)] if isinstance(read, list) else read


def minus_nulls(read: Any, written: Any) -> Any:
    """Leave out the nulls that a rendering leaves out, but none of what the contract does not know."""
    if isinstance(read, dict):
        known = cast("dict[str, Any]", read)
        return {
            name: minus_nulls(part, written[name]) if name in written else part
            for name, part in known.items()
            if name in written or part is not None
        }
    if isinstance(read, list):
        pairs = zip(cast("list[Any]", read), written, strict=True)
        return [minus_nulls(part, other) for part, other in pairs]
    return read


@settings(max_examples=300, deadline=None, derandomize=True)
@given(data=st.data(), read=OBJECTS)
def test_what_is_left_over_put_back_gives_what_was_read(data: st.DataObject, read: dict[str, Any]) -> None:
    written = data.draw(known_part(read))
    assert merged(written, leftover(read, written)) == minus_nulls(read, written)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(read=OBJECTS)
def test_nothing_is_left_over_of_what_is_written_whole(read: dict[str, Any]) -> None:
    assert leftover(read, read) is None
    assert merged(read, None) == read


@settings(max_examples=100, deadline=None, derandomize=True)
@given(read=OBJECTS, written=OBJECTS)
def test_what_is_written_is_never_changed_by_what_is_left_over(read: dict[str, Any], written: dict[str, Any]) -> None:
    assert holds(merged(written, leftover(read, written)), written)


def holds(whole: Any, written: Any) -> bool:
    """Tell whether all that is written is in the whole, as it is and where it is."""
    if isinstance(written, dict):
        known = cast("dict[str, Any]", written)
        return isinstance(whole, dict) and all(name in whole and holds(whole[name], known[name]) for name in known)
    if isinstance(written, list):
        return isinstance(whole, list) and all(map(holds, cast("list[Any]", whole), cast("list[Any]", written)))
    return type(whole) is type(written) and whole == written


# --- what is no payload -----------------------------------------------------------------------------------------------

SECRET = "SeCrEt"


@pytest.mark.parametrize("name", SHAPES)
def test_a_cut_off_answer_is_refused(name: str) -> None:
    data = raw(name).rstrip()
    for end in range(0, len(data), max(1, len(data) // 97)):
        with pytest.raises(UpstreamInvalid, match="not in its format"):
            wire.decode(data[:end], SHAPES[name])


def spoilt(value: Any, bad: Any) -> Iterator[Any]:
    """Put something bad in the place of each part in turn."""
    yield bad
    if isinstance(value, dict):
        known = cast("dict[str, Any]", value)
        for name, part in known.items():
            for other in spoilt(part, bad):
                yield {**known, name: other}
    elif isinstance(value, list):
        parts = cast("list[Any]", value)
        for index, part in enumerate(parts):
            for other in spoilt(part, bad):
                yield [*parts[:index], other, *parts[index + 1 :]]


@pytest.mark.parametrize("bad", [SECRET, {SECRET: [SECRET]}, [[SECRET]], -(2**70), 1.5], ids=str)
@pytest.mark.parametrize("name", ["inventory", "items", "skins", "itemstats", "account", "character", "tokeninfo"])
def test_an_answer_of_another_shape_is_refused_without_showing_a_value(name: str, bad: Any) -> None:
    told = [text for document in spoilt(sample(name), bad) if (text := refusal(document, SHAPES[name])) is not None]
    assert len(told) > 1
    assert [text for text in told if SECRET in text or str(2**70) in text] == []


def refusal(document: Any, shape: Any) -> str | None:
    try:
        wire.decode(json.dumps(document).encode(), shape)
    except UpstreamInvalid as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>SeCrEt</html>",
        b"\xff\xfe",
        b'{"bags":["\xff"]}',
        b'{"bags":NaN}',
        b"[" * 100_000,
        b"{}",
        b"null",
        b'{"bags":[{"id":1,"size":2000000000,"inventory":[]}]}',
        b'{"bags":[' + b"null," * 1000 + b"null]}",
    ],
    ids=range(10),
)
def test_what_is_no_inventory_is_refused(data: bytes) -> None:
    with pytest.raises(UpstreamInvalid) as caught:
        wire.decode(data, wire.WireInventory)
    assert SECRET not in str(caught.value)


def test_a_bank_beyond_all_bounds_is_refused() -> None:
    with pytest.raises(UpstreamInvalid):
        wire.parse_slots([None] * (wire.MOST_SLOTS + 1), REF, "bank")


@pytest.mark.parametrize("time", ["SeCrEt", "2025-01-01", "2025-01-01T10:00:00", "0001-01-01T00:00:00+23:59"])
def test_a_time_that_is_none_is_refused(time: str) -> None:
    read = wire.decode(json.dumps({**sample("account"), "created": time}).encode(), wire.WireAccount)
    with pytest.raises(UpstreamInvalid) as caught:
        wire.parse_account(read)
    assert time not in str(caught.value)


def test_a_number_beyond_what_json_writers_write_is_kept_as_it_is() -> None:
    document = {"id": 1, "attributes": {"Power": 1e300}}
    item = sample("inventory")["bags"][2]["inventory"][0] | {"stats": document}
    held = wire.parse_slots(wire.decode(json.dumps([item]).encode(), list[wire.WireItem | None]), REF, "bank")
    rendered = wire.render_item(cast("GuildWars2Item", held.items[0]))
    assert orjson.loads(orjson.dumps(rendered))["stats"] == document
