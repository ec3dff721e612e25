"""Forests: containers in memory are found and listed as those of the store are."""

from __future__ import annotations

import pytest

from gateway.model.arguments import ContainerArguments, ContainerKind, DescendantArguments, PageArguments
from gateway.model.forest import Forest
from gateway.model.ids import OwnerRef
from gateway.providers.roblox.types import RobloxCategory, RobloxCollection

OWNER = OwnerRef("roblox", "1")


def view(key: str, parent: str | None = None) -> RobloxCategory:
    return RobloxCategory(
        key=key,
        name=key,
        kind=ContainerKind.VIEW,
        display_name=key,
        category_type=key,
        type=None,
        type_id=None,
        owner=OWNER,
        parent_key=parent,
        sort=key,
    )


COLLECTION = RobloxCollection(key="z", name="z", kind=ContainerKind.COLLECTION, owner=OWNER, sort="z")
FOREST = Forest([view("c", "a"), view("b"), view("a"), COLLECTION, view("d", "c"), view("ab", "a"), view("e", "d")])


def test_views_are_at_the_top_only_when_asked_for() -> None:
    def top(kind: ContainerKind | None) -> list[str]:
        return [one.key for _, one in FOREST.top(ContainerArguments(kind=kind)).entries]

    assert top(None) == top(ContainerKind.COLLECTION) == ["z"]
    assert top(ContainerKind.VIEW) == ["a", "b"]
    assert top(ContainerKind.FOLDER) == []


def test_children_and_trees_are_in_order_parents_first() -> None:
    assert [one.key for _, one in FOREST.children("a", PageArguments()).entries] == ["ab", "c"]
    assert FOREST.children("nothing", PageArguments()).entries == []
    for depth, keys in ((None, ["ab", "c", "d", "e"]), (1, ["ab", "c"]), (2, ["ab", "c", "d"])):
        assert [one.key for _, one in FOREST.below("a", DescendantArguments(max_depth=depth)).entries] == keys


def test_what_leads_in_a_circle_ends() -> None:
    round_ = Forest([view("a", "b"), view("b", "a")])
    assert {one.key for _, one in round_.below("a", DescendantArguments()).entries} == {"a", "b"}


@pytest.mark.parametrize("key", ["a", "z", "nothing"])
def test_a_container_is_found_by_key(key: str) -> None:
    found = FOREST.get(key)
    assert (found and found.key) == (None if key == "nothing" else key)
