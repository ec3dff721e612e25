"""Orders: what is to be done to an inventory, whichever way it was asked for, by the graph or by the dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar, cast

import strawberry

from gateway.model import verbs
from gateway.model.errors import InvalidInput, Refusal, refuse
from gateway.model.ids import ITEM, ContainerRef, ItemRef, OwnerRef, decode_id
from gateway.model.manifest import Capability
from gateway.model.verbs import ContainerVersionInput, ContentsPart
from gateway.providers.secondlife.keys import (
    DEFAULT_KINDS,
    DETAILS,
    FOLDER_LINK,
    KIND_NUMBERS,
    LINK,
    NUMBERS,
    ORDINARY,
    SALE_NUMBERS,
    SPECIAL,
    UUID,
    ZERO,
)
from gateway.providers.secondlife.refusals import invalid

UNSET: Any = strawberry.UNSET
"""What is not told: in a patch it stays as it is."""

T = TypeVar("T")

MASKS = ("base_mask", "owner_mask", "group_mask", "everyone_mask", "next_owner_mask")
"""The permission masks."""


@dataclass(slots=True, kw_only=True)
class NewItem:
    """An item to make; a `key` of None takes a new id, masks that are not told the widest that they may be."""

    name: str
    description: str = ""
    key: str | None = None
    asset_type: int
    inventory_type: int
    asset_id: str | None = None
    flags: int = 0
    masks: Mapping[str, int] = field(default_factory=dict[str, int])
    sale_type: int = 0
    sale_price: int = 10
    thumbnail_id: str | None = None
    is_favorite: bool = False


@dataclass(slots=True, kw_only=True)
class NewLink:
    """A link to make; what kind of thing it points at is told by the thing, where `asset_type` is None."""

    name: str
    description: str = ""
    key: str | None = None
    linked: str
    asset_type: int | None = None


@dataclass(slots=True, kw_only=True)
class NewCategory:
    """A category to make."""

    name: str
    key: str | None = None
    type_number: int = ORDINARY
    thumbnail_id: str | None = None
    is_favorite: bool = False


@dataclass(slots=True, kw_only=True)
class CategoryPatch:
    """What of a category is to be another; what is UNSET stays."""

    key: str
    name: Any = UNSET
    type_number: Any = UNSET
    thumbnail_id: Any = UNSET
    is_favorite: Any = UNSET
    parent: Any = UNSET


@dataclass(slots=True, kw_only=True)
class ItemPatch:
    """What of an item or link is to be another; what is UNSET stays."""

    key: str
    name: Any = UNSET
    description: Any = UNSET
    asset_id: Any = UNSET
    flags: Any = UNSET
    masks: Mapping[str, int] = field(default_factory=dict[str, int])
    sale_type: Any = UNSET
    sale_price: Any = UNSET
    thumbnail_id: Any = UNSET
    is_favorite: Any = UNSET
    linked: Any = UNSET
    parent: Any = UNSET


@dataclass(slots=True, kw_only=True)
class Order:
    """What every order has: how often it may be done, on which versions, and whether only to tell what would be."""

    VERB: ClassVar[Capability]

    transaction_id: str | None = None
    if_match: Sequence[ContainerVersionInput] = ()
    simulate: bool = False
    client_mutation_id: str | None = None


@dataclass(slots=True, kw_only=True)
class Create(Order):
    """Make things in a category."""

    VERB = Capability.CREATE_CONTENTS
    category: str
    items: Sequence[NewItem] = ()
    links: Sequence[NewLink] = ()
    categories: Sequence[NewCategory] = ()


@dataclass(slots=True, kw_only=True)
class Ensure(Order):
    """Make a special category, where there is none."""

    VERB = Capability.ENSURE_SPECIAL_CONTAINER
    role: str


@dataclass(slots=True, kw_only=True)
class ChangeCategories(Order):
    """Change categories in place."""

    VERB = Capability.UPDATE_CONTAINERS
    patches: Sequence[CategoryPatch]


@dataclass(slots=True, kw_only=True)
class ChangeItems(Order):
    """Change items and links in place."""

    VERB = Capability.UPDATE_ITEMS
    patches: Sequence[ItemPatch]


@dataclass(slots=True, kw_only=True)
class MoveCategories(Order):
    """Let categories lie in another."""

    VERB = Capability.MOVE_CONTAINERS
    keys: Sequence[str]
    to: str


@dataclass(slots=True, kw_only=True)
class MoveItems(Order):
    """Let items and links lie in another category."""

    VERB = Capability.MOVE_ITEMS
    keys: Sequence[str]
    to: str


@dataclass(slots=True, kw_only=True)
class CopyCategories(Order):
    """Copy categories, of an owner, with so many levels of those in them; None for all."""

    VERB = Capability.COPY_CONTAINERS
    source: str
    keys: Sequence[str]
    to: str
    depth: int | None = None


@dataclass(slots=True, kw_only=True)
class CopyItems(Order):
    """Copy items and links of an owner."""

    VERB = Capability.COPY_ITEMS
    source: str
    keys: Sequence[str]
    to: str


@dataclass(slots=True, kw_only=True)
class DeleteCategories(Order):
    """Remove categories with all that lies below them."""

    VERB = Capability.DELETE_CONTAINERS
    keys: Sequence[str]


@dataclass(slots=True, kw_only=True)
class DeleteItems(Order):
    """Remove items and links."""

    VERB = Capability.DELETE_ITEMS
    keys: Sequence[str]


@dataclass(slots=True, kw_only=True)
class Clear(Order):
    """Remove what lies in a category."""

    VERB = Capability.CLEAR_CONTAINER
    category: str
    what: ContentsPart


@dataclass(slots=True, kw_only=True)
class CopyContents(Order):
    """Copy what lies in a category of an owner."""

    VERB = Capability.COPY_CONTENTS
    source: str
    category: str
    what: ContentsPart
    to: str
    depth: int | None = None


@dataclass(slots=True, kw_only=True)
class MoveContents(Order):
    """Let what lies in a category lie in another."""

    VERB = Capability.MOVE_CONTENTS
    category: str
    what: ContentsPart
    to: str


@dataclass(slots=True, kw_only=True)
class Replace(Order):
    """Put other things in the place of what lies in a category."""

    VERB = Capability.REPLACE_CONTENTS
    category: str
    what: ContentsPart
    items: Sequence[NewItem] = ()
    links: Sequence[NewLink] = ()
    categories: Sequence[NewCategory] = ()


def order_of(verb: Capability, owner: OwnerRef, change: Any) -> Order:
    """Read a mutation's input as an order, an order as itself; every fault is told with its path."""
    if isinstance(change, Order):
        return change
    try:
        order = _READERS[verb](change)
    except Refusal as fault:
        raise (fault if fault.path else fault.at(_NAMED.get(verb, "to"))) from None
    order.transaction_id = change.transaction_id or None
    order.if_match = change.if_match or ()
    order.simulate = bool(change.simulate)
    del owner
    return order


# Where the one id of an input stands that a malformed one can only be.
_NAMED = {Capability.CREATE_CONTENTS: "container", Capability.CLEAR_CONTAINER: "container"}


def _key(node_id: str) -> str:
    """Give the key in an id of a container or an item; InvalidInput for what can be no key."""
    return _checked(cast("ContainerRef | ItemRef", decode_id(node_id)[1]).key)


def _checked(key: str) -> str:
    if not UUID.match(key):
        raise invalid("This is not an id of Second Life.")
    return key


def _source(node_ids: Sequence[str]) -> str:
    if not node_ids:
        raise invalid("Nothing is named.").at("ids")
    return decode_id(node_ids[0])[1].owner  # type: ignore[union-attr] -- of a container or an item


def _keys(node_ids: Sequence[str]) -> list[str]:
    if not node_ids:
        raise invalid("Nothing is named.").at("ids")
    keys = _each(node_ids, "ids", _key)
    repeated = next((at for at, key in enumerate(keys) if key in keys[:at]), None)
    if repeated is not None:
        raise invalid("This is named twice.").at("ids", str(repeated))
    return keys


def _given(value: T | None, default: T) -> T:
    return default if value is None or value is UNSET else value


def _details(entry: Any) -> Any:
    """Give what the input has for this provider alone; None where there is nothing."""
    details = entry.details
    if details is None or details is UNSET:
        return None
    return _given(details.second_life, None)


def _each(entries: Sequence[Any] | None, name: str, read: Callable[[Any], T]) -> list[T]:
    """Read each entry of a list; the faults of all are told together, each with its place."""
    made: list[T] = []
    faults: list[Refusal] = []
    for at, entry in enumerate(_given(entries, ())):
        try:
            made.append(read(entry))
        except Refusal as fault:
            faults.append(fault.at(name, str(at), *(fault.path or ())))
    refuse(faults)
    return made


def check_key(value: str, name: str, *, none: bool = False) -> str:
    """Give an id; InvalidInput for what is none, and, unless that may be, for the one that stands for none."""
    if not UUID.match(value) or (value == ZERO and not none):
        raise invalid(f"`{name}` is no id: it has the form {ZERO}, in lower case.").at(*DETAILS, name)
    return value


def _own_key(details: Any) -> str | None:
    key = None if details is None else _given(details.key, None)
    return None if key is None else check_key(key, "key")


def _asset_id(value: Any, name: str) -> Any:
    return value if value is None or value is UNSET else check_key(value, name, none=True)


def _masks(given: Any) -> dict[str, int]:
    if given is None or given is UNSET:
        return {}
    found = {name: value for name in MASKS if (value := getattr(given, name, UNSET)) is not UNSET and value is not None}
    for name, value in found.items():
        words = name.split("_")
        check_mask(value, words[0] + "".join(map(str.title, words[1:])), "permissions")
    return found


def check_mask(value: int, name: str, *within: str) -> int:
    """Give a mask; InvalidInput for what is more than 32 bits."""
    if not 0 <= value < 1 << 32:
        raise invalid(f"`{name}` is a mask of 32 bits.").at(*DETAILS, *within, name)
    return value


def check_price(value: int) -> int:
    """Give a price; InvalidInput for one that cannot be."""
    if not 0 <= value < 1 << 31:
        raise invalid("A price goes from 0 to 2147483647.").at(*DETAILS, "sale", "price")
    return value


def _numbered(word: str, numbers: Mapping[str, int], *name: str) -> int:
    number = numbers.get(word)
    if number is None:
        raise invalid(f"`{name[-1]}` is none of: {', '.join(numbers)}.").at(*DETAILS, *name)
    return number


def _sale(given: Any) -> tuple[Any, Any]:
    if given is None:
        return 0, 10
    if given is UNSET:
        return UNSET, UNSET
    kind = _given(given.type, None)
    price = _given(given.price, None)
    return (
        UNSET if kind is None else _numbered(kind, SALE_NUMBERS, "sale", "type"),
        UNSET if price is None else check_price(price),
    )


def _new_item(entry: verbs.NewItemInput) -> NewItem:
    details = _details(entry)
    if details is None:
        raise invalid("What kind of thing it is must be told: `details.secondLife.assetType`.").at("details")
    if entry.quantity not in (None, UNSET, 1):
        raise invalid("An item is one thing; its quantity is 1.").at("quantity")
    if _given(entry.definition_key, None) is not None:
        raise invalid("Things have no catalogue.").at("definitionKey")
    asset_type = _numbered(details.asset_type, NUMBERS, "assetType")
    kind = _given(details.inventory_type, None)
    sale_type, sale_price = _sale(details.sale)
    return NewItem(
        key=_own_key(details),
        name=entry.name,
        description=_given(entry.description, ""),
        asset_type=asset_type,
        inventory_type=DEFAULT_KINDS.get(asset_type, -1)
        if kind is None
        else _numbered(kind, KIND_NUMBERS, "inventoryType"),
        asset_id=_given(_asset_id(details.asset_id, "assetId"), None),
        flags=check_mask(_given(details.flags, 0), "flags"),
        masks=_masks(details.permissions),
        sale_type=_given(sale_type, 0),
        sale_price=_given(sale_price, 10),
        thumbnail_id=_given(_asset_id(details.thumbnail_id, "thumbnailId"), None),
        is_favorite=_given(details.is_favorite, False),
    )


def _new_link(entry: verbs.NewLinkInput) -> NewLink:
    kind, ref = decode_id(entry.target)
    return NewLink(
        key=_own_key(_details(entry)),
        name=entry.name,
        description=_given(entry.description, ""),
        linked=_checked(cast("ItemRef", ref).key),
        asset_type=LINK if kind == ITEM else FOLDER_LINK,
    )


def _new_category(entry: verbs.NewContainerInput) -> NewCategory:
    details = _details(entry)
    if details is None:
        return NewCategory(name=entry.name)
    return NewCategory(
        key=_own_key(details),
        name=entry.name,
        type_number=_given(details.type_number, ORDINARY),
        thumbnail_id=_given(_asset_id(details.thumbnail_id, "thumbnailId"), None),
        is_favorite=_given(details.is_favorite, False),
    )


def _named(value: Any) -> Any:
    if value is None:
        raise invalid("A name cannot be cleared.").at("name")
    return value


def _category_patch(entry: verbs.ContainerPatchInput) -> CategoryPatch:
    patch = CategoryPatch(key=_key(entry.id), name=_named(entry.name))
    if entry.parent is None:
        raise invalid("Every folder but the root lies in another.").at("parent")
    if entry.parent is not UNSET:
        patch.parent = _key(entry.parent)
    if (details := _details(entry)) is not None:
        patch.type_number = UNSET if details.type_number is UNSET else _given(details.type_number, ORDINARY)
        patch.thumbnail_id = _asset_id(details.thumbnail_id, "thumbnailId")
        patch.is_favorite = UNSET if details.is_favorite is UNSET else bool(details.is_favorite)
    return patch


def _item_patch(entry: verbs.ItemPatchInput) -> ItemPatch:
    patch = ItemPatch(key=_key(entry.id), name=_named(entry.name))
    patch.description = UNSET if entry.description is UNSET else _given(entry.description, "")
    if (details := _details(entry)) is not None:
        patch.asset_id = _asset_id(details.asset_id, "assetId")
        patch.flags = UNSET if details.flags is UNSET else check_mask(_given(details.flags, 0), "flags")
        patch.masks = _masks(details.permissions)
        patch.sale_type, patch.sale_price = _sale(details.sale)
        patch.thumbnail_id = _asset_id(details.thumbnail_id, "thumbnailId")
        patch.is_favorite = UNSET if details.is_favorite is UNSET else bool(details.is_favorite)
        if details.linked_id is None:
            raise invalid("A link points at something.").at(*DETAILS, "linkedId")
        patch.linked = UNSET if details.linked_id is UNSET else check_key(details.linked_id, "linkedId")
    return patch


def _contents(change: Any) -> dict[str, Any]:
    return {
        "items": _each(change.items, "items", _new_item),
        "links": _each(change.links, "links", _new_link),
        "categories": _each(change.containers, "containers", _new_category),
    }


def _depth(value: Any) -> int | None:
    depth = _given(value, None)
    if depth is not None and depth < 0:
        raise InvalidInput(f"`depth` is {depth}; it goes from 0.").at("depth")
    return depth


def _role(name: str) -> str:
    if name not in SPECIAL:
        raise invalid(f"There is no special folder of that name; there are: {', '.join(SPECIAL)}.").at("key")
    return name


def _patches(patches: list[Any], name: str) -> list[Any]:
    keys = [patch.key for patch in patches]
    if not keys:
        raise invalid("Nothing is named.").at(name)
    repeated = next((at for at, key in enumerate(keys) if key in keys[:at]), None)
    if repeated is not None:
        raise invalid("This is named twice.").at(name, str(repeated), "id")
    return patches


_READERS: Mapping[Capability, Callable[[Any], Order]] = MappingProxyType(
    {
        Capability.CREATE_CONTENTS: lambda given: Create(category=_key(given.container), **_contents(given)),
        Capability.ENSURE_SPECIAL_CONTAINER: lambda given: Ensure(role=_role(given.key)),
        Capability.UPDATE_CONTAINERS: lambda given: ChangeCategories(
            patches=_patches(_each(given.containers, "containers", _category_patch), "containers")
        ),
        Capability.UPDATE_ITEMS: lambda given: ChangeItems(
            patches=_patches(_each(given.items, "items", _item_patch), "items")
        ),
        Capability.MOVE_CONTAINERS: lambda given: MoveCategories(keys=_keys(given.ids), to=_key(given.to)),
        Capability.MOVE_ITEMS: lambda given: MoveItems(keys=_keys(given.ids), to=_key(given.to)),
        Capability.COPY_CONTAINERS: lambda given: CopyCategories(
            source=_source(given.ids), keys=_keys(given.ids), to=_key(given.to), depth=_depth(given.depth)
        ),
        Capability.COPY_ITEMS: lambda given: CopyItems(
            source=_source(given.ids), keys=_keys(given.ids), to=_key(given.to)
        ),
        Capability.DELETE_CONTAINERS: lambda given: DeleteCategories(keys=_keys(given.ids)),
        Capability.DELETE_ITEMS: lambda given: DeleteItems(keys=_keys(given.ids)),
        Capability.CLEAR_CONTAINER: lambda given: Clear(category=_key(given.container), what=given.what),
        Capability.COPY_CONTENTS: lambda given: CopyContents(
            source=_source([given.container]),
            category=_key(given.container),
            what=given.what,
            to=_key(given.to),
            depth=_depth(given.depth),
        ),
        Capability.MOVE_CONTENTS: lambda given: MoveContents(
            category=_key(given.container), what=given.what, to=_key(given.to)
        ),
        Capability.REPLACE_CONTENTS: lambda given: Replace(
            category=_key(given.container), what=given.what, **_contents(given)
        ),
    }
)
