"""The keys of Guild Wars 2's things in the graph, and the texts that natural order goes by."""

from __future__ import annotations

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


def place_sort(container_sort: str, number: int) -> str:
    """Give the sort text of what lies at a slot, or, in the material storage, of an item id."""
    return f"{container_sort}{number:010}"


def split_character(key: str) -> tuple[str, int | None]:
    """Read `character:<name>` or `character:<name>/<bag index>`."""
    name, _, index = key.removeprefix("character:").partition("/")
    return name, int(index) if index else None


def number_of(key: str) -> int:
    """Read the id in a definition's key, or the category in a section's."""
    return int(key.rpartition(":")[2].rpartition("/")[2])
