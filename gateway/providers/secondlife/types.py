"""The concrete graph types of Second Life's inventory: every field of its contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import strawberry

from gateway.model.arguments import NO_FILTER, ItemArguments, ItemFilter
from gateway.model.change import ChangeSet
from gateway.model.container import Container
from gateway.model.ids import CONTAINER, ITEM, TargetRef
from gateway.model.item import Item, ItemConnection
from gateway.model.relations import attribute, computed, graph_type, hidden, loaded
from gateway.model.scalars import BigInt
from gateway.providers.secondlife.keys import (
    ASSETS,
    FOLDER_LINK,
    INVENTORY_KINDS,
    LINKS,
    PURPOSES,
    SALES,
    agent_of,
)

if TYPE_CHECKING:
    from gateway.model.slot import Slot

Extra = dict[str, Any] | None
"""What a document holds that the contract does not know, kept for export."""

TRANSFER, MODIFY, COPY, MOVE = 0x2000, 0x4000, 0x8000, 0x80000
"""The bits of a permission mask."""


class LinkArguments(ItemArguments):
    """A page of the links in a category."""

    @property
    def passing(self) -> ItemFilter:
        """What is listed: of the links, those that the filter lets pass."""
        given = self.filter or NO_FILTER
        words = [ASSETS[number] for number in LINKS]
        kinds = words if given.kinds is None else [kind for kind in given.kinds if kind in words]
        return replace(given, kinds=kinds)


@graph_type
class SecondLifeCategory(Container):
    """A folder."""

    id_kind = CONTAINER
    versioned_by = "number"

    type_number: int = attribute("The number of the folder's type; -1 for an ordinary one.")
    thumbnail_id: str | None = attribute("The asset id of its picture.", default=None)
    is_favorite: bool = attribute("Whether the agent has marked it as a favourite.", default=False)
    links: ItemConnection | None = loaded(
        "items_by_container", "The links that lie directly in it.", key="ref", arguments=LinkArguments
    )
    number: strawberry.Private[int] = hidden()
    """The version; it rises by one with each request that changes the folder or what lies in it."""
    extra: strawberry.Private[Extra] = hidden(default=None)

    def follow(self, before: Container) -> None:
        """Let the version rise: viewers discard what is older than what they have, and take the equal for the same."""
        if isinstance(before, SecondLifeCategory) and before.number >= self.number:
            self.number = before.number + 1

    @computed("The version: a number that rises by one with each request that changes the folder or what lies in it.")
    def version(self) -> str | None:
        """Write the number."""
        return str(self.number)

    @computed("Null: a folder has no fixed size.")
    def capacity(self) -> int | None:
        """Tell that it has none."""
        return None

    @computed("Null: a folder has no slots.")
    def free_slots(self) -> int | None:
        """Tell that it has none."""
        return None

    @computed("Null: a folder has no slots.")
    def slots(self) -> list[Annotated[Slot, strawberry.lazy("gateway.model.slot")]] | None:
        """Tell that it has none."""
        return None

    @computed("What the folder is for, such as `trash` or `current` (the current outfit); null for an ordinary one.")
    def special_purpose(self) -> str | None:
        """Name the type."""
        return PURPOSES.get(self.type_number)

    @computed("The id of the agent whose folder it is.")
    def agent_id(self) -> str:
        """Tell by the owner."""
        return agent_of(self.owner.owner)


def _allows(mask: int, bit: int) -> bool:
    return bool(mask & bit)


@graph_type
class SecondLifePermissions:
    """Who may do what with an item, as masks of bits, and whose it is."""

    base_mask: BigInt = attribute("What the item allows at all.")
    owner_mask: BigInt = attribute("What its owner may do.")
    group_mask: BigInt = attribute("What its group may do.")
    everyone_mask: BigInt = attribute("What everyone may do.")
    next_owner_mask: BigInt = attribute("What the next owner may do.")
    creator_id: str | None = attribute("Who made it.", default=None)
    owner_id: str | None = attribute("Whose it is; null where it is a group's.", default=None)
    last_owner_id: str | None = attribute("Whose it was before.", default=None)
    group_id: str | None = attribute("The group it is set to.", default=None)
    is_group_owned: bool = attribute("Whether the group owns it.", default=False)

    @computed("Whether its owner may copy it.")
    def can_copy(self) -> bool:
        """Read the bit."""
        return _allows(self.owner_mask, COPY)

    @computed("Whether its owner may change it.")
    def can_modify(self) -> bool:
        """Read the bit."""
        return _allows(self.owner_mask, MODIFY)

    @computed("Whether its owner may give it away.")
    def can_transfer(self) -> bool:
        """Read the bit."""
        return _allows(self.owner_mask, TRANSFER)

    @computed("Whether its owner may move it in the world.")
    def can_move(self) -> bool:
        """Read the bit."""
        return _allows(self.owner_mask, MOVE)

    @computed("Whether the next owner may copy it.")
    def next_owner_can_copy(self) -> bool:
        """Read the bit."""
        return _allows(self.next_owner_mask, COPY)

    @computed("Whether the next owner may change it.")
    def next_owner_can_modify(self) -> bool:
        """Read the bit."""
        return _allows(self.next_owner_mask, MODIFY)

    @computed("Whether the next owner may give it away.")
    def next_owner_can_transfer(self) -> bool:
        """Read the bit."""
        return _allows(self.next_owner_mask, TRANSFER)

    @computed("Whether everyone may copy it.")
    def everyone_can_copy(self) -> bool:
        """Read the bit."""
        return _allows(self.everyone_mask, COPY)

    @computed("Whether everyone may move it in the world.")
    def everyone_can_move(self) -> bool:
        """Read the bit."""
        return _allows(self.everyone_mask, MOVE)


@graph_type
class SecondLifeSale:
    """Whether an item is for sale, and for how much."""

    type_number: int = attribute("The number of the kind of sale.", default=0)
    price: int = attribute("The price in Linden dollars.", default=10)

    @computed("`not`, `orig`, `copy` or `cntn`: not for sale, the original, a copy, the contents.")
    def type(self) -> str | None:
        """Name the number."""
        return SALES.get(self.type_number)


@graph_type
class SecondLifeItem(Item):
    """A thing in a folder; its `kind` is the word of its asset type, such as `object`."""

    id_kind = ITEM

    description: str = attribute("A description.", default="")
    asset_id: str | None = attribute("The id of the asset behind it; null where it is not told.", default=None)
    asset_type_number: int = attribute("The number of its asset type.")
    inventory_type_number: int = attribute("The number of its inventory type.")
    flags: BigInt = attribute("Bits whose meaning depends on the type; of wearables the low byte is which kind.")
    permissions: SecondLifePermissions = attribute("Who may do what with it.")
    sale: SecondLifeSale = attribute("Whether it is for sale.")
    thumbnail_id: str | None = attribute("The asset id of its picture.", default=None)
    is_favorite: bool = attribute("Whether the agent has marked it as a favourite.", default=False)
    extra: strawberry.Private[Extra] = hidden(default=None)

    @computed("The word of its asset type.")
    def asset_type(self) -> str | None:
        """Name the number."""
        return ASSETS.get(self.asset_type_number)

    @computed("The word of its inventory type.")
    def inventory_type(self) -> str | None:
        """Name the number."""
        return INVENTORY_KINDS.get(self.inventory_type_number)

    @computed("When it came to be.")
    def created_at(self) -> datetime | None:
        """Give the time at which the agent got it, which is the same."""
        return self.acquired_at

    @computed("The id of the agent whose inventory it is in.")
    def agent_id(self) -> str:
        """Tell by the owner."""
        return agent_of(self.owner.owner)


LinkTarget = Annotated[
    SecondLifeItem | SecondLifeCategory,
    strawberry.union("LinkTarget", description="What a link may point at: an item, or a folder."),
]


@graph_type
class SecondLifeLink(Item):
    """A link to an item or a folder of the same inventory; its `kind` is `link` or `link_f`."""

    id_kind = ITEM

    description: str = attribute("A description; in the current outfit it holds the order of layers.", default="")
    asset_type_number: int = attribute("The number of its asset type: 24 for a link to an item, 25 to a folder.")
    inventory_type_number: int = attribute("The number of the inventory type of what it points at.")
    target: LinkTarget | None = loaded(
        "targets_by_ref", "What it points at; null where that is no more.", key="target_ref", pick="node"
    )
    is_broken: bool | None = loaded(
        "targets_by_ref", "Whether what it points at is no more.", key="target_ref", pick="is_broken"
    )
    extra: strawberry.Private[Extra] = hidden(default=None)

    @computed("The id of what it points at.")
    def linked_id(self) -> str:
        """Give the key."""
        return self.linked_key or ""

    @computed("The word of its asset type.")
    def asset_type(self) -> str | None:
        """Name the number."""
        return ASSETS.get(self.asset_type_number)

    @computed("The word of the inventory type of what it points at.")
    def inventory_type(self) -> str | None:
        """Name the number."""
        return INVENTORY_KINDS.get(self.inventory_type_number)

    @computed("When it came to be.")
    def created_at(self) -> datetime | None:
        """Give the time at which the agent got it, which is the same."""
        return self.acquired_at

    @computed("The id of the agent whose inventory it is in.")
    def agent_id(self) -> str:
        """Tell by the owner."""
        return agent_of(self.owner.owner)

    @property
    def target_ref(self) -> TargetRef:
        """The reference of what it points at."""
        kind = CONTAINER if self.asset_type_number == FOLDER_LINK else ITEM
        return TargetRef(*self.owner, kind, self.linked_key or "")


Thing: TypeAlias = SecondLifeItem | SecondLifeLink
"""What lies in a category."""


@graph_type
class SecondLifeAgent:
    """An agent, or the library that all agents share."""

    id: str = attribute("The agent's id.")
    is_library: bool = attribute("Whether it is the library.", default=False)


@graph_type
class SecondLifeChangeSet(ChangeSet):
    """What a write did, or would do, with the reports of Second Life."""

    broken_link_ids: list[strawberry.ID] = attribute("The links that were removed because what they pointed at was.")
    attachment_ids: list[strawberry.ID] = attribute("Of what was removed, the objects that were attached.")
    wearable_ids: list[strawberry.ID] = attribute("Of what was removed, what was worn.")
    active_gesture_ids: list[strawberry.ID] = attribute("Of what was removed, the gestures that were active.")
    total_items_removed: int = attribute("How many items and links were removed, broken links left out.")
    linked_ids: list[strawberry.ID] = attribute("What the links that were put in place of others point at, in order.")
    top_category_id: strawberry.ID | None = attribute("The folder that a copy is.", default=None)


@dataclass(slots=True, kw_only=True)
class SecondLifeCapability:
    """What is kept of a capability that we made."""

    name: str
    part: str
    agent: str


@dataclass(slots=True, kw_only=True)
class Branch:
    """A category with what lies in it; `items` and `children` are None where that was not asked for, or not told."""

    category: SecondLifeCategory
    items: Sequence[Thing] | None = None
    children: Sequence[Branch] | None = None


@dataclass(slots=True, kw_only=True)
class Orphans:
    """The items that lie in no category."""

    items: Sequence[Thing]


TYPES: tuple[type, ...] = (
    SecondLifeAgent,
    SecondLifeCategory,
    SecondLifeChangeSet,
    SecondLifeItem,
    SecondLifeLink,
)
"""Every graph type that a backend of this provider returns."""

DOCUMENTS: tuple[type, ...] = (SecondLifeCapability,)
"""What the store keeps beside them, which the graph does not show."""
