"""The arguments by which lists are filtered, ordered and paged."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

import strawberry

from gateway.model.errors import InvalidInput
from gateway.model.ids import ContainerRef, OwnershipRef
from gateway.model.manifest import ProviderKey
from gateway.model.paging import (
    ACQUIRED,
    DEFAULT_PAGE,
    NAME,
    NATURAL,
    NUMBER,
    PAGE_CAP,
    QUANTITY,
    SERIAL,
    Window,
    window,
)
from gateway.model.relations import Arguments, argument, attribute, enum_word, graph_input, hidden

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_TEXT = 200

LONGEST_LIST = 2**31 - 2
"""More entries than any list has."""


@strawberry.enum(description="What a container is.")
class ContainerKind(Enum):
    """What a container is."""

    FOLDER = enum_word("folder", description="A folder that people make and name.")
    CHARACTER = enum_word("character", description="A character; its bags are containers within it.")
    BAG = enum_word("bag", description="A bag with numbered slots.")
    STORAGE = enum_word("storage", description="Storage of the whole account: bank, shared slots, materials.")
    COLLECTION = enum_word("collection", description="A collection that the owner shows.")
    VIEW = enum_word("view", description="A selection over the inventory; an item may be in many.")
    AVATAR = enum_word("avatar", description="An avatar with slots.")


@strawberry.enum(description="In which order items are listed.")
class ItemOrder(Enum):
    """In which order items are listed."""

    NATURAL = enum_word(NATURAL, description="As the provider shows them: by container and position.")
    NAME = enum_word(NAME, description="By name, without regard to case.")
    QUANTITY_DESC = enum_word(QUANTITY, description="The largest holdings first.")
    ACQUIRED_DESC = enum_word(ACQUIRED, description="The newest first; those of unknown date last.")
    SERIAL_ASC = enum_word(SERIAL, description="By serial number; those without one last.")


@graph_input
class OwnerInput:
    """Who holds an inventory: the provider, and the owner's key there."""

    provider: ProviderKey = attribute("The provider.")
    key: str = attribute("The owner's key at that provider; `me` is the account of the credential in use.")


@graph_input
class ItemFilter:
    """Which items to list: those for which every given part holds. An empty list lets nothing pass."""

    kinds: list[str] | None = attribute("Of one of these kinds.", default=None)
    rarities: list[str] | None = attribute("Of one of these rarities.", default=None)
    is_collectible: bool | None = attribute("Whether it is a numbered or tokenised copy.", default=None)
    definition_keys: list[str] | None = attribute("Copies of one of these definitions, by key.", default=None)
    min_quantity: int | None = attribute("Holding at least this many; 0 shows empty holdings.", default=1)
    text: str | None = attribute("With this text in the name, without regard to case.", default=None)
    shelves: strawberry.Private[tuple[str, ...] | None] = hidden(default=None)
    """Lying in one of these, whether or not there are such containers: how a provider narrows a list by itself."""

    def __hash__(self) -> int:
        """Hash as a value: a filter is part of a loader's key."""
        lists = (self.kinds, self.rarities, self.definition_keys)
        rest = (self.is_collectible, self.min_quantity, self.text, self.shelves)
        return hash((*(tuple(part or ()) for part in lists), *rest))

    def check(self) -> None:
        """Raise InvalidInput for lists or texts that are too long."""
        for name, part in (
            ("kinds", self.kinds),
            ("rarities", self.rarities),
            ("definitionKeys", self.definition_keys),
        ):
            check_count(f"filter.{name}", part or ())
        if self.text is not None and len(self.text) > _MAX_TEXT:
            raise InvalidInput(f"`filter.text` has {len(self.text)} characters; the most is {_MAX_TEXT}.")
        if self.min_quantity is not None and self.min_quantity < 0:
            raise InvalidInput("`filter.minQuantity` is below 0.")

    @property
    def least(self) -> int:
        """The smallest quantity to list."""
        return 1 if self.min_quantity is None else self.min_quantity

    @property
    def folded(self) -> str | None:
        """The text to look for in a folded name, None where there is none."""
        return fold(self.text) if self.text else None

    @property
    def needs_definitions(self) -> bool:
        """Say whether the catalogue must be read to tell which items pass."""
        return bool(self.kinds or self.rarities or self.text)


def fold(text: str) -> str:
    """Fold a name or a search text so that equal means equal without regard to case."""
    return text.casefold()


NO_FILTER = ItemFilter()


def check_count(name: str, values: Sequence[object]) -> None:
    """Raise InvalidInput where an argument list is longer than the cap."""
    if len(values) > PAGE_CAP:
        raise InvalidInput(f"`{name}` has {len(values)} entries; the most is {PAGE_CAP}.").at(name)


class PageArguments(Arguments):
    """A page of a list in its natural order."""

    first: int | None = argument(f"How many entries, 1 to {PAGE_CAP}.", default=DEFAULT_PAGE)
    after: str | None = argument("The cursor after which the page begins.")

    def check(self) -> None:
        """Raise InvalidInput for a page size or cursor that cannot be."""
        _ = self.window

    @property
    def window(self) -> Window:
        """The part of the list that is asked for."""
        return window(NATURAL, first=self.first, after=self.after)


class ContainerArguments(PageArguments):
    """A page of an inventory's top level."""

    kind: ContainerKind | None = argument("Only containers of this kind; views are listed only when asked for.")


class DescendantArguments(PageArguments):
    """A page of the tree below a container."""

    max_depth: int | None = argument("How many levels to go down; 1 is the direct children. All, if absent.")

    def check(self) -> None:
        """Raise InvalidInput for a depth below 1 as well."""
        super().check()
        if self.max_depth is not None and self.max_depth < 1:
            raise InvalidInput(f"`maxDepth` is {self.max_depth}; it goes from 1.")


class AcceptArguments(PageArguments):
    """A page of what fits a slot."""

    only_owned: bool | None = argument("Only what the owner holds.", default=False)
    first: int | None = argument(f"How many entries, 1 to {PAGE_CAP}.", default=20)


class CatalogueArguments(PageArguments):
    """A page of what an inventory could hold."""

    only_owned: bool | None = argument("Only what the owner holds.", default=False)


class TotalArguments(PageArguments):
    """A page of the quantities held of each definition."""

    filter: ItemFilter | None = argument("Only items that pass.")

    def check(self) -> None:
        """Raise InvalidInput for a filter that cannot be as well."""
        super().check()
        (self.filter or NO_FILTER).check()


class ItemArguments(Arguments):
    """A page of items, forwards."""

    filter: ItemFilter | None = argument("Only items that pass.")
    order_by: ItemOrder | None = argument("The order of the list; natural, if absent.")
    first: int | None = argument(f"How many entries, 1 to {PAGE_CAP}.", default=DEFAULT_PAGE)
    after: str | None = argument("The cursor after which the page begins.")

    def check(self) -> None:
        """Raise InvalidInput for a page, order or filter that cannot be."""
        _ = self.window
        self.passing.check()

    @property
    def order(self) -> ItemOrder:
        """The order of the list."""
        return self.order_by or ItemOrder.NATURAL

    @property
    def passing(self) -> ItemFilter:
        """The filter; one that hides only empty holdings, if absent."""
        return self.filter or NO_FILTER

    @property
    def window(self) -> Window:
        """The part of the list that is asked for."""
        return window(self.order.value, first=self.first, after=self.after)


class BothWaysArguments(ItemArguments):
    """A page of items, from either end."""

    first: int | None = argument(
        f"How many entries from the start, 1 to {PAGE_CAP}; {DEFAULT_PAGE}, if neither is given."
    )
    last: int | None = argument(f"How many entries from the end, 1 to {PAGE_CAP}.")
    before: str | None = argument("The cursor before which the page ends.")

    @property
    def window(self) -> Window:
        """The part of the list that is asked for."""
        return window(self.order.value, first=self.first, after=self.after, last=self.last, before=self.before)


class NumberedArguments(BothWaysArguments):
    """A page of holdings by the numbers in their keys, for a dialect whose service lists them so.

    What only `asks` whether something is held is answered of a closed inventory as well.
    """

    asks: bool = argument("Whether it is a question of what is held.", default=False)
    whole: bool = argument("Whether the list is read to its end, however long.", default=False)

    @property
    def window(self) -> Window:
        """The part of the list that is asked for."""
        if self.whole:
            return Window(order=NUMBER, size=LONGEST_LIST)
        return window(NUMBER, first=self.first, after=self.after, last=self.last, before=self.before)


class CollectibleArguments(Arguments):
    """A page of collectibles, from either end."""

    order_by: ItemOrder | None = argument("The order of the list; natural, if absent.")
    first: int | None = argument(
        f"How many entries from the start, 1 to {PAGE_CAP}; {DEFAULT_PAGE}, if neither is given."
    )
    after: str | None = argument("The cursor after which the page begins.")
    last: int | None = argument(f"How many entries from the end, 1 to {PAGE_CAP}.")
    before: str | None = argument("The cursor before which the page ends.")

    def check(self) -> None:
        """Raise InvalidInput for a page that cannot be."""
        self.items.check()

    @property
    def items(self) -> BothWaysArguments:
        """The same page, asked of all items."""
        return BothWaysArguments(
            filter=ItemFilter(is_collectible=True),
            order_by=self.order_by,
            first=self.first,
            after=self.after,
            last=self.last,
            before=self.before,
        )


class KeyArguments(Arguments):
    """One container by key."""

    key: str = argument("The container's key within its inventory.")

    def refer(self, of: Any) -> ContainerRef:
        """Refer to the owner's container."""
        return ContainerRef(of.provider, of.owner, self.key)


class DefinitionKeyArguments(Arguments):
    """One definition by key."""

    definition_key: str = argument("The definition's key at its provider.")

    def refer(self, of: Any) -> OwnershipRef:
        """Refer to the owner's holding one."""
        return OwnershipRef(of.provider, of.owner, self.definition_key)
