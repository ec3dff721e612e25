"""The rules: keys, levels and relations, credentials, the collection, what is listed where."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.arguments import ItemFilter
from gateway.model.errors import InvalidInput, Refusal
from gateway.model.ids import OwnerRef
from gateway.model.manifest import ProviderKey
from gateway.model.ports import OPEN, Access, Grant, Holder, Wanted
from gateway.providers.roblox import rules, wire
from gateway.providers.roblox import vocabulary as words
from gateway.providers.roblox.keys import ASSET, sort_text
from gateway.providers.roblox.manifest import COOKIE, KEY, READ, TOKEN
from gateway.providers.roblox.types import RobloxCategory, RobloxCredential, RobloxEntries, RobloxPrivacy
from tests.gateways import NOW

OWNER = OwnerRef(ProviderKey.ROBLOX.value, "42")
NUMBERS = st.integers(1, 2**63 - 1)


@given(NUMBERS)
def test_every_id_of_64_bits_is_a_key_and_no_other(number: int) -> None:
    rules.check_owner(str(number))
    for kind in ("asset", "badge", "pass", "bundle"):
        rules.check_item(f"{kind}:{number}")
        rules.check_definition(f"{kind}:{number}")
    rules.check_item(f"place:{number}/MyGames")
    for wrong in (f"0{number}", f"-{number}", f"{number}.0", f"{number} ", str(number + 2**63)):
        with pytest.raises(InvalidInput):
            rules.check_owner(wrong)
        with pytest.raises(InvalidInput):
            rules.check_item(f"asset:{wrong}")
    for wrong in (f"server:{number}", f"place:{number}", f"hat:{number}"):
        with pytest.raises(InvalidInput):
            rules.check_definition(wrong)
    for wrong in (f"asset:{number}/MyGames", f"place:{number}/Created", f"place:{number}/"):
        with pytest.raises(InvalidInput):
            rules.check_item(wrong)


@given(st.lists(st.tuples(st.sampled_from(words.SHELVES), NUMBERS, st.integers(0, 10**9)), min_size=2, unique=True))
def test_natural_order_goes_by_shelf_then_time_then_number(rows: list[tuple[str, int, int]]) -> None:
    def at(row: tuple[str, int, int]) -> str:
        shelf, number, seconds = row
        return sort_text(words.RANKS[shelf], NOW + timedelta(seconds=seconds), number)

    by_text = sorted(rows, key=at)
    assert by_text == sorted(rows, key=lambda row: (words.SHELVES.index(row[0]), row[2], row[1]))


def test_the_vocabulary_is_the_contracts() -> None:
    assert len(words.LISTED) == 52
    assert [one.number for one in words.LISTED] == [*sorted(one.number for one in words.LISTED[:-2]), 9, 9]
    assert len({one.cloud for one in words.LISTED}) == 52
    assert {one.number for one in words.LISTED} & {one.number for one in words.UNLISTED} == set()
    unassigned = {14, 15, 20, 23, 36, 57, 58}
    assert {*range(1, 95)} - {*words.BY_NUMBER} == unassigned
    assert words.BY_NUMBER[9].cloud == "CREATED_PLACE"
    assert (words.item_type("asset"), words.item_type("4"), words.item_type("5")) == ("Asset", "Avatar", None)
    assert (words.tab("0"), words.tab("mygames"), words.tab("4"), words.tab("6")) == ("Created", "MyGames", "", None)
    assert len(words.COLLECTIBLE_HERE) == 33


# --- who may see what -------------------------------------------------------------------------------------------------


def grant(owner: str, part: str, scopes: tuple[str, ...] = (READ,), group: str | None = None) -> Grant:
    facts = RobloxCredential(name="", part=part, owner=owner, scopes=[*scopes], group=group)
    return Grant(holder=Holder(owner, part), scopes=scopes, facts=facts, expires_at=None)


@given(st.sampled_from(words.LEVELS), st.sampled_from((COOKIE, KEY, TOKEN)), st.booleans(), st.integers(50, 56))
def test_only_everyone_and_consent_open_an_inventory_to_the_cloud(
    level: str, part: str, scoped: bool, reader: int
) -> None:
    privacy = RobloxPrivacy(level=level, friends=[51], followings=[52], followers=[53], trusted_friends=[54])
    scopes = (READ,) if scoped else ()
    own = rules.access(privacy, grant("42", part, scopes), "42")
    assert (own == OPEN) is (scoped or part == COOKIE)
    seen = rules.access(privacy, grant(str(reader), part, scopes), "42")
    assert seen.hidden == words.OF_CONSENT
    if part != COOKIE or level in ("AllUsers", "NoOne"):
        assert seen.is_open is (level == "AllUsers")
    groups = rules.access(privacy, grant("42", KEY, group="7"), "42")
    assert groups == Access(is_open=level == "AllUsers", hidden=words.OF_CONSENT)
    assert rules.access(privacy, None, "42") == OPEN
    nobody = Grant(holder=Holder("", ""), scopes=(), facts=None, expires_at=None)
    assert rules.access(privacy, nobody, "42").is_open is (level == "AllUsers")


def test_only_the_session_of_its_user_writes() -> None:
    from gateway.model.manifest import Capability

    for holder, may in ((Holder("42", COOKIE), True), (Holder("42", KEY), False), (Holder("43", COOKIE), False)):
        assert rules.may_write(holder, "42", Capability.ADD_TO_COLLECTION) is may


def wanted(part: str, *limits: str) -> Wanted:
    return Wanted(part=part, owner="42", name="n", scopes=(READ,), issued_at=NOW, expires_at=None, limits=limits)


def test_credentials_have_the_services_form_and_are_never_the_same() -> None:
    cookie = rules.mint(wanted(COOKIE))
    assert cookie.secret.startswith("_|WARNING:-DO-NOT-SHARE-THIS.--")
    assert cookie.secret.count("|") == 2
    assert cookie.expires_at is None
    token = rules.mint(wanted(TOKEN))
    assert token.expires_at == NOW + timedelta(minutes=15)
    key = rules.mint(wanted(KEY, "group:7"))
    assert isinstance(key.facts, RobloxCredential)
    assert key.facts.group == "7"
    assert len({rules.mint(wanted(part)).secret for part in (COOKIE, KEY, TOKEN) for _ in range(3)}) == 9
    for part, limits in ((COOKIE, ("group:7",)), (KEY, ("group:x",)), (KEY, ("/v1",)), (KEY, ("group:1", "group:2"))):
        with pytest.raises(InvalidInput):
            rules.mint(wanted(part, *limits))


# --- the collection ---------------------------------------------------------------------------------------------------


def known(*numbers: int, asset_type: int = 8) -> dict[str, Any]:
    made = [
        wire.parse_definition({"id": n, "itemType": "Asset", "name": "x", "assetType": asset_type}) for n in numbers
    ]
    return {one.key: one for one in made}


@given(st.lists(st.integers(1, 9), max_size=12), st.integers(1, 6))
def test_a_collection_is_changed_whole_or_not_at_all(numbers: list[int], capacity: int) -> None:
    keys = [f"asset:{number}" for number in numbers]
    before = RobloxEntries()
    definitions = known(1, 2, 3, 4, 5, 6, 7)
    owned = {f"asset:{number}" for number in range(1, 6)}
    good = len({*keys}) == len(keys) <= capacity and {*keys} <= owned
    try:
        after = rules.add(before, keys, definitions, owned, capacity=capacity, at=NOW)
    except Refusal as refusal:
        assert not good
        places = {fault.path[1] for fault in refusal.all if fault.path}
        assert places <= {str(at) for at in range(len(keys))}
        assert before.entries == []
    else:
        assert good
        assert [entry.key for entry in after.entries] == keys
        assert after.number == before.number + 1
        emptied = rules.remove(after, keys, definitions)
        assert (emptied.entries, emptied.number) == ([], after.number + 1)


def test_refusals_come_in_the_services_order() -> None:
    full = rules.add(RobloxEntries(), ["asset:1"], known(1), {"asset:1"}, capacity=1, at=NOW)
    definitions = {**known(1, 2, 3), **known(4, asset_type=32), "bundle:5": wire.definition("bundle", 5)}
    owned = {"asset:1", "asset:3", "asset:4", "bundle:5"}
    keys = ["asset:9", "bundle:9", "asset:2", "asset:4", "asset:1", "asset:3", "bundle:5"]
    with pytest.raises(Refusal) as refused:
        rules.add(full, keys, definitions, owned, capacity=1, at=NOW)
    assert [fault.provider_code for fault in refused.value.all] == ["2", "3", "4", "5", "7", "9", "9"]
    assert [fault.code.name for fault in refused.value.all] == [
        "NOT_FOUND",
        "NOT_FOUND",
        "FORBIDDEN",
        "INVALID_INPUT",
        "CONFLICT",
        "LIMIT_EXCEEDED",
        "LIMIT_EXCEEDED",
    ]


# --- what is listed where ---------------------------------------------------------------------------------------------


def narrowed(access: Access = OPEN, **wanted: Any) -> tuple[tuple[str, ...], bool]:
    found, withheld = rules.narrowed(ItemFilter(**wanted), access)
    assert found.shelves is not None
    return found.shelves, withheld


def test_bundles_and_places_are_listed_only_where_they_are_asked_for() -> None:
    assert narrowed() == (words.HOLDINGS, False)
    assert narrowed(kinds=["Place", "Bundle"]) == ((*words.PLACES, *words.BUNDLES), False)
    assert {*words.BUNDLES} <= {*narrowed(definition_keys=["bundle:1"])[0]}
    assert narrowed(kinds=["Nothing"]) == ((), False)


def test_what_is_hidden_is_left_out_in_silence_unless_it_was_named() -> None:
    others = Access(is_open=True, hidden=words.OF_CONSENT)
    for wanted, withheld in (
        ({}, False),
        ({"kinds": ["Asset"]}, False),
        ({"kinds": ["Badge"]}, False),
        ({"kinds": ["PrivateServer"]}, True),
        ({"kinds": ["Asset", "Place"]}, True),
        ({"shelves": ("place/MyGames",)}, True),
        ({"shelves": ("asset/PURCHASED_PLACE", "asset/HAT")}, False),
    ):
        shelves, told = narrowed(others, **wanted)
        assert told is withheld
        assert not {*shelves} & words.OF_CONSENT


def test_a_category_shows_what_its_entries_show() -> None:
    made = rules.containers(OWNER, words.INVENTORY_CATEGORIES, words.FAVORITE_CATEGORIES, is_owner=True)
    views = {one.key: one.selected for one in made if isinstance(one, RobloxCategory)}
    assert views["view:Accessories/Head"] == ("asset/HAT",)
    assert {*(views["view:Accessories"] or ())} == {
        f"asset/{name}"
        for name in (
            *("HAT", "FACE_ACCESSORY", "NECK_ACCESSORY", "SHOULDER_ACCESSORY", "FRONT_ACCESSORY"),
            *("BACK_ACCESSORY", "WAIST_ACCESSORY", "GEAR"),
        )
    }
    assert views["view:Places/My Experiences"] == ("place/MyGames",)
    assert views["view:Badges"] == ("badge",)
    assert views["view:Heads/Heads"] == ("bundle/4",)
    assert views["view:Private Servers"] == ("server",)
    assert views["view:Private Servers/My Private Servers"] is None
    assert {key: shown for key, shown in views.items() if key.startswith("favorites") and shown is not None} == {}
    assert len({one.sort for one in made if one.parent_key is None}) == len([one for one in made if not one.parent_key])
    assert ASSET not in views
