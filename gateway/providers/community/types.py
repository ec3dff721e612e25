"""The concrete graph types of a community's inventory: every field of its contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

import strawberry

from gateway.model.collectible import BlockchainToken
from gateway.model.container import Container, Contents
from gateway.model.definition import ItemDefinition
from gateway.model.ids import FactRef, PlaceRef
from gateway.model.item import Item
from gateway.model.owner import ACCOUNT
from gateway.model.relations import UNLOADED, attribute, graph_type, hidden, loaded
from gateway.model.slot import Slot
from gateway.providers.community.keys import AVATAR, PROVIDER, SLOTS, STATE, definition_sort, joined, split

Extra = dict[str, Any] | None
"""What a document holds that the contract does not know, kept for export."""

# --- the kit ----------------------------------------------------------------------------------------------------------


@graph_type
class CommunitySlot:
    """A place on the avatars of a community, as the kit has it."""

    id: str = attribute("Its id: the key of each avatar's slot.")
    key: str = attribute("A word for it, such as `head`.")
    name: str = attribute("What it is called.")
    description: str | None = attribute("What it is for.", default=None)
    order: int = attribute("Its place among the slots.")
    is_required: bool = attribute("Whether it may be changed but not emptied.", default=False)
    extra: strawberry.Private[Extra] = hidden(default=None)


@dataclass(slots=True, kw_only=True)
class CommunitySlots:
    """The slots of a kit, by order, then id."""

    slots: list[CommunitySlot]


@graph_type
class CommunityKit:
    """A community's one inventory: its catalogue of items and its slots, the same for all users."""

    id: str = attribute("The kit's id.")
    community_id: str | None = attribute("The community's id.", default=None)
    key: str = attribute("The community's key.")
    name: str = attribute("What it is called.")
    description: str | None = attribute("A description.", default=None)
    image_url: str | None = attribute("The address of a picture.", default=None)
    blockchains: list[str] = attribute("The blockchains that avatars can be minted on.")
    slot_count: int = attribute("How many slots an avatar has.")
    item_count: int = attribute("How many items there are.")
    created_at: datetime | None = attribute("When it was made.", default=None)
    updated_at: datetime | None = attribute("When it was last changed.", default=None)
    slots: list[CommunitySlot] | None = loaded(
        "facts_by_key", "The slots that every avatar has.", key="slots_ref", pick="slots"
    )
    extra: strawberry.Private[Extra] = hidden(default=None)

    @property
    def slots_ref(self) -> FactRef:
        """The reference of the slots."""
        return FactRef(PROVIDER, self.key, SLOTS, "")


@dataclass(slots=True, kw_only=True)
class CommunityAlias:
    """Another name of a community: its id."""

    key: str


# --- the catalogue ----------------------------------------------------------------------------------------------------


@graph_type
class CommunityAttribute:
    """A trait of an item."""

    trait_type: str = attribute("The trait.")
    value: str | None = attribute("What the item has of it.", default=None)


@graph_type
class CommunityItemDefinition(ItemDefinition):
    """An item of a community's catalogue; its `kind` is the item's own type, its `icon` the picture."""

    model_url: str | None = attribute("The address of a model in three dimensions.", default=None)
    slot_ids: list[str] = attribute("The keys of the slots that it fits.")
    attributes: list[CommunityAttribute] = attribute("Its traits.")
    token: BlockchainToken | None = attribute("The token that its copies are, as far as they share it.", default=None)
    created_at: datetime | None = attribute("When it was made.", default=None)
    extra: strawberry.Private[Extra] = hidden(default=None)

    @property
    def fits(self) -> Sequence[str]:
        """The slots that it is made for, each with its community."""
        community, _ = split(self.key)
        return [joined(community, slot) for slot in self.slot_ids]

    @property
    def family(self) -> str:
        """The community's key."""
        return split(self.key)[0]

    @property
    def sort(self) -> str:
        """The text that the catalogue's order goes by: name, then id."""
        return definition_sort(self.name or "", split(self.key)[1] or "")


# --- what a user has --------------------------------------------------------------------------------------------------


@graph_type
class CommunityItem(Item):
    """So many of an item that a user owns; its `kind` and `name` are those of its definition."""

    name: str | None = loaded("definitions_by_key", "What it is called.", key="definition_ref", pick="name")
    kind: str | None = loaded("definitions_by_key", "The item's type.", key="definition_ref", pick="kind")
    container: Annotated[Container, strawberry.lazy("gateway.model.container")] | None = loaded(
        "places_by_item", "The avatar, where it lies in a slot of it.", key="place_ref", pick="container"
    )
    slot: Annotated[Slot, strawberry.lazy("gateway.model.slot")] | None = loaded(
        "places_by_item", "The first slot that it lies in; null where it lies in none.", key="place_ref", pick="slot"
    )
    slots: list[Annotated[Slot, strawberry.lazy("gateway.model.slot")]] | None = loaded(
        "places_by_item", "The slots that it lies in: each copy may lie in one.", key="place_ref", pick="slots"
    )
    extra: strawberry.Private[Extra] = hidden(default=None)

    @property
    def place_ref(self) -> PlaceRef:
        """The reference of where it lies."""
        return PlaceRef(*self.owner, AVATAR, self.key)


PENDING, MINTED, FAILED = "pending", "minted", "failed"
"""The words of a mint's status."""


@graph_type
class CommunityMint:
    """An avatar recorded as a token on a blockchain."""

    blockchain: str = attribute("The blockchain.")
    version: int = attribute("The avatar's version that was recorded.")
    status: str = attribute("`pending`, `minted` or `failed`.")
    token_id: str | None = attribute("The token's id.", default=None)
    tx_hash: str | None = attribute("The hash of the transaction.", default=None)
    requested_at: datetime | None = attribute("When it was asked for.", default=None)
    minted_at: datetime | None = attribute("When it was done.", default=None)
    extra: strawberry.Private[Extra] = hidden(default=None)


@dataclass(slots=True, kw_only=True)
class CommunityAllocation:
    """What lies in one slot, by ids."""

    slot: str
    item: str
    at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class CommunityAllocations:
    """What the slots' own document tells of a user: what lies in them, and since when."""

    slots: list[CommunityAllocation]
    extra: Extra = None


@dataclass(slots=True, kw_only=True)
class CommunityOwned:
    """That what a user owns is known: until a document has told it, no slot is emptied for want of an item."""


@dataclass(slots=True, kw_only=True)
class CommunityState:
    """A user's avatar as its document tells it; `allocations` are the filled slots, `mints` the newest first."""

    number: int = 0
    inventory_id: str | None = None
    image_url: str | None = None
    model_url: str | None = None
    allocations: list[CommunityAllocation] = field(default_factory=list[CommunityAllocation])
    mints: list[CommunityMint] = field(default_factory=list[CommunityMint])
    updated_at: datetime | None = None
    extra: Extra = None

    @property
    def version(self) -> str:
        """The version as the graph shows it."""
        return str(self.number)


@graph_type
class CommunityAvatar(Container):
    """A user's figure in a community: what lies in its slots. Without a user it shows the empty slots of the kit."""

    kit: CommunityKit | None = loaded("facts_by_key", "What the avatar is put together from.", key="kit_ref")
    version: str | None = loaded(
        "facts_by_key", "A number that rises by one with each change; null for a kit.", key="state_ref", pick="version"
    )
    image_url: str | None = loaded("facts_by_key", "The address of a picture.", key="state_ref", pick="image_url")
    model_url: str | None = loaded(
        "facts_by_key", "The address of a model in three dimensions.", key="state_ref", pick="model_url"
    )
    mints: list[CommunityMint] | None = loaded(
        "facts_by_key", "What was recorded on blockchains, the newest first.", key="state_ref", pick="mints"
    )
    updated_at: datetime | None = loaded(
        "facts_by_key", "When it was last changed; null if never.", key="state_ref", pick="updated_at"
    )

    @property
    def kit_ref(self) -> FactRef:
        """The reference of the kit."""
        return FactRef(PROVIDER, split(self.owner.owner)[0], ACCOUNT, "")

    @property
    def state_ref(self) -> FactRef | None:
        """The reference of the avatar's own document; None without a user."""
        return None if split(self.owner.owner)[1] is None else FactRef(*self.owner, STATE, "")


@dataclass(slots=True, kw_only=True)
class CommunityContents(Contents):
    """What lies in an avatar's slots, and the state that tells so."""

    state: CommunityState

    def release(self) -> None:
        """Part the items from their slots."""
        Contents.release(self)
        for item in self.items:
            item.slots = UNLOADED  # type: ignore[attr-defined] -- of this provider


@dataclass(slots=True, kw_only=True)
class CommunityWallet:
    """A user's wallet on a blockchain."""

    blockchain: str
    address: str


@dataclass(slots=True, kw_only=True)
class CommunityWallets:
    """A user's wallets."""

    wallets: list[CommunityWallet]


@graph_type
class CommunityUser:
    """A user of a community."""

    id: str = attribute("The user's id.")
    key: str = attribute("The community's key.")
    kit: CommunityKit | None = loaded("facts_by_key", "The community's kit.", key="kit_ref")

    @property
    def kit_ref(self) -> FactRef:
        """The reference of the kit."""
        return FactRef(PROVIDER, self.key, ACCOUNT, "")


@dataclass(slots=True, kw_only=True)
class CommunityCredential:
    """What is kept of a session or refresh token that we made."""

    name: str


TYPES: tuple[type, ...] = (
    CommunityAvatar,
    CommunityItem,
    CommunityItemDefinition,
    CommunityKit,
    CommunitySlot,
    CommunityUser,
)
"""Every graph type that a backend of this provider returns."""

DOCUMENTS: tuple[type, ...] = (
    CommunityAlias,
    CommunityAllocations,
    CommunityCredential,
    CommunityOwned,
    CommunitySlots,
    CommunityState,
    CommunityWallets,
)
"""What the store keeps beside them, which the graph does not show."""
