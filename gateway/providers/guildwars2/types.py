"""The concrete graph types of Guild Wars 2: every field of its contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import strawberry

from gateway.model.container import Container, Contents
from gateway.model.definition import ItemDefinition
from gateway.model.ids import DefinitionRef, FactRef
from gateway.model.item import Item
from gateway.model.manifest import ProviderKey
from gateway.model.owner import CREDENTIAL
from gateway.model.relations import UNLOADED, attribute, computed, graph_type, hidden, loaded, shape
from gateway.model.scalars import BigInt

PROVIDER = ProviderKey.GUILD_WARS_2.value
UNDYED = (None, 1)
"""What an undyed channel reads: null by the document, colour 1 ("Dye Remover") in recorded answers."""

CHARACTER = "character"
"""A kind of fact, beside the account and the credential: what is told about a character, by its name."""


def _definition(family: str, number: int | None) -> DefinitionRef | None:
    return None if number is None else DefinitionRef(PROVIDER, f"{family}:{number}")


# --- definitions ------------------------------------------------------------------------------------------------------


@graph_type
class GuildWars2InfusionSlot:
    """A place for an infusion in a piece of equipment."""

    flags: list[str] = attribute("What may go in.")
    item_id: int | None = attribute("The infusion that is in it already.", default=None)


@graph_type
class GuildWars2AttributeModifier:
    """How much of an attribute a piece of equipment gives."""

    key: str = attribute("The attribute, in the service's own word.")
    modifier: int = attribute("How much of it.")


@graph_type
class GuildWars2Buff:
    """An effect that comes with a piece of equipment."""

    skill_id: int = attribute("The skill behind the effect.")
    description: str | None = attribute("What it does.", default=None)


@graph_type
class GuildWars2InfixUpgrade:
    """The attributes that are fixed in a piece of equipment."""

    id: int = attribute("The id of the attribute combination.")
    attributes: list[GuildWars2AttributeModifier] = attribute("The attributes and how much of each.")
    buff: GuildWars2Buff | None = attribute("The effect that comes with it.", default=None)


@graph_type
class GuildWars2ItemDetails:
    """What only some types of item have."""

    type: str | None = attribute("The type within the item's type, such as `Axe` or `Coat`.", default=None)
    weight_class: str | None = attribute("The armor's weight.", default=None)
    damage_type: str | None = attribute("The weapon's kind of damage.", default=None)
    min_power: int | None = attribute("The weapon's least strength.", default=None)
    max_power: int | None = attribute("The weapon's greatest strength.", default=None)
    defense: int | None = attribute("The defense that it gives.", default=None)
    infusion_slots: list[GuildWars2InfusionSlot] | None = attribute("Its places for infusions.", default=None)
    attribute_adjustment: float | None = attribute("What its attributes are worked out from.", default=None)
    infix_upgrade: GuildWars2InfixUpgrade | None = attribute("The attributes that are fixed in it.", default=None)
    suffix_item_id: int | None = attribute("The upgrade that is in it already.", default=None)
    secondary_suffix_item_id: int | None = attribute("The second upgrade that is in it already.", default=None)
    stat_choices: list[int] | None = attribute("The attribute combinations to choose from.", default=None)
    size: int | None = attribute("The bag's number of slots.", default=None)
    no_sell_or_sort: bool | None = attribute("Whether the bag is left out of selling and sorting.", default=None)
    charges: int | None = attribute("The tool's number of uses.", default=None)
    description: str | None = attribute("What consuming it does.", default=None)
    duration_ms: int | None = attribute("How long its effect lasts, in milliseconds.", default=None)
    unlock_type: str | None = attribute("What it unlocks.", default=None)
    color_id: int | None = attribute("The dye that it unlocks.", default=None)
    recipe_id: int | None = attribute("The recipe that it unlocks.", default=None)
    extra_recipe_ids: list[int] | None = attribute("More recipes that it unlocks.", default=None)
    guild_upgrade_id: int | None = attribute("The guild upgrade that it gives.", default=None)
    apply_count: int | None = attribute("How many times its effect is applied.", default=None)
    name: str | None = attribute("The name of its effect.", default=None)
    icon: str | None = attribute("The picture of its effect.", default=None)
    skins: list[int] | None = attribute("The skins that it unlocks.", default=None)
    minipet_id: int | None = attribute("The miniature that it unlocks.", default=None)
    vendor_ids: list[int] | None = attribute("The vendors that it calls.", default=None)
    flags: list[str] | None = attribute("What the upgrade may go into.", default=None)
    infusion_upgrade_flags: list[str] | None = attribute("Which kind of infusion it is.", default=None)
    suffix: str | None = attribute("What the upgrade adds to a name.", default=None)
    bonuses: list[str] | None = attribute("What the rune gives, by number worn.", default=None)


@graph_type
class GuildWars2Upgrade:
    """An item that another is turned into or comes from."""

    upgrade: str = attribute("How it is done.")
    item_id: int = attribute("The other item's id.")


@graph_type
class GuildWars2ItemDefinition(ItemDefinition):
    """An item of Guild Wars 2 (`/v2/items`); its `kind` is the item's type."""

    level: int = attribute("The level that it takes to use it.", default=0)
    vendor_value: int = attribute("What a vendor pays, in copper coins; not for items that cannot be sold.", default=0)
    default_skin_id: int | None = attribute("The id of the skin that it has of itself.", default=None)
    game_types: list[str] = attribute("Where in the game it may be used.")
    flags: list[str] = attribute("Rules of its kind, such as `AccountBound` or `NoSell`.")
    restrictions: list[str] = attribute("Who may use it; all, if empty.")
    chat_link: str = attribute("The code that shows it in the game's chat.")
    details: GuildWars2ItemDetails | None = attribute("What only some types of item have.", default=None)
    upgrades_into: list[GuildWars2Upgrade] | None = attribute("What it can be turned into.", default=None)
    upgrades_from: list[GuildWars2Upgrade] | None = attribute("What it can be made from.", default=None)
    default_skin: GuildWars2Skin | None = loaded(
        "definitions_by_key", "The skin that it has of itself.", key="default_skin_ref"
    )
    extra: strawberry.Private[dict[str, Any] | None] = hidden(default=None)

    @property
    def default_skin_ref(self) -> DefinitionRef | None:
        """The reference of its own skin."""
        return _definition("skin", self.default_skin_id)


@graph_type
class GuildWars2DyeSlot:
    """A part of a skin that takes a dye."""

    color_id: int = attribute("The colour that it has of itself.")
    material: str = attribute("The material, which a dye looks different on.")


@graph_type
class GuildWars2DyeOverride:
    """The parts that take a dye on one body."""

    body: str = attribute("The race and sex.")
    slots: list[GuildWars2DyeSlot | None] = attribute("The parts in order; null where a channel is not used.")


@graph_type
class GuildWars2DyeSlots:
    """The parts of a skin that take a dye."""

    default: list[GuildWars2DyeSlot | None] = attribute("The parts in order; null where a channel is not used.")
    overrides: list[GuildWars2DyeOverride] = attribute("Bodies on which the parts differ.")


@graph_type
class GuildWars2SkinDetails:
    """What only some types of skin have."""

    type: str | None = attribute("The type within the skin's type.", default=None)
    weight_class: str | None = attribute("The armor's weight.", default=None)
    damage_type: str | None = attribute("The weapon's kind of damage.", default=None)
    dye_slots: GuildWars2DyeSlots | None = attribute("The parts that take a dye.", default=None)


@graph_type
class GuildWars2Skin(ItemDefinition):
    """A look that equipment can be given (`/v2/skins`); its `kind` is the skin's type."""

    flags: list[str] = attribute("Where it is shown.")
    restrictions: list[str] = attribute("Who may use it; all, if empty.")
    details: GuildWars2SkinDetails | None = attribute("What only some types of skin have.", default=None)
    extra: strawberry.Private[dict[str, Any] | None] = hidden(default=None)


@graph_type
class GuildWars2StatAttribute:
    """How an attribute combination works out one attribute."""

    key: str = attribute("The attribute, in the service's own word.")
    multiplier: float = attribute("What the item's `attributeAdjustment` is multiplied by.")
    value: float = attribute("What is added.")


@graph_type
class GuildWars2ItemStat(ItemDefinition):
    """A combination of attributes that equipment can have (`/v2/itemstats`)."""

    attributes: list[GuildWars2StatAttribute] = attribute("The attributes.")
    extra: strawberry.Private[dict[str, Any] | None] = hidden(default=None)


@graph_type
class GuildWars2Dye:
    """How a colour looks on one material."""

    brightness: float = attribute("The shift in brightness.")
    contrast: float = attribute("The factor of contrast.")
    hue: float = attribute("The hue, in degrees.")
    saturation: float = attribute("The factor of saturation.")
    lightness: float = attribute("The factor of lightness.")
    rgb: list[int] = attribute("The colour that results: red, green, blue, 0 to 255.")


@graph_type
class GuildWars2Color(ItemDefinition):
    """A dye (`/v2/colors`)."""

    base_rgb: list[int] = attribute("The colour that it starts from: red, green, blue, 0 to 255.")
    cloth: GuildWars2Dye = attribute("How it looks on cloth.")
    leather: GuildWars2Dye = attribute("How it looks on leather.")
    metal: GuildWars2Dye = attribute("How it looks on metal.")
    fur: GuildWars2Dye | None = attribute("How it looks on fur.", default=None)
    item_id: int | None = attribute("The id of the item that unlocks it.", default=None)
    categories: list[str] = attribute("Its hue, material and rarity, in words.")
    item: GuildWars2ItemDefinition | None = loaded("definitions_by_key", "The item that unlocks it.", key="item_ref")
    extra: strawberry.Private[dict[str, Any] | None] = hidden(default=None)

    @property
    def item_ref(self) -> DefinitionRef | None:
        """The reference of the item that unlocks it."""
        return _definition("item", self.item_id)


@graph_type
class GuildWars2MaterialCategory(ItemDefinition):
    """A section of the material storage (`/v2/materials`)."""

    order: int = attribute("Its place in the game's window.")
    item_ids: list[int] = attribute("The ids of the materials that it holds.")
    extra: strawberry.Private[dict[str, Any] | None] = hidden(default=None)


# --- items ------------------------------------------------------------------------------------------------------------


@graph_type
class GuildWars2Attribute:
    """How much of an attribute a piece of equipment has."""

    key: str = attribute("The attribute, in the service's own word.")
    amount: float = attribute("How much of it.")


@graph_type
class GuildWars2Stats:
    """The attributes that were chosen for a piece of equipment."""

    id: int = attribute("The id of the attribute combination.")
    attributes: list[GuildWars2Attribute] | None = attribute("The attributes that are not zero.", default=None)
    definition: GuildWars2ItemStat | None = loaded(
        "definitions_by_key", "The attribute combination.", key="definition_ref"
    )

    @property
    def definition_ref(self) -> DefinitionRef | None:
        """The reference of the attribute combination."""
        return _definition("stat", self.id)


@graph_type
class GuildWars2Item(Item):
    """A stack of Guild Wars 2; its `kind` and `name` are those of its definition."""

    name: str | None = loaded("definitions_by_key", "What it is called.", key="definition_ref", pick="name")
    kind: str | None = loaded("definitions_by_key", "The item's type.", key="definition_ref", pick="kind")
    charges: int | None = attribute("How often it can still be used.", default=None)
    skin_id: int | None = attribute("The id of the skin that it was given.", default=None)
    upgrade_ids: list[int] | None = attribute("The ids of the runes and sigils in it.", default=None)
    infusion_ids: list[int] | None = attribute("The ids of the infusions in it.", default=None)
    stats: GuildWars2Stats | None = attribute("The attributes that were chosen for it.", default=None)
    dye_ids: list[int | None] | None = attribute(
        "The ids of its dyes by channel, as the service gives them: null and 1 both mean undyed.", default=None
    )
    binding: str | None = attribute(
        "Whom it is bound to: `Account` or `Character`; null where it is not.", default=None
    )
    bound_to: str | None = attribute("The name of the character that it is bound to.", default=None)
    skin: GuildWars2Skin | None = loaded("definitions_by_key", "The skin that it was given.", key="skin_ref")
    upgrades: list[GuildWars2ItemDefinition | None] | None = loaded(
        "definitions_by_key", "The runes and sigils in it.", key="upgrade_refs", many=True
    )
    infusions: list[GuildWars2ItemDefinition | None] | None = loaded(
        "definitions_by_key", "The infusions in it.", key="infusion_refs", many=True
    )
    dyes: list[GuildWars2Color | None] | None = loaded(
        "definitions_by_key", "Its dyes by channel; null where undyed.", key="dye_refs", many=True
    )
    given_slot_indices: strawberry.Private[list[int] | None] = hidden(default=None)
    extra: strawberry.Private[dict[str, Any] | None] = hidden(default=None)

    @computed("Which upgrade slot each of `upgrades` fills.")
    def upgrade_slot_indices(self) -> list[int] | None:
        """Old data does not tell: there, they fill the slots from 0."""
        if self.given_slot_indices is not None or self.upgrade_ids is None:
            return self.given_slot_indices
        return list(range(len(self.upgrade_ids)))

    @property
    def skin_ref(self) -> DefinitionRef | None:
        """The reference of the skin that it was given."""
        return _definition("skin", self.skin_id)

    @property
    def upgrade_refs(self) -> list[DefinitionRef | None] | None:
        """The references of the runes and sigils in it."""
        return None if self.upgrade_ids is None else [_definition("item", number) for number in self.upgrade_ids]

    @property
    def infusion_refs(self) -> list[DefinitionRef | None] | None:
        """The references of the infusions in it."""
        return None if self.infusion_ids is None else [_definition("item", number) for number in self.infusion_ids]

    @property
    def dye_refs(self) -> list[DefinitionRef | None] | None:
        """The references of its dyes, None where undyed."""
        if self.dye_ids is None:
            return None
        return [None if number in UNDYED else _definition("color", number) for number in self.dye_ids]


# --- containers -------------------------------------------------------------------------------------------------------


@graph_type
class GuildWars2Crafting:
    """A craft that a character has learned."""

    discipline: str = attribute("The craft.")
    rating: int = attribute("How far it has been learned, to 500.")
    active: bool = attribute("Whether it is in use.")


@graph_type
class GuildWars2CharacterSummary:
    """What the service tells about a character beside its inventory (`/v2/characters/:id`)."""

    name: str = attribute("The character's name.")
    race: str | None = attribute("The race.", default=None)
    gender: str | None = attribute("The sex.", default=None)
    profession: str | None = attribute("The profession.", default=None)
    level: int | None = attribute("The level, to 80.", default=None)
    guild: str | None = attribute("The id of the guild that it represents.", default=None)
    age: int | None = attribute("How long it has been played, in seconds.", default=None)
    created: datetime | None = attribute("When it was made.", default=None)
    last_modified: datetime | None = attribute("When the service last saw it change.", default=None)
    deaths: int | None = attribute("How often it was defeated.", default=None)
    title: int | None = attribute("The id of the title that it bears.", default=None)
    crafting: list[GuildWars2Crafting] | None = attribute("The crafts that it has learned.", default=None)
    build_tabs_unlocked: int | None = attribute("How many builds it can keep.", default=None)
    active_build_tab: int | None = attribute("The build in use, from 1.", default=None)
    equipment_tabs_unlocked: int | None = attribute("How many sets of equipment it can keep.", default=None)
    active_equipment_tab: int | None = attribute("The set of equipment in use, from 1.", default=None)
    extra: strawberry.Private[dict[str, Any] | None] = hidden(default=None)


@graph_type
class GuildWars2Bag(Container):
    """A bag that a character carries."""

    index: int = attribute("The bag slot that it is in, from 0.")
    size: int = attribute("How many slots it has, as the service says.")
    definition: GuildWars2ItemDefinition | None = loaded(
        "definitions_by_key", "The item that the bag is.", key="definition_ref"
    )
    definition_key: strawberry.Private[str | None] = hidden(default=None)
    extra: strawberry.Private[dict[str, Any] | None] = hidden(default=None)

    @property
    def definition_ref(self) -> DefinitionRef | None:
        """The reference of the item that the bag is."""
        return None if self.definition_key is None else DefinitionRef(PROVIDER, self.definition_key)


@graph_type
class GuildWars2BagSlot:
    """A place for a bag; one that is empty keeps its place."""

    index: int = attribute("The place, from 0.")
    bag: GuildWars2Bag | None = attribute("The bag; null where there is none.")


@graph_type
class GuildWars2Character(Container):
    """A character; the bags that it carries are containers within it."""

    bag_slots: list[GuildWars2BagSlot] | None = loaded(
        "contents_by_container",
        "Its unlocked bag slots in order, the empty ones too.",
        key="ref",
        pick="bag_slots",
    )
    summary: GuildWars2CharacterSummary | None = loaded(
        "facts_by_key", "What the service tells about it beside its inventory.", key="summary_ref"
    )
    bag_slot_count: strawberry.Private[int] = hidden(default=0)
    extra: strawberry.Private[dict[str, Any] | None] = hidden(default=None)

    @property
    def summary_ref(self) -> FactRef:
        """The reference of what the service tells about it."""
        return FactRef(*self.owner, CHARACTER, self.name)


@graph_type
class GuildWars2Storage(Container):
    """Storage of the whole account: the bank, the shared slots, the material storage and its sections."""

    category: GuildWars2MaterialCategory | None = loaded(
        "definitions_by_key", "The catalogue entry of a section of the material storage.", key="category_ref"
    )
    definition_key: strawberry.Private[str | None] = hidden(default=None)
    slot_count: strawberry.Private[int | None] = hidden(default=None)

    @property
    def category_ref(self) -> DefinitionRef | None:
        """The reference of the section's catalogue entry."""
        return None if self.definition_key is None else DefinitionRef(PROVIDER, self.definition_key)


@dataclass(slots=True, kw_only=True)
class CharacterContents(Contents):
    """What a character carries: its bags with what lies in them; `inside` are the bags' own contents by index."""

    bag_slots: list[GuildWars2BagSlot]
    inside: Mapping[int, Contents]

    def release(self) -> None:
        """Part the character from its bags, and each bag from its slots."""
        cast("GuildWars2Character", self.container).bag_slots = UNLOADED
        for contents in self.inside.values():
            contents.release()


# --- the owner --------------------------------------------------------------------------------------------------------


@graph_type
class GuildWars2Token:
    """What the service tells about the API key in use (`/v2/tokeninfo`)."""

    id: str = attribute("The key's own id; not the key.")
    name: str = attribute("What its owner calls it: raw text, which may hold markup.")
    permissions: list[str] = attribute("The scopes that it has.")
    type: str | None = attribute("`APIKey` or `Subtoken`.", default=None)
    issued_at: datetime | None = attribute("When the subtoken was issued.", default=None)
    expires_at: datetime | None = attribute("When the subtoken ends.", default=None)
    urls: list[str] | None = attribute("The only paths that the subtoken may be used for.", default=None)
    extra: strawberry.Private[dict[str, Any] | None] = hidden(default=None)


@graph_type
class GuildWars2WorldVersusWorld:
    """An account's place in World versus World."""

    team_id: int | None = attribute("The team.", default=None)
    rank: int | None = attribute("The rank.", default=None)


@graph_type
class GuildWars2Account:
    """What the service tells about an account (`/v2/account`)."""

    id: str = attribute("The account's GUID.")
    name: str = attribute("The account's name, with its number.")
    age: BigInt | None = attribute("How long it has been played, in seconds.", default=None)
    world: int | None = attribute("The id of the home world.", default=None)
    guilds: list[str] | None = attribute("The ids of the guilds that it is in.", default=None)
    guild_leader: list[str] | None = attribute("The ids of the guilds that it leads.", default=None)
    created: datetime | None = attribute("When it was made.", default=None)
    access: list[str] | None = attribute("The games that it owns.", default=None)
    commander: bool | None = attribute("Whether it has bought a commander tag.", default=None)
    last_modified: datetime | None = attribute("When the service last saw it change.", default=None)
    fractal_level: int | None = attribute("The personal fractal level.", default=None)
    daily_ap: int | None = attribute("The daily achievement points.", default=None)
    monthly_ap: int | None = attribute("The monthly achievement points.", default=None)
    build_storage_slots: int | None = attribute("How many builds it can store.", default=None)
    wvw: GuildWars2WorldVersusWorld | None = attribute("Its place in World versus World.", default=None)
    token: GuildWars2Token | None = loaded("facts_by_key", "About the API key in use.", key="token_ref")
    extra: strawberry.Private[dict[str, Any] | None] = hidden(default=None)

    @property
    def token_ref(self) -> FactRef:
        """The reference of what the service tells about the API key in use."""
        return FactRef(PROVIDER, self.name, CREDENTIAL, "")


TYPES: tuple[type, ...] = (
    GuildWars2Account,
    GuildWars2Bag,
    GuildWars2Character,
    GuildWars2CharacterSummary,
    GuildWars2Color,
    GuildWars2Item,
    GuildWars2ItemDefinition,
    GuildWars2ItemStat,
    GuildWars2MaterialCategory,
    GuildWars2Skin,
    GuildWars2Storage,
    GuildWars2Token,
)
"""Every type that a backend of this provider returns."""


shape(
    GuildWars2Item,
    *("owner", "key", "container_key", "slot_key", "sort", "definition_key", "quantity", "container", "slot"),
    *("binding", "bound_to", "charges", "skin_id", "upgrade_ids", "given_slot_indices", "infusion_ids", "dye_ids"),
    *("stats", "extra"),
)
shape(
    GuildWars2Bag,
    *("owner", "key", "parent_key", "sort", "name", "kind", "index", "size", "definition_key"),
    *("parent", "capacity", "free_slots", "slots", "extra"),
)
shape(
    GuildWars2ItemDefinition,
    *("provider", "key", "kind", "name", "description", "icon", "rarity", "level", "vendor_value", "default_skin_id"),
    *("game_types", "flags", "restrictions", "chat_link", "details", "upgrades_into", "upgrades_from", "extra"),
)
