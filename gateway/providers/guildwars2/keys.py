"""The keys of Guild Wars 2's things in the graph, and the texts that natural order goes by."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

BANK, SHARED, MATERIALS = "bank", "shared", "materials"
FAMILIES = ("item", "skin", "stat", "color", "material")

# Characters by name come first, then the account's storage. \x01 sorts below every character of a name, so that a
# container's sort text is a prefix of its content's alone.
_END = "\x01"
STORAGE_SORT = {BANK: f"2{_END}", SHARED: f"3{_END}", MATERIALS: f"4{_END}"}


def character_key(name: str) -> str:
    """Give the container key of a character."""
    return f"character:{name}"


def character_sort(name: str) -> str:
    """Give the sort text of a character."""
    return f"1{_END}{name}{_END}"


def bag_sort(name: str, index: int) -> str:
    """Give the sort text of a bag."""
    return f"{character_sort(name)}{index:03}{_END}"


def category_key(category: int) -> str:
    """Give the container key of a section of the material storage."""
    return f"{MATERIALS}/{category}"


def category_sort(category: int) -> str:
    """Give the sort text of a section of the material storage."""
    return f"{STORAGE_SORT[MATERIALS]}{category:06}{_END}"


@lru_cache(maxsize=32_768)
def item_key(number: int) -> str:
    """Give the definition key of an item; the same ones lie in everybody's bags."""
    return f"item:{number}"


def place_sort(container_sort: str, number: int) -> str:
    """Give the sort text of what lies at a slot, or, in the material storage, of an item id."""
    return f"{container_sort}{number:010}"


def slot_keys(count: int) -> Sequence[str]:
    """Give the keys of the first slots of a container."""
    return _KEYS[:count] if count <= _KNOWN else [str(index) for index in range(count)]


def slot_sorts(count: int) -> Sequence[str]:
    """Give what the sort texts of the first slots add to their container's."""
    return _SORTS[:count] if count <= _KNOWN else [place_sort("", index) for index in range(count)]


# Written once for all bags and the largest bank: for each slot anew, they would cost as much as half of its objects.
_KNOWN = 1_024
_KEYS = tuple(str(index) for index in range(_KNOWN))
_SORTS = tuple(place_sort("", index) for index in range(_KNOWN))


def split_character(key: str) -> tuple[str, int | None]:
    """Read `character:<name>` or `character:<name>/<bag index>`."""
    name, _, index = key.removeprefix("character:").partition("/")
    return name, int(index) if index else None


def number_of(key: str) -> int:
    """Read the id in a definition's key, or the category in a section's."""
    return int(key.rpartition(":")[2].rpartition("/")[2])
