"""The keys of a community's things in the graph, and the texts that natural order goes by."""

from __future__ import annotations

from gateway.model.manifest import ProviderKey

PROVIDER = ProviderKey.COMMUNITY.value

AVATAR = "avatar"
"""The key of the one container of an inventory."""

SLOTS, STATE, ALLOCATIONS, OWNED, WALLETS, ALIAS = "slots", "state", "allocations", "owned", "wallets", "alias"
"""Kinds of fact beside the account: a kit's slots, a user's avatar, what its slots' document told, wallets, aliases."""

ITEM = "item"
"""Under which key a slot's document has what lies in it."""

# Names come first, as the service orders by them; a cursor has no room for a long one.
_NAME_LENGTH = 200
_END = "\x01"


def split(key: str) -> tuple[str, str | None]:
    """Read an owner's or a definition's key: the community, and the user or item; None where only one is named."""
    community, slash, rest = key.partition("/")
    return community, rest if slash else None


def joined(community: str, rest: str) -> str:
    """Make the key of a community's user or item."""
    return f"{community}/{rest}"


def definition_sort(name: str, item: str) -> str:
    """Give the sort text of a catalogue entry."""
    return f"{name[:_NAME_LENGTH]}{_END}{item}"
