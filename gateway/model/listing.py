"""Lists of what is in memory: filtered, ordered and cut as the store does it in SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from gateway.model.arguments import ItemArguments, ItemFilter, ItemOrder, fold
from gateway.model.container import Container
from gateway.model.definition import ItemDefinition
from gateway.model.ids import DefinitionRef, definition_ref
from gateway.model.item import Item
from gateway.model.paging import NATURAL, NUMBER, Part, Position, Window, part_of
from gateway.model.positions import position_of, position_of_total
from gateway.model.relations import UNLOADED
from gateway.model.slot import Slot

Definitions = Mapping[DefinitionRef, ItemDefinition]


def folded_name(item: Item, definition: ItemDefinition | None) -> str | None:
    """Give an item's folded name, or its definition's."""
    name = item.name if item.name is not UNLOADED and item.name is not None else None
    if name is None and definition is not None:
        name = definition.name
    return None if name is None else fold(name)


def passes(item: Item, wanted: ItemFilter, definition: ItemDefinition | None) -> bool:
    """Tell whether an item passes a filter; the definition is only looked at where the filter needs it."""
    if item.quantity < wanted.least:
        return False
    if wanted.is_collectible is not None and (item.collectible is not None) != wanted.is_collectible:
        return False
    if wanted.definition_keys is not None and item.definition_key not in wanted.definition_keys:
        return False
    if wanted.shelves is not None and item.container_key not in wanted.shelves:
        return False
    if wanted.kinds is not None:
        kind = item.kind if item.kind is not UNLOADED and item.kind is not None else definition and definition.kind
        if kind not in wanted.kinds:
            return False
    if wanted.rarities is not None and (definition is None or definition.rarity not in wanted.rarities):
        return False
    return wanted.folded is None or wanted.folded in (folded_name(item, definition) or "")


def definitions_needed(items: Iterable[Item], wanted: ItemFilter, order: ItemOrder) -> list[DefinitionRef]:
    """List the definitions without which these items cannot be filtered and ordered, each once."""
    if not wanted.needs_definitions and order is not ItemOrder.NAME:
        return []
    return list({ref: None for item in items if (ref := item.definition_ref) is not None})


def list_items(
    items: Sequence[Item],
    asked: ItemArguments,
    definitions: Definitions,
    places: Mapping[str, Sequence[Slot]] | None = None,
) -> Part[Item]:
    """Filter, order and cut a list of items; natural order goes by their first `places`, where they are given."""
    wanted, order = asked.passing, asked.order

    def behind(item: Item) -> ItemDefinition | None:
        ref = item.definition_ref
        return None if ref is None else definitions.get(ref)

    found = [item for item in items if passes(item, wanted, behind(item))]

    def position(item: Item) -> Position:
        if asked.window.order == NUMBER:
            return Position(NUMBER, len(item.key), item.key)
        placed = position_of(item, order, folded_name(item, behind(item)))
        return (
            placed
            if places is None or order is not ItemOrder.NATURAL
            else placed._replace(value=places[item.key][0].index)
        )

    return part_of(found, asked.window, position=position)


def list_containers(
    containers: Sequence[Container], window: Window, level: Callable[[Container], int] = lambda _: 0
) -> Part[Container]:
    """Order and cut a list of containers, by their level, from 0, and their `sort`."""
    return part_of(containers, window, position=lambda container: Position(NATURAL, level(container), container.sort))


def total_up(
    items: Iterable[Item], wanted: ItemFilter, window: Window, definitions: Definitions
) -> Part[tuple[DefinitionRef, int | None]]:
    """Sum the quantities of the items that pass by definition, ordered by definition key, and cut the list."""
    totals: dict[DefinitionRef, int] = defaultdict(int)
    for item in items:
        if item.definition_key is None:
            # It may be shown with a definition, and yet be no copy of it.
            continue
        ref = definition_ref(item.owner.provider, item.definition_key)
        if passes(item, wanted, definitions.get(ref)):
            totals[ref] += item.quantity
    entries: list[tuple[DefinitionRef, int | None]] = [*totals.items()]
    return part_of(entries, window, position=lambda entry: position_of_total(entry[0]))
