"""The game that these tests store: small concrete types with everything that is hard to keep."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any

import strawberry

from gateway.model.arguments import ContainerKind
from gateway.model.collectible import Collectible
from gateway.model.container import Container
from gateway.model.definition import ItemDefinition
from gateway.model.ids import ContainerRef, OwnerRef
from gateway.model.item import Item
from gateway.model.manifest import ProviderKey
from gateway.model.owner import InventoryOwner
from gateway.model.relations import attribute, computed, graph_interface, graph_type, hidden, loaded
from gateway.model.scalars import BigInt

PROVIDER = ProviderKey.GUILD_WARS_2
ANN = OwnerRef("guildwars2", "Ann.1234")
BEN = OwnerRef("guildwars2", "Ben.5678")


class Binding(Enum):
    """To whom an item is bound."""

    ACCOUNT = "Account"
    CHARACTER = "Character"


@graph_type
class Dye:
    """A colour of a piece."""

    color: int = attribute("The colour.")
    material: str | None = attribute("Of what.", default=None)


@graph_interface
class Effect:
    """What something does."""

    seconds: float = attribute("How long.")


@graph_type
class Healing(Effect):
    """It heals."""

    points: int = attribute("By how many points.")


@graph_type
class Speed(Effect):
    """It makes faster."""

    factor: float = attribute("By which factor.", default=1.0)
    dyes: list[Dye] = attribute("In which colours.")


@graph_type
class GameItem(Item):
    """A holding of the test's game."""

    charges: int | None = attribute("How many uses are left.", default=None)
    weight: float = attribute("How heavy it is.", default=0.5)
    bound: Binding | None = attribute("To whom it is bound.", default=None)
    upgrades: list[int | None] | None = attribute("By slot, null where there is none.", default=None)
    dyes: list[Dye | None] | None = attribute("By channel, null where it has none.", default=None)
    effect: Effect | None = attribute("What it does.", default=None)
    either: Dye | Collectible | None = attribute("One of two things.", default=None)
    grid: strawberry.Private[list[list[int | None]]] = hidden()
    seen_at: datetime | None = attribute("When it was last seen.", default=None)
    price: BigInt | None = attribute("What it costs.", default=None)
    extra: strawberry.Private[dict[str, Any]] = hidden()
    related: ItemDefinition | None = loaded("definitions_by_key", "Something like it.", key="definition_ref")

    @computed("Twice its weight.")
    def double(self) -> float:
        return self.weight * 2


@graph_type
class GameBag(Container):
    """A container of the test's game."""

    size: strawberry.Private[int | None] = hidden(default=None)
    definition_key: strawberry.Private[str | None] = hidden(default=None)
    notes: list[str | None] | None = attribute("Notes.", default=None)


@graph_type
class GameDefinition(ItemDefinition):
    """A catalogue entry of the test's game."""

    level: int = attribute("From which level on.", default=0)
    flags: list[str] = attribute("What is particular about it.")
    effect: Effect | None = attribute("What it does.", default=None)
    extra: strawberry.Private[dict[str, Any]] = hidden()


@graph_type
class GameAccount:
    """An account of the test's game."""

    world: int = attribute("Its world.")
    created: datetime = attribute("Since when it is.")
    guilds: list[str] = attribute("Its guilds.")


TYPES = (GameItem, GameBag, GameDefinition, GameAccount)


def item(key: str, owner: OwnerRef = ANN, **values: Any) -> GameItem:
    """Make an item; `sort` is its key unless given."""
    given: dict[str, Any] = {
        "key": key,
        "owner": owner,
        "sort": key,
        "grid": [],
        "extra": {},
        "quantity": BigInt(1),
        **values,
    }
    return GameItem(**given)


def bag(key: str, owner: OwnerRef = ANN, **values: Any) -> GameBag:
    """Make a bag; its name and sort are its key unless given."""
    given: dict[str, Any] = {"key": key, "owner": owner, "name": key, "sort": key, "kind": ContainerKind.BAG, **values}
    return GameBag(**given)


def definition(key: str, **values: Any) -> GameDefinition:
    """Make a catalogue entry."""
    given: dict[str, Any] = {"provider": PROVIDER, "key": key, "flags": [], "extra": {}, **values}
    return GameDefinition(**given)


def owner(ref: OwnerRef = ANN, name: str | None = "Ann") -> InventoryOwner:
    """Make an owner with a name."""
    made = InventoryOwner(provider=ProviderKey(ref.provider), key=ref.owner)
    made.name = name
    return made


def container_ref(key: str, owner: OwnerRef = ANN) -> ContainerRef:
    """Make a reference."""
    return ContainerRef(*owner, key)
