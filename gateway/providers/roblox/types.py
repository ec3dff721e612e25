"""The concrete graph types of a Roblox inventory: every field of both contracts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import strawberry

from gateway.model.arguments import PageArguments
from gateway.model.container import Container, Contents
from gateway.model.definition import DefinitionConnection, ItemDefinition
from gateway.model.ids import DefinitionRef, FactRef, definition_ref
from gateway.model.item import Item
from gateway.model.paging import NATURAL, Part, Position, part_of
from gateway.model.relations import attribute, graph_type, hidden, loaded
from gateway.model.scalars import BigInt
from gateway.providers.roblox.keys import ASSET, MEMBERS, PROVIDER, key_of

Extra = dict[str, Any] | None
"""What a document holds that the contract does not know, kept for export."""


@graph_type
class RobloxUser:
    """A user of Roblox."""

    id: BigInt = attribute("The user's id.")
    name: str | None = attribute("The user's name.", default=None)
    display_name: str | None = attribute("What the user wants to be called.", default=None)
    membership: str | None = attribute("The kind of membership, such as `RobloxPremium`.", default=None)
    extra: strawberry.Private[Extra] = hidden(default=None)


@graph_type
class RobloxCreator:
    """Who made something."""

    id: BigInt = attribute("The id of the user, group or experience.")
    name: str | None = attribute("What it is called.", default=None)
    type: str = attribute("`User`, `Group` or `Experience`.")


# --- the catalogue ----------------------------------------------------------------------------------------------------


@graph_type
class RobloxDefinition(ItemDefinition):
    """An asset, badge, pass or bundle; `kind` is the item type."""

    asset_type: str | None = attribute("The asset type's name, such as `Hat`; of assets alone.", default=None)
    asset_type_id: int | None = attribute("The asset type's number.", default=None)
    bundle_type: str | None = attribute("The bundle type's name, such as `BodyParts`; of bundles alone.", default=None)
    bundle_type_id: int | None = attribute("The bundle type's number.", default=None)
    creator: RobloxCreator | None = attribute("Who made it.", default=None)
    members: list[RobloxDefinition | None] | None = loaded(
        "facts_by_key", "What a package or bundle is made of.", key="members_ref", pick="definitions"
    )
    member_ids: strawberry.Private[list[int] | None] = hidden(default=None)
    extra: strawberry.Private[Extra] = hidden(default=None)

    @property
    def members_ref(self) -> FactRef:
        """The reference of what it is made of."""
        return FactRef(PROVIDER, "", MEMBERS, self.key)

    @property
    def sort(self) -> str:
        """The text that the catalogue's order goes by: the number."""
        return self.key.partition(":")[2].zfill(19)

    def follow(self, before: ItemDefinition) -> None:
        """Keep what is known already of what this document does not tell."""
        for name in _TOLD_APART:
            if getattr(self, name) is None:
                setattr(self, name, getattr(before, name, None))


_TOLD_APART = (
    "name",
    "description",
    "icon",
    "rarity",
    "asset_type",
    "asset_type_id",
    "bundle_type",
    "bundle_type_id",
    "creator",
    "member_ids",
    "extra",
)


@dataclass(slots=True, kw_only=True)
class RobloxMembers:
    """What a package or bundle is made of: the numbers of assets, and what is known of them."""

    numbers: list[int]
    definitions: list[RobloxDefinition | None]


# --- items ------------------------------------------------------------------------------------------------------------


class Shelved:
    """An item that lies nowhere in particular: its container, in the store, is the shelf that it is found on."""

    @property
    def container_ref(self) -> None:
        """Tell that it lies nowhere: views select, and hold nothing."""
        return


def _named() -> Any:
    return loaded("definitions_by_key", "What it is called.", key="definition_ref", pick="name")


@graph_type
class RobloxAsset(Shelved, Item):
    """A copy of an asset."""

    name: str | None = _named()
    asset_id: BigInt = attribute("The asset's id.")
    instance_id: BigInt = attribute("The number of this copy, which both of the service's interfaces share.")
    asset_type: str | None = attribute("The asset type's name, such as `Hat`.", default=None)
    inventory_item_asset_type: str | None = attribute("The cloud's name of the asset type.", default=None)
    extra: strawberry.Private[Extra] = hidden(default=None)

    def settle(self, definition: ItemDefinition) -> None:
        """Take over the type, where v1 alone has told of the copy."""
        from gateway.providers.roblox.wire import typed  # noqa: PLC0415 -- the wire makes these

        if self.asset_type is None:
            typed(self, getattr(definition, "asset_type_id", None))


@graph_type
class RobloxBadge(Shelved, Item):
    """A badge that was awarded."""

    name: str | None = _named()
    badge_id: BigInt = attribute("The badge's id.")
    extra: strawberry.Private[Extra] = hidden(default=None)


@graph_type
class RobloxGamePass(Shelved, Item):
    """A game pass."""

    name: str | None = _named()
    game_pass_id: BigInt = attribute("The game pass's id.")
    extra: strawberry.Private[Extra] = hidden(default=None)


@graph_type
class RobloxBundle(Shelved, Item):
    """A bundle; its parts are held as assets too, and only those are listed among all holdings."""

    name: str | None = _named()
    bundle_id: BigInt = attribute("The bundle's id.")
    bundle_type: str | None = attribute("The bundle type's name, such as `BodyParts`.", default=None)

    def settle(self, definition: ItemDefinition) -> None:
        """Take over the type."""
        from gateway.providers.roblox.wire import bundled  # noqa: PLC0415 -- the wire makes these

        if self.bundle_type is None:
            bundled(self, getattr(definition, "bundle_type_id", None))


@graph_type
class RobloxPrivateServer(Shelved, Item):
    """A private server of a game."""

    private_server_id: BigInt = attribute("The private server's id.")
    extra: strawberry.Private[Extra] = hidden(default=None)


@graph_type
class RobloxPlace(Shelved, Item):
    """A place, as the tab of the inventory shows it."""

    place_id: BigInt = attribute("The place's id, which is an asset's.")
    universe_id: BigInt | None = attribute("The id of the game that it is a part of.", default=None)
    tab: str = attribute("`Created`, `Purchased`, `MyGames` or `OtherGames`: the `filter` of the view that shows it.")
    creator: RobloxCreator | None = attribute("Who made it.", default=None)
    price: BigInt | None = attribute("What it costs, in Robux; null if nothing.", default=None)
    extra: strawberry.Private[Extra] = hidden(default=None)

    @property
    def definition_ref(self) -> DefinitionRef:
        """The reference of the asset; to be shown in a tab is not to hold a copy of it."""
        return definition_ref(PROVIDER, key_of(ASSET, self.place_id))


# --- containers -------------------------------------------------------------------------------------------------------


@graph_type
class RobloxCollection(Container):
    """What a user shows: assets and bundles, not copies of them."""

    entries: DefinitionConnection | None = loaded(
        "definitions_by_container", "What it shows.", key="ref", arguments=PageArguments
    )


@graph_type
class RobloxCategory(Container):
    """A category of an inventory, or an entry of one; what it shows are selected items, which lie nowhere.

    `items` is null where the service does not tell what is shown: of favourites, and of the tabs of private servers.
    """

    display_name: str = attribute("What people are shown.")
    category_type: str = attribute("The service's word for it.")
    filter: str | None = attribute("The tab to pass on: of places, `RobloxPlace.tab`.", default=None)
    type: str | None = attribute("What `typeId` is a number of: `AssetType` or `Bundle`; null for a whole category.")
    type_id: BigInt | None = attribute("The number of the type that it shows.")
    selected: strawberry.Private[tuple[str, ...] | None] = hidden(default=None)
    """The shelves that it shows."""


# --- documents --------------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class RobloxCategoryEntry:
    """An entry of a category."""

    name: str
    display_name: str
    filter: str | None
    id: int
    type: str
    category_type: str


@dataclass(slots=True, kw_only=True)
class RobloxCategoryGroup:
    """A category with its entries."""

    name: str
    display_name: str
    category_type: str
    items: list[RobloxCategoryEntry]


@dataclass(slots=True, kw_only=True)
class RobloxCategories:
    """The categories of a user's inventory, or of the favourites."""

    groups: list[RobloxCategoryGroup]


@dataclass(slots=True, kw_only=True)
class RobloxPrivacy:
    """Who may see a user's inventory, and who others are to the user, by id."""

    level: str
    friends: list[int] = field(default_factory=list[int])
    trusted_friends: list[int] = field(default_factory=list[int])
    followings: list[int] = field(default_factory=list[int])
    followers: list[int] = field(default_factory=list[int])


@dataclass(slots=True, kw_only=True)
class RobloxEntry:
    """What stands in a collection: the definition's key, and since when."""

    key: str
    added_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class RobloxEntries:
    """What a user's collection shows, in the order in which it was added."""

    number: int = 0
    """The version."""
    entries: list[RobloxEntry] = field(default_factory=list[RobloxEntry])


@dataclass(slots=True, kw_only=True)
class RobloxContents(Contents):
    """What a collection shows; None of what is no collection."""

    entries: RobloxEntries | None

    def definitions(self, asked: PageArguments) -> Part[tuple[DefinitionRef, int | None]] | None:
        """List what the collection shows, in the order in which it was added."""
        if self.entries is None:
            return None
        # An entry's place is its time and key, so that cursors stay good.
        found: Part[RobloxEntry] = part_of(
            self.entries.entries, asked.window, position=lambda entry: Position(NATURAL, 0, _sort(entry))
        )
        return Part(
            entries=[(at, (definition_ref(PROVIDER, entry.key), None)) for at, entry in found.entries],
            has_next=found.has_next,
            has_previous=found.has_previous,
            total=found.total,
        )


def _sort(entry: RobloxEntry) -> str:
    return f"{'' if entry.added_at is None else entry.added_at.isoformat()}:{entry.key}"


@dataclass(slots=True, kw_only=True)
class RobloxSale:
    """What is told of the sale of a limited copy."""

    stock: BigInt | None = None
    original_price: BigInt | None = None
    recent_average_price: BigInt | None = None
    extra: Extra = None


@dataclass(slots=True, kw_only=True)
class RobloxCredential:
    """What is kept of a cookie, key or token that we made; with a group, it is that group's, and nobody's consent."""

    name: str
    part: str
    owner: str
    scopes: list[str]
    group: str | None = None


@dataclass(slots=True, kw_only=True)
class RobloxSecret:
    """What this store's cursors and handshakes are signed with."""

    text: str


TYPES: tuple[type, ...] = (
    RobloxAsset,
    RobloxBadge,
    RobloxBundle,
    RobloxCategory,
    RobloxCollection,
    RobloxCreator,
    RobloxDefinition,
    RobloxGamePass,
    RobloxPlace,
    RobloxPrivateServer,
    RobloxUser,
)
"""Every graph type that a backend of this provider returns."""

DOCUMENTS: tuple[type, ...] = (
    RobloxCategories,
    RobloxCredential,
    RobloxEntries,
    RobloxPrivacy,
    RobloxSale,
    RobloxSecret,
)
"""What the store keeps beside them, which the graph does not show."""
