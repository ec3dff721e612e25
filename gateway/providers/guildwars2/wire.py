"""The payloads of the Guild Wars 2 API, both ways: strict in what is written, forgiving in what is read."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar, cast

import msgspec

from gateway.model.arguments import ContainerKind
from gateway.model.container import Container
from gateway.model.definition import ItemDefinition
from gateway.model.errors import UpstreamInvalid
from gateway.model.ids import OwnerRef
from gateway.model.item import Item
from gateway.model.manifest import ProviderKey
from gateway.model.ports import Holdings
from gateway.model.relations import bare
from gateway.model.scalars import BigInt, parse_time, render_time
from gateway.model.slot import Slot
from gateway.providers.guildwars2 import types as graph
from gateway.providers.guildwars2.keys import (
    BANK,
    MATERIALS,
    SHARED,
    STORAGE_SORT,
    bag_sort,
    category_key,
    category_sort,
    character_key,
    character_sort,
    item_key,
    number_of,
    place_sort,
    slot_keys,
    slot_sorts,
)
from gateway.providers.guildwars2.types import (
    GuildWars2Account,
    GuildWars2Attribute,
    GuildWars2Bag,
    GuildWars2Character,
    GuildWars2CharacterSummary,
    GuildWars2Color,
    GuildWars2Item,
    GuildWars2ItemDefinition,
    GuildWars2ItemStat,
    GuildWars2MaterialCategory,
    GuildWars2Skin,
    GuildWars2Stats,
    GuildWars2Storage,
    GuildWars2Token,
)
from gateway.providers.leftovers import merged

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

# --- the shapes, in the order in which their keys are written ---------------------------------------------------------

# The graph's Int has 32 bits, its BigInt 64, and its Float is exact to 53: what passes them is nothing of this service.
Int = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Id = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Amount = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Number = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)] | float

# Far beyond any that was seen: a size is laid out slot by slot.
MOST_SLOTS, MOST_BAGS, MOST_CATEGORY = 10_000, 1_000, 999_999


class WireId(msgspec.Struct):
    """What tells which entry of a batch this is."""

    id: Id


class WireStats(msgspec.Struct):
    """`stats` of an item."""

    id: Id
    attributes: dict[str, Number] | None = None


class WireItem(msgspec.Struct):
    """A stack, as in inventory, bank and shared slots."""

    id: Id
    # Not said to be optional, but a stack without a count is still a stack.
    count: Amount = 1
    charges: Int | None = None
    infusions: list[Id] | None = None
    upgrades: list[Id] | None = None
    upgrade_slot_indices: list[Int] | None = None
    skin: Id | None = None
    stats: WireStats | None = None
    dyes: list[Id | None] | None = None
    binding: str | None = None
    bound_to: str | None = None


class WireBag(msgspec.Struct):
    """A bag with its slots."""

    id: Id
    size: Annotated[int, msgspec.Meta(ge=0, le=MOST_SLOTS)]
    inventory: Annotated[list[WireItem | None], msgspec.Meta(max_length=MOST_SLOTS)]


class WireInventory(msgspec.Struct):
    """`/v2/characters/:id/inventory`."""

    bags: Annotated[list[WireBag | None], msgspec.Meta(max_length=MOST_BAGS)]


class WireMaterial(msgspec.Struct):
    """An entry of `/v2/account/materials`."""

    id: Id
    category: Annotated[int, msgspec.Meta(ge=0, le=MOST_CATEGORY)]
    count: Amount
    binding: str | None = None


class WireInfusionSlot(msgspec.Struct):
    flags: list[str] = []
    item_id: Id | None = None


class WireAttributeModifier(msgspec.Struct):
    key: str = msgspec.field(name="attribute")
    modifier: Int


class WireBuff(msgspec.Struct):
    skill_id: Id
    description: str | None = None


class WireInfixUpgrade(msgspec.Struct):
    id: Id
    attributes: list[WireAttributeModifier] = []
    buff: WireBuff | None = None


class WireItemDetails(msgspec.Struct):
    type: str | None = None
    weight_class: str | None = None
    damage_type: str | None = None
    min_power: Int | None = None
    max_power: Int | None = None
    defense: Int | None = None
    infusion_slots: list[WireInfusionSlot] | None = None
    attribute_adjustment: Number | None = None
    infix_upgrade: WireInfixUpgrade | None = None
    suffix_item_id: Id | None = None
    # A string before the schema of 2020-11-17, empty for none.
    secondary_suffix_item_id: Id | str | None = None
    stat_choices: list[Id] | None = None
    size: Int | None = None
    no_sell_or_sort: bool | None = None
    charges: Int | None = None
    description: str | None = None
    duration_ms: Int | None = None
    unlock_type: str | None = None
    color_id: Id | None = None
    recipe_id: Id | None = None
    extra_recipe_ids: list[Id] | None = None
    guild_upgrade_id: Id | None = None
    apply_count: Int | None = None
    name: str | None = None
    icon: str | None = None
    skins: list[Id] | None = None
    minipet_id: Id | None = None
    vendor_ids: list[Id] | None = None
    flags: list[str] | None = None
    infusion_upgrade_flags: list[str] | None = None
    suffix: str | None = None
    bonuses: list[str] | None = None


class WireUpgrade(msgspec.Struct):
    upgrade: str
    item_id: Id


class WireItemDefinition(msgspec.Struct):
    """`/v2/items`."""

    id: Id
    name: str
    type: str
    level: Int
    rarity: str
    vendor_value: Int
    # Empty ones are left out by some who speak this dialect.
    game_types: list[str] = []
    flags: list[str] = []
    restrictions: list[str] = []
    chat_link: str | None = None
    icon: str | None = None
    description: str | None = None
    default_skin: Id | None = None
    details: WireItemDetails | None = None
    upgrades_into: list[WireUpgrade] | None = None
    upgrades_from: list[WireUpgrade] | None = None


class WireDyeSlot(msgspec.Struct):
    color_id: Id
    material: str


class WireDyeSlots(msgspec.Struct):
    default: list[WireDyeSlot | None] = []
    overrides: dict[str, list[WireDyeSlot | None]] = {}


class WireSkinDetails(msgspec.Struct):
    type: str | None = None
    weight_class: str | None = None
    damage_type: str | None = None
    dye_slots: WireDyeSlots | None = None


class WireSkin(msgspec.Struct):
    """`/v2/skins`."""

    id: Id
    name: str
    type: str
    flags: list[str]
    restrictions: list[str]
    rarity: str | None = None
    icon: str | None = None
    description: str | None = None
    details: WireSkinDetails | None = None


class WireStatAttribute(msgspec.Struct):
    key: str = msgspec.field(name="attribute")
    multiplier: Number
    value: Number


class WireItemStat(msgspec.Struct):
    """`/v2/itemstats`; an older sketch had a map of attributes."""

    id: Id
    name: str
    attributes: list[WireStatAttribute] | dict[str, Number]


class WireDye(msgspec.Struct):
    brightness: Number
    contrast: Number
    hue: Number
    saturation: Number
    lightness: Number
    rgb: list[Int]


class WireColor(msgspec.Struct):
    """`/v2/colors`."""

    id: Id
    name: str
    base_rgb: list[Int]
    cloth: WireDye
    leather: WireDye
    metal: WireDye
    fur: WireDye | None = None
    item: Id | None = None
    categories: list[str] | None = None


class WireMaterialCategory(msgspec.Struct):
    """`/v2/materials`."""

    id: Id
    name: str
    items: list[Id]
    order: Int


class WireWorldVersusWorld(msgspec.Struct):
    team_id: Int | None = None
    rank: Int | None = None


class WireAccount(msgspec.Struct):
    """`/v2/account` in the schema of 2024-07-20; `wvw_rank` is read from older ones."""

    id: str
    name: str
    age: Amount | None = None
    last_modified: str | None = None
    world: Int | None = None
    guilds: list[str] | None = None
    guild_leader: list[str] | None = None
    created: str | None = None
    access: list[str] | None = None
    commander: bool | None = None
    fractal_level: Int | None = None
    daily_ap: Int | None = None
    monthly_ap: Int | None = None
    build_storage_slots: Int | None = None
    wvw: WireWorldVersusWorld | None = None
    wvw_rank: Int | None = None


class WireCrafting(msgspec.Struct):
    discipline: str
    rating: Int
    active: bool


class WireCharacter(msgspec.Struct):
    """`/v2/characters/:id`, without `bags`."""

    name: str
    race: str | None = None
    gender: str | None = None
    profession: str | None = None
    level: Int | None = None
    guild: str | None = None
    age: Int | None = None
    created: str | None = None
    last_modified: str | None = None
    deaths: Int | None = None
    title: Int | None = None
    crafting: list[WireCrafting] | None = None
    build_tabs_unlocked: Int | None = None
    active_build_tab: Int | None = None
    equipment_tabs_unlocked: Int | None = None
    active_equipment_tab: Int | None = None


class WireToken(msgspec.Struct):
    """`/v2/tokeninfo`."""

    id: str
    name: str
    permissions: list[str]
    type: str | None = None
    issued_at: str | None = None
    expires_at: str | None = None
    urls: list[str] | None = None


# --- reading ----------------------------------------------------------------------------------------------------------


def decode(data: bytes, shape: type[T]) -> T:
    """Read an answer of the service; UpstreamInvalid tells where its shape is another."""
    try:
        return msgspec.json.decode(data, type=shape, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UpstreamInvalid(f"The service's answer is not in its format: {_told(error)}.") from None


def _told(error: Exception) -> str:
    # msgspec tells the types and the path, never a value
    return str(error) if isinstance(error, msgspec.ValidationError) else "it is not JSON"


def _graph(kind: type[T], wire: object, **others: object) -> T:
    """Make a graph type from the wire struct whose fields have the same names."""
    made, struct = bare(kind), cast("Any", wire)
    for name in struct.__struct_fields__:
        value = others[name] if name in others else getattr(struct, name)
        # Most of what is optional is absent, and its class says so.
        if value is not None or getattr(kind, name, made) is not None:
            setattr(made, name, value)
    return made


def _maybe(make: Callable[[Any], T], value: object) -> T | None:
    return None if value is None else make(value)


def _each(make: Callable[[Any], T], values: Iterable[Any] | None) -> list[T] | None:
    return None if values is None else [make(value) for value in values]


def _time(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        return parse_time(text)
    except (ValueError, OverflowError):
        raise UpstreamInvalid("One of its times is in no known format.") from None


# The names that the game shows, accepted for the ones that the API writes.
_SYNONYMS = {
    "Expertise": "ConditionDuration",
    "Ferocity": "CritDamage",
    "Concentration": "BoonDuration",
    "HealingPower": "Healing",
}


def _stats(wire: WireStats) -> GuildWars2Stats:
    stats = bare(GuildWars2Stats)
    stats.id = wire.id
    if wire.attributes is not None:
        stats.attributes = [_attribute(key, amount) for key, amount in wire.attributes.items()]
    return stats


def _attribute(key: str, amount: float) -> GuildWars2Attribute:
    attribute = bare(GuildWars2Attribute)
    # Keys have no spaces, though the service's document writes some with one.
    key = key.replace(" ", "")
    attribute.key, attribute.amount = _SYNONYMS.get(key, key), amount
    return attribute


def _items(wire: Sequence[WireItem | None], owner: OwnerRef, container: str, container_sort: str) -> list[Item]:
    """Make the stacks of a container of slots; what a stack lacks, its class has."""
    items: list[Item] = []
    prefix, count = f"{container}/", len(wire)
    # `bare`, in place: at a thousand stacks even the call counts.
    new = object.__new__
    for slot, sort, found in zip(slot_keys(count), slot_sorts(count), wire, strict=True):
        if found is None:
            continue
        item = new(GuildWars2Item)
        item.owner = owner
        item.key = prefix + slot
        item.container_key = container
        item.slot_key = slot
        item.sort = container_sort + sort
        item.definition_key = item_key(found.id)
        item.quantity = found.count  # type: ignore[assignment]
        if found.charges is not None:
            item.charges = found.charges
        if found.infusions is not None:
            item.infusion_ids = found.infusions
        if found.upgrades is not None:
            item.upgrade_ids = found.upgrades
        if found.upgrade_slot_indices is not None:
            item.given_slot_indices = found.upgrade_slot_indices
        if found.skin is not None:
            item.skin_id = found.skin
        if found.stats is not None:
            item.stats = _stats(found.stats)
        if found.dyes is not None:
            item.dye_ids = found.dyes
        if found.binding is not None:
            item.binding = found.binding
            # Without `Character` it means nothing.
            if found.binding == "Character":
                item.bound_to = found.bound_to
        items.append(item)
    return items


def parse_inventory(wire: WireInventory, owner: OwnerRef, name: str) -> Holdings:
    """Read a character's bags: `/v2/characters/:id/inventory`."""
    key, bags, items = character_key(name), list[Container](), list[Item]()
    for index, found in enumerate(wire.bags):
        if found is None:
            continue
        bag = bare(GuildWars2Bag)
        bag.owner = owner
        bag.key = f"{key}/{index}"
        bag.parent_key = key
        bag.sort = bag_sort(name, index)
        bag.name = f"Bag {index + 1}"
        bag.kind = ContainerKind.BAG
        bag.index = index
        # Longer than the bag says: the longer length counts. Kept through empty places at the end as well.
        bag.size = max(found.size, len(found.inventory))
        bag.definition_key = f"item:{found.id}"
        bags.append(bag)
        items += _items(found.inventory, owner, bag.key, bag.sort)
    character = parse_name(name, owner)
    character.bag_slot_count = len(wire.bags)
    return Holdings(container=character, children=bags, items=items)


def parse_name(name: str, owner: OwnerRef) -> GuildWars2Character:
    """Make a character known by name alone: an entry of `/v2/characters`."""
    return GuildWars2Character(
        owner=owner, key=character_key(name), sort=character_sort(name), name=name, kind=ContainerKind.CHARACTER
    )


STORAGE_NAMES = {BANK: "Bank", SHARED: "Shared inventory", MATERIALS: "Material storage"}


def storage(owner: OwnerRef, key: str) -> GuildWars2Storage:
    """Make the bank, the shared inventory or the material storage."""
    return GuildWars2Storage(
        owner=owner, key=key, sort=STORAGE_SORT[key], name=STORAGE_NAMES[key], kind=ContainerKind.STORAGE
    )


def parse_slots(wire: Sequence[WireItem | None], owner: OwnerRef, key: str) -> Holdings:
    """Read `/v2/account/bank` or `/v2/account/inventory`."""
    if len(wire) > MOST_SLOTS:
        raise UpstreamInvalid(f"It has more than {MOST_SLOTS} slots.")
    container = storage(owner, key)
    container.slot_count = len(wire)
    return Holdings(container=container, items=_items(wire, owner, key, container.sort))


def parse_materials(wire: Sequence[WireMaterial], owner: OwnerRef) -> Holdings:
    """Read `/v2/account/materials`; the sections are named by the catalogue."""
    sections = {category: section(owner, category) for category in sorted({entry.category for entry in wire})}
    items: list[Item] = []
    for entry in wire:
        container = sections[entry.category]
        item = bare(GuildWars2Item)
        item.owner = owner
        item.key = f"{container.key}/{entry.id}"
        item.container_key = container.key
        item.sort = place_sort(container.sort, entry.id)
        item.definition_key = item_key(entry.id)
        item.quantity = BigInt(entry.count)
        if entry.binding is not None:
            item.binding = entry.binding
        items.append(item)
    return Holdings(container=storage(owner, MATERIALS), children=[*sections.values()], items=items)


def section(owner: OwnerRef, category: int, name: str = "") -> GuildWars2Storage:
    """Make a section of the material storage; its name comes from the catalogue, its key stands in for none."""
    return GuildWars2Storage(
        owner=owner,
        key=category_key(category),
        parent_key=MATERIALS,
        sort=category_sort(category),
        name=name,
        kind=ContainerKind.STORAGE,
        definition_key=f"material:{category}",
    )


def parse_definition(wire: WireItemDefinition) -> GuildWars2ItemDefinition:
    """Read an entry of `/v2/items`."""
    made = bare(GuildWars2ItemDefinition)
    made.provider = ProviderKey.GUILD_WARS_2
    made.key = f"item:{wire.id}"
    made.kind = wire.type
    made.name = wire.name
    if wire.description is not None:
        made.description = wire.description
    made.icon = wire.icon
    made.rarity = wire.rarity
    made.level = wire.level
    made.vendor_value = wire.vendor_value
    if wire.default_skin is not None:
        made.default_skin_id = wire.default_skin
    made.game_types = wire.game_types
    made.flags = wire.flags
    made.restrictions = wire.restrictions
    made.chat_link = wire.chat_link or chat_link(wire.id)
    if wire.details is not None:
        made.details = _item_details(wire.details)
    if wire.upgrades_into is not None:
        made.upgrades_into = [_graph(graph.GuildWars2Upgrade, entry) for entry in wire.upgrades_into]
    if wire.upgrades_from is not None:
        made.upgrades_from = [_graph(graph.GuildWars2Upgrade, entry) for entry in wire.upgrades_from]
    return made


def chat_link(item: int) -> str:
    """Work out the code that shows one plain item in the game's chat; it has room for 24 bits."""
    if item >= 1 << 24:
        return ""
    return f"[&{base64.b64encode(bytes((2, 1)) + item.to_bytes(3, 'little') + bytes(1)).decode()}]"


def _item_details(wire: WireItemDetails) -> graph.GuildWars2ItemDetails:
    return _graph(
        graph.GuildWars2ItemDetails,
        wire,
        secondary_suffix_item_id=_suffix_item(wire.secondary_suffix_item_id),
        infusion_slots=_each(lambda slot: _graph(graph.GuildWars2InfusionSlot, slot), wire.infusion_slots),
        infix_upgrade=_maybe(_infix, wire.infix_upgrade),
    )


def _suffix_item(number: int | str | None) -> int | None:
    if not isinstance(number, str):
        return number
    try:
        return msgspec.convert(number, Id, strict=False)
    except msgspec.ValidationError:
        return None


def _infix(wire: WireInfixUpgrade) -> graph.GuildWars2InfixUpgrade:
    return graph.GuildWars2InfixUpgrade(
        id=wire.id,
        attributes=[_graph(graph.GuildWars2AttributeModifier, entry) for entry in wire.attributes],
        buff=_maybe(lambda buff: _graph(graph.GuildWars2Buff, buff), wire.buff),
    )


def _dye_slots(wire: Sequence[WireDyeSlot | None]) -> list[graph.GuildWars2DyeSlot | None]:
    return [None if slot is None else _graph(graph.GuildWars2DyeSlot, slot) for slot in wire]


def parse_skin(wire: WireSkin) -> GuildWars2Skin:
    """Read an entry of `/v2/skins`."""
    details = None
    if wire.details is not None:
        dyes = wire.details.dye_slots
        details = _graph(
            graph.GuildWars2SkinDetails,
            wire.details,
            dye_slots=None
            if dyes is None
            else graph.GuildWars2DyeSlots(
                default=_dye_slots(dyes.default),
                overrides=[
                    graph.GuildWars2DyeOverride(body=body, slots=_dye_slots(slots))
                    for body, slots in dyes.overrides.items()
                ],
            ),
        )
    return GuildWars2Skin(
        provider=ProviderKey.GUILD_WARS_2,
        key=f"skin:{wire.id}",
        kind=wire.type,
        name=wire.name,
        description=wire.description,
        icon=wire.icon,
        rarity=wire.rarity,
        flags=wire.flags,
        restrictions=wire.restrictions,
        details=details,
    )


def parse_item_stat(wire: WireItemStat) -> GuildWars2ItemStat:
    """Read an entry of `/v2/itemstats`."""
    attributes = wire.attributes
    if isinstance(attributes, dict):
        attributes = [WireStatAttribute(key=key, multiplier=factor, value=0) for key, factor in attributes.items()]
    return GuildWars2ItemStat(
        provider=ProviderKey.GUILD_WARS_2,
        key=f"stat:{wire.id}",
        name=wire.name,
        attributes=[_graph(graph.GuildWars2StatAttribute, entry) for entry in attributes],
    )


def parse_color(wire: WireColor) -> GuildWars2Color:
    """Read an entry of `/v2/colors`."""
    return GuildWars2Color(
        provider=ProviderKey.GUILD_WARS_2,
        key=f"color:{wire.id}",
        name=wire.name,
        base_rgb=wire.base_rgb,
        cloth=_graph(graph.GuildWars2Dye, wire.cloth),
        leather=_graph(graph.GuildWars2Dye, wire.leather),
        metal=_graph(graph.GuildWars2Dye, wire.metal),
        fur=_maybe(lambda dye: _graph(graph.GuildWars2Dye, dye), wire.fur),
        item_id=wire.item,
        categories=wire.categories or [],
    )


def parse_material_category(wire: WireMaterialCategory) -> GuildWars2MaterialCategory:
    """Read an entry of `/v2/materials`."""
    return GuildWars2MaterialCategory(
        provider=ProviderKey.GUILD_WARS_2,
        key=f"material:{wire.id}",
        name=wire.name,
        order=wire.order,
        item_ids=wire.items,
    )


def parse_account(wire: WireAccount) -> GuildWars2Account:
    """Read `/v2/account`, of any schema version."""
    wvw = _maybe(lambda found: _graph(graph.GuildWars2WorldVersusWorld, found), wire.wvw)
    if wire.wvw_rank is not None:
        wvw = wvw or graph.GuildWars2WorldVersusWorld()
        wvw.rank = wvw.rank if wvw.rank is not None else wire.wvw_rank
    return GuildWars2Account(
        id=wire.id,
        name=wire.name,
        age=_maybe(BigInt, wire.age),
        world=wire.world,
        guilds=wire.guilds,
        guild_leader=wire.guild_leader,
        created=_time(wire.created),
        access=wire.access,
        commander=wire.commander,
        last_modified=_time(wire.last_modified),
        fractal_level=wire.fractal_level,
        daily_ap=wire.daily_ap,
        monthly_ap=wire.monthly_ap,
        build_storage_slots=wire.build_storage_slots,
        wvw=wvw,
    )


def parse_character(wire: WireCharacter) -> GuildWars2CharacterSummary:
    """Read `/v2/characters/:id` without its bags."""
    return _graph(
        GuildWars2CharacterSummary,
        wire,
        created=_time(wire.created),
        last_modified=_time(wire.last_modified),
        crafting=_each(lambda craft: _graph(graph.GuildWars2Crafting, craft), wire.crafting),
    )


def parse_token(wire: WireToken) -> GuildWars2Token:
    """Read `/v2/tokeninfo`, of any schema version."""
    return _graph(GuildWars2Token, wire, issued_at=_time(wire.issued_at), expires_at=_time(wire.expires_at))


# --- writing ----------------------------------------------------------------------------------------------------------


def _plain(number: float) -> Number:
    """Write whole numbers without a fraction, as the service does."""
    return int(number) if abs(number) <= 2**53 and number == int(number) else number


def _written(struct: type[S], value: object, **others: object) -> S:
    """Make a wire struct from the graph type whose fields have the same names."""
    return struct(**{name: getattr(value, name) for name in struct.__struct_fields__ if name not in others}, **others)


def _builtins(struct: msgspec.Struct, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Give the JSON object of a struct: absent fields left out, never null; `extra` put back in its place."""
    written = _pruned(msgspec.to_builtins(struct))
    return merged(written, extra) if extra else written


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _pruned(part) for name, part in cast("dict[str, Any]", value).items() if part is not None}
    return [_pruned(part) for part in cast("list[Any]", value)] if isinstance(value, list) else value


def _item_struct(item: GuildWars2Item) -> WireItem:
    stats = None
    if item.stats is not None:
        chosen = item.stats.attributes
        stats = WireStats(
            id=item.stats.id,
            attributes=None if chosen is None else {entry.key: _plain(entry.amount) for entry in chosen},
        )
    return WireItem(
        id=number_of(item.definition_key or ""),
        count=item.quantity,
        charges=item.charges,
        infusions=item.infusion_ids,
        upgrades=item.upgrade_ids,
        upgrade_slot_indices=item.given_slot_indices,
        skin=item.skin_id,
        stats=stats,
        dyes=item.dye_ids,
        binding=item.binding,
        bound_to=item.bound_to,
    )


def render_item(item: GuildWars2Item, *, whole: bool = False) -> dict[str, Any]:
    """Write a stack; `whole` adds what the contract does not know."""
    return _builtins(_item_struct(item), item.extra if whole else None)


def render_slots(slots: Sequence[Slot], *, whole: bool = False) -> list[dict[str, Any] | None]:
    """Write slots in order, null where they are empty."""
    return [
        None if slot.item is None else render_item(cast("GuildWars2Item", slot.item), whole=whole) for slot in slots
    ]


def render_bag(bag: GuildWars2Bag, slots: Sequence[Slot], *, whole: bool = False) -> dict[str, Any]:
    """Write a bag with its slots."""
    rendered: dict[str, Any] = {
        "id": number_of(bag.definition_key or ""),
        "size": bag.size,
        "inventory": render_slots(slots, whole=whole),
    }
    return merged(rendered, bag.extra) if whole and bag.extra else rendered


def render_inventory(contents: graph.CharacterContents, *, whole: bool = False) -> dict[str, Any]:
    """Write `/v2/characters/:id/inventory`."""
    rendered = {
        "bags": [
            None if place.bag is None else render_bag(place.bag, place.bag.slots or [], whole=whole)
            for place in contents.bag_slots
        ]
    }
    extra = cast("GuildWars2Character", contents.container).extra
    return merged(rendered, extra) if whole and extra else rendered


def render_material(item: GuildWars2Item, *, whole: bool = False) -> dict[str, Any]:
    """Write an entry of `/v2/account/materials`."""
    return _builtins(
        WireMaterial(
            id=number_of(item.definition_key or ""),
            category=number_of(item.container_key or ""),
            count=item.quantity,
            binding=item.binding,
        ),
        item.extra if whole else None,
    )


def _render_item_definition(item: GuildWars2ItemDefinition) -> msgspec.Struct:
    details = item.details
    written = None
    if details is not None:
        infix = details.infix_upgrade
        written = _written(
            WireItemDetails,
            details,
            attribute_adjustment=_maybe(_plain, details.attribute_adjustment),
            infusion_slots=_each(lambda slot: _written(WireInfusionSlot, slot), details.infusion_slots),
            infix_upgrade=None
            if infix is None
            else WireInfixUpgrade(
                id=infix.id,
                attributes=[_written(WireAttributeModifier, entry) for entry in infix.attributes],
                buff=_maybe(lambda buff: _written(WireBuff, buff), infix.buff),
            ),
        )
    return WireItemDefinition(
        id=number_of(item.key),
        name=item.name or "",
        type=item.kind or "",
        level=item.level,
        rarity=item.rarity or "",
        vendor_value=item.vendor_value,
        game_types=item.game_types,
        flags=item.flags,
        restrictions=item.restrictions,
        chat_link=item.chat_link,
        icon=item.icon,
        description=item.description,
        default_skin=item.default_skin_id,
        details=written,
        upgrades_into=_each(lambda entry: _written(WireUpgrade, entry), item.upgrades_into),
        upgrades_from=_each(lambda entry: _written(WireUpgrade, entry), item.upgrades_from),
    )


def _render_dye_slots(slots: Sequence[graph.GuildWars2DyeSlot | None]) -> list[WireDyeSlot | None]:
    return [None if slot is None else _written(WireDyeSlot, slot) for slot in slots]


def _render_skin(skin: GuildWars2Skin) -> msgspec.Struct:
    details = None
    if skin.details is not None:
        dyes = skin.details.dye_slots
        details = _written(
            WireSkinDetails,
            skin.details,
            dye_slots=None
            if dyes is None
            else WireDyeSlots(
                default=_render_dye_slots(dyes.default),
                overrides={override.body: _render_dye_slots(override.slots) for override in dyes.overrides},
            ),
        )
    return WireSkin(
        id=number_of(skin.key),
        name=skin.name or "",
        type=skin.kind or "",
        flags=skin.flags,
        restrictions=skin.restrictions,
        rarity=skin.rarity,
        icon=skin.icon,
        description=skin.description,
        details=details,
    )


def _render_item_stat(stat: GuildWars2ItemStat) -> msgspec.Struct:
    return WireItemStat(
        id=number_of(stat.key),
        name=stat.name or "",
        attributes=[
            WireStatAttribute(
                key=entry.key,
                multiplier=_plain(entry.multiplier),
                value=_plain(entry.value),
            )
            for entry in stat.attributes
        ],
    )


def _render_dye(dye: graph.GuildWars2Dye) -> WireDye:
    return WireDye(
        brightness=_plain(dye.brightness),
        contrast=_plain(dye.contrast),
        hue=_plain(dye.hue),
        saturation=_plain(dye.saturation),
        lightness=_plain(dye.lightness),
        rgb=dye.rgb,
    )


def _render_color(color: GuildWars2Color) -> msgspec.Struct:
    return WireColor(
        id=number_of(color.key),
        name=color.name or "",
        base_rgb=color.base_rgb,
        cloth=_render_dye(color.cloth),
        leather=_render_dye(color.leather),
        metal=_render_dye(color.metal),
        fur=_maybe(_render_dye, color.fur),
        item=color.item_id,
        categories=color.categories,
    )


def _render_material_category(category: GuildWars2MaterialCategory) -> msgspec.Struct:
    return WireMaterialCategory(
        id=number_of(category.key), name=category.name or "", items=category.item_ids, order=category.order
    )


def render_definition(definition: ItemDefinition, *, whole: bool = True) -> dict[str, Any]:
    """Write an entry of the catalogue."""
    match definition:
        case GuildWars2ItemDefinition():
            struct = _render_item_definition(definition)
        case GuildWars2Skin():
            struct = _render_skin(definition)
        case GuildWars2ItemStat():
            struct = _render_item_stat(definition)
        case GuildWars2Color():
            struct = _render_color(definition)
        case GuildWars2MaterialCategory():
            struct = _render_material_category(definition)
        case _:
            raise TypeError(f"{type(definition).__name__} is no definition of this provider")
    return _builtins(struct, definition.extra if whole else None)


def _when(moment: datetime | None) -> str | None:
    return None if moment is None else render_time(moment)


def render_account(account: GuildWars2Account, *, whole: bool = True) -> dict[str, Any]:
    """Write `/v2/account` in the newest schema."""
    wvw = _maybe(lambda found: _written(WireWorldVersusWorld, found), account.wvw)
    written = _written(
        WireAccount,
        account,
        created=_when(account.created),
        last_modified=_when(account.last_modified),
        wvw=wvw,
        wvw_rank=None,
    )
    return _builtins(written, account.extra if whole else None)


def render_character(summary: GuildWars2CharacterSummary, *, whole: bool = True) -> dict[str, Any]:
    """Write `/v2/characters/:id` in the newest schema, without its bags."""
    written = _written(
        WireCharacter,
        summary,
        created=_when(summary.created),
        last_modified=_when(summary.last_modified),
        crafting=_each(lambda craft: _written(WireCrafting, craft), summary.crafting),
    )
    return _builtins(written, summary.extra if whole else None)


def render_token(token: GuildWars2Token) -> dict[str, Any]:
    """Write `/v2/tokeninfo` in the newest schema."""
    return _builtins(_written(WireToken, token, issued_at=_when(token.issued_at), expires_at=_when(token.expires_at)))
