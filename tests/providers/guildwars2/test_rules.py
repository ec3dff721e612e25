"""What the game allows: keys, how things lie together, scopes, and the keys of an account."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import orjson
import pytest
from joserfc import jws

from gateway.model.errors import InvalidInput
from gateway.model.ids import ContainerRef
from gateway.model.ports import Holdings, Wanted
from gateway.providers.guildwars2 import rules, wire
from gateway.providers.guildwars2.manifest import MANIFEST
from gateway.providers.guildwars2.types import CharacterContents, GuildWars2Account, GuildWars2Item, GuildWars2Token
from tests.gateways import NOW
from tests.providers.guildwars2.payloads import REF, raw, sample

# --- keys -------------------------------------------------------------------------------------------------------------

GOOD: dict[Callable[[str], None], tuple[str, ...]] = {
    rules.check_owner: ("Tester.1234", "Test Nâme.0000", "a.b.1234", "Ünï cödé.9999"),
    rules.check_container: (
        *("bank", "shared", "materials", "materials/5", "materials/0"),
        *("character:Test Nâme", "character:Test Nâme/0", "character:A:b/12", "character:.."),
    ),
    rules.check_item: ("bank/0", "shared/12", "character:Test Nâme/0/31", "materials/5/12134"),
    rules.check_definition: ("item:0", "item:9999999999", "skin:1", "stat:2", "color:3", "material:4"),
}
BAD: dict[Callable[[str], None], tuple[str, ...]] = {
    rules.check_owner: (
        *("", "Tester", "Tester.123", "Tester.12345", "Tester.١٢٣٤", ".1234", "a/b.1234", "a\\b.1234"),
        *("a\nb.1234", "Tester.1234\n", "x" * 65 + ".1234", "me"),
    ),
    rules.check_container: (
        *("", "Bank", "bank/0", "materials/", "materials/x", "materials/05", "materials/-1", "materials/1234567"),
        *("character:", "character:/0", "character:A/", "character:A/x", "character:A/00", "character:A/007"),
        *("character:A/1000", "character:A/0/0", "character:A\x00", "character:A\\", "bank\n", "character:" + "x" * 65),
    ),
    rules.check_item: (
        *("", "bank", "bank/", "bank/01", "bank/x", "bank/1234567", "character:A/0", "character:A/00/0"),
        *("character:A/0/00", "materials/5", "materials/5/x", "materials/05/1", "bank/0\n"),
    ),
    rules.check_definition: (
        *("", "item", "item:", "item:x", "item:-1", "item:01", "item:12345678901", "items:1"),
        *("ITEM:1", "item:1\n", "item:١"),
    ),
}


@pytest.mark.parametrize(("check", "key"), [(check, key) for check, keys in GOOD.items() for key in keys])
def test_a_key_of_the_game_passes(check: Callable[[str], None], key: str) -> None:
    check(key)


@pytest.mark.parametrize(("check", "key"), [(check, key) for check, keys in BAD.items() for key in keys])
def test_any_other_key_is_invalid_input_that_does_not_repeat_it(check: Callable[[str], None], key: str) -> None:
    with pytest.raises(InvalidInput, match="not a key of Guild Wars 2") as caught:
        check(key)
    assert len(key) < 12 or key not in caught.value.message


# --- how things lie together ------------------------------------------------------------------------------------------


def held(name: str) -> Holdings:
    return wire.parse_inventory(wire.decode(raw(name), wire.WireInventory), REF, "Test Nâme")


def carried(name: str) -> CharacterContents:
    found = held(name)
    laid = rules.contents(found.container, found.children, found.items)
    assert isinstance(laid, CharacterContents)
    return laid


def stack(document: dict[str, Any]) -> GuildWars2Item:
    read = wire.decode(orjson.dumps([document]), list[wire.WireItem | None])
    return cast("GuildWars2Item", wire.parse_slots(read, REF, "bank").items[0])


def test_an_empty_bag_slot_keeps_its_place_and_only_real_bags_count_as_capacity() -> None:
    """Behaviour 1."""
    laid = carried("inventory")
    assert [place.index for place in laid.bag_slots] == [0, 1, 2, 3]
    assert [place.bag and place.bag.key for place in laid.bag_slots] == [
        "character:Test Nâme/0",
        None,
        "character:Test Nâme/2",
        None,
    ]
    assert laid.capacity == 6


def test_empty_bag_slots_at_the_end_are_kept() -> None:
    """Behaviour 2."""
    bags: list[Any] = [*[{"id": 8932, "size": 4, "inventory": []}] * 5, None]
    read = wire.decode(orjson.dumps({"bags": bags}), wire.WireInventory)
    found = wire.parse_inventory(read, REF, "X")
    laid = cast("CharacterContents", rules.contents(found.container, found.children, found.items))
    assert [place.bag is None for place in laid.bag_slots] == [False] * 5 + [True]


def test_empty_slots_keep_their_index_and_are_free() -> None:
    """Behaviour 3."""
    laid = carried("inventory")
    bag = laid.bag_slots[0].bag
    assert bag is not None
    assert [slot.item and slot.item.definition_key for slot in bag.slots or []] == [
        "item:46735",
        "item:23041",
        None,
        "item:71836",
    ]
    assert (bag.capacity, bag.free_slots, laid.free_slots) == (4, 1, 2)


def test_every_stack_of_one_item_has_an_id_of_its_own() -> None:
    """Behaviour 4."""
    dust = [item for item in held("inventory_document").items if item.definition_key == "item:46735"]
    assert [item.quantity for item in dust] == [250, 250, 180]
    assert len({item.id for item in dust}) == 3


def filled(item: GuildWars2Item) -> list[int] | None:
    # A computed field is a method, until the graph shows it.
    return cast("Any", item).upgrade_slot_indices()


def test_an_upgrade_fills_the_slot_that_is_named_or_the_first_ones() -> None:
    """Behaviour 17."""
    named = stack({"id": 1, "count": 1, "upgrades": [24613], "upgrade_slot_indices": [1]})
    assert (named.upgrade_ids, filled(named)) == ([24613], [1])
    assert filled(stack({"id": 1, "count": 1, "upgrades": [24613]})) == [0]
    assert filled(stack({"id": 1, "count": 1, "upgrades": [24613, 24613]})) == [0, 1]
    assert filled(stack({"id": 1, "count": 1})) is None


def test_null_and_colour_one_are_undyed_and_the_list_stays_as_it_came() -> None:
    """Behaviour 18."""
    item = stack({"id": 1, "count": 1, "dyes": [6, None, 453, 1]})
    assert item.dye_ids == [6, None, 453, 1]
    assert [ref and ref.key for ref in item.dye_refs or []] == ["color:6", None, "color:453", None]


@pytest.mark.parametrize(
    ("told", "binding", "bound_to"),
    [
        ({}, None, None),
        ({"binding": "Account"}, "Account", None),
        ({"binding": "Account", "bound_to": "Ann"}, "Account", None),
        ({"bound_to": "Ann"}, None, None),
        ({"binding": "Character", "bound_to": "Ann"}, "Character", "Ann"),
        ({"binding": "Guild", "bound_to": "Ann"}, "Guild", None),
    ],
)
def test_whom_a_stack_is_bound_to_counts_only_with_character(
    told: dict[str, str], binding: str | None, bound_to: str | None
) -> None:
    """Behaviour 19."""
    item = stack({"id": 1, "count": 1, **told})
    assert (item.binding, item.bound_to) == (binding, bound_to)


def test_the_version_changes_with_the_content_and_only_with_it() -> None:
    once, again = carried("inventory"), carried("inventory")
    assert once.version == again.version
    other = held("inventory")
    cast("GuildWars2Item", other.items[1]).charges = 16
    changed = rules.contents(other.container, other.children, other.items)
    assert changed.version != once.version
    shorter = held("inventory")
    shorter.items.pop()
    assert rules.contents(shorter.container, shorter.children, shorter.items).version != once.version


def test_sections_of_the_material_storage_have_no_slots_and_legal_stacks_beyond_a_bags() -> None:
    """Behaviour 28."""
    read = wire.decode(raw("account_materials"), list[wire.WireMaterial])
    found = wire.parse_materials(read, REF)
    laid = rules.contents(found.children[1], (), found.items)
    assert laid.container.ref == ContainerRef(*REF, "materials/6")
    assert (laid.capacity, laid.free_slots, laid.slots) == (None, None, None)
    assert [item.quantity for item in laid.items] == [750, 2]


# --- scopes -----------------------------------------------------------------------------------------------------------

NAMES = ("account", "characters")
INVENTORIES = ("account", "characters", "inventories")
STORAGE = ("account", "inventories")
ACCOUNT = ("account",)


@pytest.mark.parametrize(
    ("read", "kind", "scopes"),
    [
        ("owners_by_key", "", ACCOUNT),
        ("facts_by_key", "account", ACCOUNT),
        ("facts_by_key", "credential", ()),
        ("facts_by_key", "character", NAMES),
        ("containers_by_owner", "character", NAMES),
        ("containers_by_owner", "storage", ACCOUNT),
        ("containers_by_key", "character:A", NAMES),
        ("containers_by_key", "character:A/0", INVENTORIES),
        ("containers_by_key", "bank", ACCOUNT),
        ("containers_by_key", "materials", ACCOUNT),
        ("containers_by_key", "materials/5", STORAGE),
        ("containers_by_container", "character:A", INVENTORIES),
        ("containers_by_container", "materials", STORAGE),
        ("descendants_by_container", "character:A", INVENTORIES),
        ("contents_by_container", "character:A", INVENTORIES),
        ("contents_by_container", "character:A/0", INVENTORIES),
        ("contents_by_container", "bank", STORAGE),
        ("contents_by_container", "shared", STORAGE),
        ("contents_by_container", "materials", ACCOUNT),
        ("contents_by_container", "materials/5", STORAGE),
        ("items_by_container", "character:A/0", INVENTORIES),
        ("items_by_container", "bank", STORAGE),
        ("items_by_container", "materials", ACCOUNT),
        ("items_by_container", "materials/5", STORAGE),
        ("containers_by_container", "bank", ACCOUNT),
        ("descendants_by_container", "materials", STORAGE),
        ("items_by_key", "character:A/0/1", INVENTORIES),
        ("items_by_key", "bank/1", STORAGE),
        ("items_by_owner", "", INVENTORIES),
        ("totals_by_owner", "", INVENTORIES),
        ("ownership_by_key", "", INVENTORIES),
        ("visibility_by_owner", "", INVENTORIES),
    ],
)
def test_a_read_takes_the_scopes_of_the_endpoint_behind_it(read: str, kind: str, scopes: tuple[str, ...]) -> None:
    assert rules.scopes_for(read, kind) == scopes
    assert set(scopes) <= set(MANIFEST.scopes)


def test_what_is_lacking_is_told_in_the_services_words() -> None:
    refused = rules.lacking(("characters", "inventories"))
    assert refused.scopes == ("characters", "inventories")
    assert refused.provider_code == "requires scope characters,inventories"


def account() -> GuildWars2Account:
    return wire.parse_account(wire.decode(raw("account"), wire.WireAccount))


@pytest.mark.parametrize(
    ("scopes", "hidden"),
    [
        (("account",), {"guild_leader", "fractal_level", "daily_ap", "monthly_ap"}),
        (("account", "guilds"), {"fractal_level", "daily_ap", "monthly_ap"}),
        (("account", "progression"), {"guild_leader"}),
        (("account", "guilds", "progression"), set[str]()),
    ],
)
def test_an_account_shows_what_takes_another_scope_only_with_it(scopes: tuple[str, ...], hidden: set[str]) -> None:
    whole = account()
    shown = cast("GuildWars2Account", rules.shown(whole, scopes))
    rendered = wire.render_account(whole)
    assert wire.render_account(shown) == {name: value for name, value in rendered.items() if name not in hidden}
    assert wire.render_account(whole) == rendered, "what is stored stays as it is"


def test_other_documents_show_all() -> None:
    summary = wire.parse_character(wire.decode(raw("character"), wire.WireCharacter))
    assert rules.shown(summary, ()) is summary


# --- keys of an account -----------------------------------------------------------------------------------------------


def wanted(**changes: Any) -> Wanted:
    values: dict[str, Any] = {
        "part": "key",
        "owner": "Tester.1234",
        "name": "my key",
        "scopes": INVENTORIES,
        "issued_at": NOW,
        "expires_at": None,
        "limits": (),
    }
    return Wanted(**{**values, **changes})


def test_a_key_is_two_guids_run_together_and_the_first_is_its_id() -> None:
    minted = rules.mint(wanted())
    assert len(minted.secret) == 72
    groups = "-".join(f"[0-9A-F]{{{size}}}" for size in (8, 4, 4, 4, 20, 4, 4, 4, 12))
    assert re.fullmatch(groups, minted.secret)
    assert minted.label == minted.secret[:36]
    assert minted.facts == GuildWars2Token(
        id=minted.secret[:36], name="my key", permissions=[*INVENTORIES], type="APIKey"
    )
    assert rules.mint(wanted()).secret != minted.secret


@pytest.mark.parametrize(
    ("limits", "expires_at", "urls"),
    [
        (("/v2/characters/Test%20Char/inventory",), None, ["/v2/characters/Test%20Char/inventory"]),
        ((), NOW + timedelta(days=1), None),
        (("/v2/account",), NOW + timedelta(days=1), ["/v2/account"]),
    ],
)
def test_what_is_limited_in_time_or_to_paths_is_a_subtoken(
    limits: tuple[str, ...], expires_at: Any, urls: list[str] | None
) -> None:
    """Behaviour 31."""
    minted = rules.mint(wanted(limits=limits, expires_at=expires_at))
    header, claims, signature = minted.secret.split(".")
    assert header
    assert signature
    read = jws.extract_compact(minted.secret.encode())
    assert read.protected["alg"] == "HS256"
    assert orjson.loads(read.payload)["permissions"] == [*INVENTORIES]
    assert claims
    token = cast("GuildWars2Token", minted.facts)
    assert (token.type, token.issued_at, token.expires_at, token.urls) == ("Subtoken", NOW, expires_at, urls)
    assert set(wire.render_token(token)) >= {"id", "name", "permissions", "type", "issued_at"}
    assert set(sample("tokeninfo_subtoken")) >= set(wire.render_token(token))
