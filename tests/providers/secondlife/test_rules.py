"""The rules and the tree, without a store: permissions, names, keys, capabilities, and what an order does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.errors import InvalidInput
from gateway.model.ids import OwnerRef
from gateway.model.manifest import Capability
from gateway.model.ports import Holder, Wanted
from gateway.model.scalars import BigInt
from gateway.model.verbs import ContentsPart
from gateway.providers.secondlife import orders, rules, wire
from gateway.providers.secondlife.keys import ASSETS, LIBRARY, PURPOSES, SPECIAL, UNPROTECTED
from gateway.providers.secondlife.orders import NewCategory, NewLink
from gateway.providers.secondlife.tree import Tree
from gateway.providers.secondlife.types import COPY, MODIFY, MOVE, TRANSFER, SecondLifePermissions
from tests.providers.secondlife.conftest import AGENT, NOTHING, OTHER, ZERO

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OWNER = OwnerRef("secondlife", AGENT)

masks = st.integers(0, 2**32 - 1)
permissions = st.builds(
    SecondLifePermissions,
    base_mask=masks.map(BigInt),
    owner_mask=masks.map(BigInt),
    group_mask=masks.map(BigInt),
    everyone_mask=masks.map(BigInt),
    next_owner_mask=masks.map(BigInt),
    is_group_owned=st.booleans(),
)


def lawful(given: SecondLifePermissions) -> bool:
    base, owner = given.base_mask, given.owner_mask
    group, everyone, after = given.group_mask, given.everyone_mask, given.next_owner_mask
    return (
        not owner & ~base
        and not group & ~owner
        and not everyone & ~owner
        and not everyone & MODIFY
        and bool(base & MOVE)
        and bool(base & COPY or base & TRANSFER)
        and (after == 0 or bool(after & MOVE))
        and not base >> 31
    )


@given(
    before=permissions,
    given_masks=st.dictionaries(st.sampled_from(orders.MASKS), masks),
    kind=st.sampled_from(sorted(ASSETS)),
)
def test_permissions_are_lawful_after_any_change(
    before: SecondLifePermissions, given_masks: dict[str, int], kind: int
) -> None:
    fixed = rules.fixed(before, kind)
    assert lawful(fixed)
    assert rules.fixed(fixed, kind) == fixed
    after = rules.permitted(fixed, given_masks, kind)
    assert lawful(after)
    assert after.base_mask == fixed.base_mask
    assert lawful(rules.permissions_for(AGENT, given_masks, kind))


@given(name=st.text())
def test_a_name_is_cut_between_characters_and_can_be_written_in_either_form(name: str) -> None:
    try:
        stored = rules.name_of(name)
    except InvalidInput:
        # Nothing of it is left to be seen within what has room.
        assert not any(letter.isprintable() and not letter.isspace() for letter in name[:15])
        return
    assert len(stored.encode()) <= 63
    assert rules.name_of(stored) == stored
    assert len(rules.description_of(name).encode()) <= 127


def test_which_folders_are_system_folders() -> None:
    for number in range(-1, 120):
        assert rules.is_protected(number) is (number not in UNPROTECTED)
    assert rules.is_protected(12_345)
    for number in (*PURPOSES, -1):
        if number != 55:
            rules.check_type(number)
    for number in (55, 9, 99, -2, 12_345):
        with pytest.raises(InvalidInput):
            rules.check_type(number)


def test_whose_capability_may_do_what() -> None:
    mine, library = Holder(AGENT, "inventory"), Holder(AGENT, "library")
    assert rules.own_key(mine, "me") == AGENT
    assert rules.own_key(library, "me") == LIBRARY
    assert [rules.may_read(mine, owner) for owner in (AGENT, LIBRARY, OTHER)] == [True, True, False]
    assert [rules.may_read(library, owner) for owner in (AGENT, LIBRARY, OTHER)] == [False, True, False]
    for verb in (Capability.DELETE_ITEMS, Capability.COPY_CONTAINERS):
        assert [rules.may_write(mine, owner, verb) for owner in (AGENT, LIBRARY, OTHER)] == [True, False, False]
    assert rules.may_write(library, AGENT, Capability.COPY_CONTAINERS)
    assert not rules.may_write(library, AGENT, Capability.DELETE_ITEMS)
    assert not rules.may_write(Holder(LIBRARY, "library"), LIBRARY, Capability.COPY_CONTAINERS)


def test_a_capability_is_an_id_and_its_address_is_as_good() -> None:
    wanted = Wanted(part="inventory", owner=AGENT, name="x", scopes=(), issued_at=NOW, expires_at=None, limits=())
    minted = rules.mint(wanted)
    assert minted.expires_at is None
    assert rules.secret("inventory", f"https://there.test/rest/secondlife/{minted.secret}/") == minted.secret
    assert rules.secret("inventory", minted.secret) == minted.secret
    assert rules.mint(wanted).secret != minted.secret
    for bad in (replace(wanted, owner=LIBRARY), replace(wanted, limits=("/x",))):
        with pytest.raises(InvalidInput):
            rules.mint(bad)
    assert rules.mint(replace(wanted, name="renewed")).expires_at == NOW + timedelta(days=1)


@pytest.mark.parametrize("key", ["", "me", "x", AGENT.upper(), ZERO, f"{AGENT}/x", f"{AGENT}\n"])
def test_what_cannot_be_a_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidInput):
        rules.check_owner(key)
    if key != ZERO:
        for check in (rules.check_container, rules.check_item):
            with pytest.raises(InvalidInput):
                check(key)


def test_the_dirt_of_live_data_is_put_right() -> None:
    for asset_type in (6, 49):
        document = {"item_id": NOTHING, "name": "x", "type": asset_type, "inv_type": 0}
        thing: Any = wire.parse_thing(document, OWNER)
        assert thing.inventory_type_number == 17
    texture: Any = wire.parse_thing({"item_id": NOTHING, "name": "x", "type": 0, "inv_type": 0}, OWNER)
    assert texture.inventory_type_number == 0


anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.uuids()


@given(value=anything | st.lists(st.integers()))
def test_any_value_in_any_field_is_read_or_is_misread(value: Any) -> None:
    for name in ("item_id", "name", "type", "inv_type", "flags", "created_at", "permissions", "sale_info", "linked_id"):
        _read(lambda name=name: wire.parse_thing({"item_id": NOTHING, name: value}, OWNER))
    for name in ("category_id", "name", "type_default", "version", "parent_id", "thumbnail", "favorite", "_embedded"):
        _read(lambda name=name: wire.parse_branch({"category_id": NOTHING, name: value}, OWNER))
    for name in ("name", "flags", "permissions", "sale_info", "asset_id", "thumbnail", "parent_id"):
        _read(lambda name=name: wire.parse_item_patch({name: value}, NOTHING, link=False))
        _read(lambda name=name: wire.parse_category_patch({name: value}, NOTHING))
        _read(lambda name=name: wire.parse_contents({"items": [{"type": 7, name: value}], "links": value}))


def _read(read: Any) -> None:
    try:
        read()
    except (wire.Misread, InvalidInput) as error:
        assert str(error)  # noqa: PT017 -- either is as good


# --- orders, in memory ------------------------------------------------------------------------------------------------

FOLDERS = [f"11111111-0000-4000-8000-{number:012d}" for number in range(6)]


def grown(parents: list[int]) -> Tree:
    """Make a tree of folders, each in an earlier one."""
    tree = Tree(OWNER, at=NOW)
    tree.carry_out(orders.Ensure(role="root"))
    root = tree.outcome.top or ""
    for number, parent in enumerate(parents):
        above = root if parent % (number + 1) == number else FOLDERS[parent % (number + 1)]
        tree.carry_out(orders.Create(category=above, categories=[NewCategory(name=f"{number}", key=FOLDERS[number])]))
    return tree


moves = st.lists(st.tuples(st.sampled_from(FOLDERS), st.sampled_from(FOLDERS)), max_size=12)


@given(parents=st.lists(st.integers(0, 5), min_size=6, max_size=6), wanted=moves)
def test_no_sequence_of_moves_makes_a_circle(parents: list[int], wanted: list[tuple[str, str]]) -> None:
    tree = grown(parents)
    for key, to in wanted:
        try:
            tree.carry_out(orders.MoveCategories(keys=[key], to=to))
        except InvalidInput:
            assert to == key or key in above(tree, to)
        for folder in FOLDERS:
            assert above(tree, folder)[-1] == tree.special("root").key  # type: ignore[union-attr] -- it stands


def above(tree: Tree, key: str) -> list[str]:
    found: list[str] = []
    while (parent := tree.categories[key].parent_key) is not None:
        assert parent not in found
        found.append(parent)
        key = parent
    return found


@given(
    parents=st.lists(st.integers(0, 5), min_size=6, max_size=6),
    picked=st.sampled_from(FOLDERS),
    to=st.sampled_from(FOLDERS),
)
def test_a_copy_has_the_shape_of_what_was_copied_and_removing_it_leaves_what_was(
    parents: list[int], picked: str, to: str
) -> None:
    tree = grown(parents)
    tree.carry_out(orders.Create(category=picked, links=[NewLink(name="x", linked=FOLDERS[0])]))

    def shape(key: str, depth: int = 0) -> Any:
        parts, things = tree.part(key, ContentsPart.ALL)
        if depth > 10:
            return None
        return tree.categories[key].name, len(things), sorted(str(shape(one.key, depth + 1)) for one in parts)

    before, everything = shape(picked), {*tree.categories}
    links = {*tree.items}
    tree.carry_out(orders.CopyCategories(source=AGENT, keys=[picked], to=to), tree)
    top = tree.outcome.top or ""
    assert shape(top) == before
    tree.carry_out(orders.DeleteCategories(keys=[top]))
    assert {*tree.categories} == everything
    assert {*tree.items} <= links


def test_every_special_name_has_its_folder_type() -> None:
    assert len(SPECIAL) == 19
    assert {SPECIAL[name] for name in ("root", "trash", "current")} == {8, 14, 46}
