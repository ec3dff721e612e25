"""The keys of Roblox's things in the graph, the shelves that they are found on, and the texts of natural order."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote

from gateway.model.manifest import ProviderKey
from gateway.model.positions import microseconds

PROVIDER = ProviderKey.ROBLOX.value

ASSET, BADGE, PASS, BUNDLE, SERVER, PLACE = "asset", "badge", "pass", "bundle", "server", "place"
"""What stands before the number in the keys of items; the first four in those of definitions as well."""

COLLECTION, FAVORITES, VIEW = "collection", "favorites", "view"
"""The keys of the collection and of the view of favourites; and what stands before the names of other views."""

PRIVACY, CATEGORIES, ENTRIES, MEMBERS, SECRET = "privacy", "categories", "entries", "members", "secret"
"""Kinds of fact beside the account: who may see the inventory; the categories, the FAVORITES too; what the collection
holds; and, of the catalogue, what bundles are made of, and what cursors are signed with."""

LONGEST = 2**63 - 1
"""The largest number that an id may be."""


class Key(NamedTuple):
    """The parts of the key of an item or a definition."""

    kind: str
    number: int


def key_of(kind: str, number: int) -> str:
    """Make the key of an item or a definition."""
    return f"{kind}:{number}"


def parsed(key: str) -> Key:
    """Read a key that was checked."""
    kind, _, number = key.partition(":")
    return Key(kind, int(number.partition("/")[0]))


def place_key(number: int, tab: str, mirrors: Collection[str]) -> str:
    """Make the key of a place; the tabs that show again what another shows stand in it."""
    return f"{PLACE}:{number}/{tab}" if tab in mirrors else f"{PLACE}:{number}"


def escaped(name: str) -> str:
    """Give a category's name as a part of a key, which a slash ends and no control character is in."""
    safe = "".join(
        quote(letter, safe="") if letter in "%/" or not letter.isprintable() else letter for letter in name[:_NAME]
    )
    return safe or "%00"


_NAME = 40


def view_key(prefix: str, category: str) -> str:
    """Make the key of a category."""
    return f"{prefix}:{escaped(category)}"


def sort_text(rank: int, added: datetime | None, number: int) -> str:
    """Give the text that natural order goes by: kind and type, when it was added (if that is known), then the id."""
    return f"{rank:03d}:{0 if added is None else max(microseconds(added), 0):019d}:{number:019d}"
