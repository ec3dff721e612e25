"""The documents of Second Life's inventory in both directions: strict in what is written, forgiving in what is read."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar, cast
from uuid import UUID

from gateway.model.arguments import ContainerKind
from gateway.model.errors import Refusal, refuse
from gateway.model.ids import OwnerRef
from gateway.model.scalars import BigInt
from gateway.providers.secondlife.keys import (
    ATTACHMENT,
    DEFAULT_KINDS,
    FOLDER_LINK,
    KIND_NUMBERS,
    LIBRARY_AGENT,
    LINK,
    LINKS,
    MESH,
    NUMBERS,
    OBJECT,
    ORDINARY,
    ROLES,
    SALE_NUMBERS,
    ZERO,
    agent_of,
    sort_of,
)
from gateway.providers.secondlife.keys import UUID as UUID_FORM
from gateway.providers.secondlife.orders import UNSET, CategoryPatch, ItemPatch, NewCategory, NewItem, NewLink
from gateway.providers.secondlife.refusals import InvalidCategory, InvalidItem, InvalidLinks, invalid
from gateway.providers.secondlife.rules import word_of
from gateway.providers.secondlife.types import (
    Branch,
    Extra,
    SecondLifeCategory,
    SecondLifeItem,
    SecondLifeLink,
    SecondLifePermissions,
    SecondLifeSale,
    Thing,
)

T = TypeVar("T")
Document = dict[str, Any]

AGENT_BASE, LIBRARY_BASE = "slcap://InventoryAPIv3", "slcap://LibraryAPIv3"
"""What stands for the capability's address in answers, which never hold it."""


class Misread(Exception):
    """A document is not what it should be; the message says where, and shows nothing of it."""


# --- which part of a tree ---------------------------------------------------------------------------------------------

ALONE, CHILDREN, ITEMS, LINKS_PART, CATEGORIES = "alone", "children", "items", "links", "categories"
"""What is asked of a category: itself, all that lies in it, or one part of that."""


class Wanted(NamedTuple):
    """Which part of a tree is wanted, and how many levels of categories below; None for all.

    `only` are the children to which that is restricted, empty for no restriction.
    """

    category: str
    what: str = CHILDREN
    depth: int | None = 0
    only: tuple[str, ...] = ()

    def written(self) -> str:
        """Write it as the key of a fact."""
        depth = "*" if self.depth is None else str(self.depth)
        return "/".join((self.category, self.what, depth, ",".join(self.only)))

    @classmethod
    def read(cls, key: str) -> Wanted:
        """Read what `written` wrote."""
        category, what, depth, only = key.split("/")
        return cls(category, what, None if depth == "*" else int(depth), tuple(filter(None, only.split(","))))


# --- reading values ---------------------------------------------------------------------------------------------------


def read_id(value: object, name: str) -> str | None:
    """Read an id, a uuid or a text; None for none, and for the one that stands for none."""
    if value is None or value == "":
        return None
    text = str(value) if isinstance(value, UUID) else value.lower() if isinstance(value, str) else ""
    if not UUID_FORM.match(text):
        raise Misread(f"`{name}` is no id")
    return None if text == ZERO else text


def read_key(value: object, name: str) -> str:
    """Read an id that must be there."""
    key = read_id(value, name)
    if key is None:
        raise Misread(f"`{name}` is missing")
    return key


_INT32 = 1 << 32
# Four bytes in base64.
_DIGITS = re.compile(r"-?[0-9]+")
_BYTES = re.compile(r"[A-Za-z0-9+/]{6}==\Z")


def read_number(value: object, name: str, words: Mapping[str, int] = MappingProxyType({})) -> int:
    """Read an integer of 32 bits: a number, digits, a word that stands for one, or four bytes, the highest first."""
    if isinstance(value, str) and value in words:
        return words[value]
    if isinstance(value, bytes):
        if len(value) != 4:
            raise Misread(f"`{name}` is no number of four bytes")
        value = int.from_bytes(value, "big", signed=True)
    if isinstance(value, str):
        text = value.strip()
        # Longer ones are not 32 bits, and may take long to read.
        if len(text) > 11 or not _DIGITS.fullmatch(text):
            raise Misread(f"`{name}` is no number")
        value = int(text)
    if isinstance(value, float) and value.is_integer() and abs(value) < _INT32:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not -(_INT32 >> 1) <= value < _INT32 >> 1:
        raise Misread(f"`{name}` is no number of 32 bits")
    return value


def read_mask(value: object, name: str) -> BigInt:
    """Read a mask, which may come as a negative number, or, where bytes have no form of their own, as text of them."""
    if isinstance(value, int) and not isinstance(value, bool) and _INT32 >> 1 <= value < _INT32:
        return BigInt(value)
    if isinstance(value, str) and _BYTES.match(value):
        value = b64decode(value)
    return BigInt(read_number(value, name) % _INT32)


def read_type(value: object, name: str, words: Mapping[str, int] = MappingProxyType({})) -> int:
    """Read the number of a type, where the highest byte stands for none."""
    return -1 if value == _INT32 - 1 else read_number(value, name, words)


def read_text(value: object, name: str) -> str:
    """Read a text; none at all is an empty one."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Misread(f"`{name}` is no text")
    return str(value)


def read_flag(value: object, name: str) -> bool:
    """Read yes or no, which may come as a number or in words."""
    if isinstance(value, bool) or value in (0, 1):
        return bool(value)
    if value in ("true", "false", "1", "0", ""):
        return value in ("true", "1")
    raise Misread(f"`{name}` is neither true nor false")


def read_time(value: object, name: str) -> datetime | None:
    """Read a moment: seconds since 1970, as a number or digits, or a date."""
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return _in_utc(value, name)
    if isinstance(value, str) and not _DIGITS.fullmatch(value.strip()):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            raise Misread(f"`{name}` is no time") from None
        return _in_utc(found, name)
    return datetime.fromtimestamp(read_number(value, name), UTC)


def _in_utc(moment: datetime, name: str) -> datetime:
    try:
        found = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except OverflowError:
        raise Misread(f"`{name}` is out of range") from None
    # It is written as seconds of 32 bits.
    if not -(_INT32 >> 1) <= int(found.timestamp()) < _INT32 >> 1:
        raise Misread(f"`{name}` is out of range")
    return found


def read_map(value: object, name: str) -> Document:
    """Read a map; none at all is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Misread(f"`{name}` is no map")
    return cast("Document", value)


def read_list(value: object, name: str) -> list[Any]:
    """Read a list; none at all is an empty one, a map is the list of what it holds."""
    if value is None:
        return []
    if isinstance(value, dict):
        return list(cast("Document", value).values())
    if not isinstance(value, list):
        raise Misread(f"`{name}` is no list")
    return cast("list[Any]", value)


def read_ids(value: object, name: str) -> list[str]:
    """Read a list of ids, which may come as a map by id."""
    entries: Iterable[Any] = cast("Document", value) if isinstance(value, dict) else read_list(value, name)
    return [read_key(entry, name) for entry in entries]


def _first(document: Document, *names: str, default: Any) -> Any:
    """Give the first of these that is told; none at all is like absence."""
    return next((document[name] for name in names if document.get(name) is not None), default)


def _thumbnail(document: Document) -> str | None:
    return read_id(read_map(document.get("thumbnail"), "thumbnail").get("asset_id"), "thumbnail")


def _favorite(document: Document) -> bool:
    return read_flag(_first(read_map(document.get("favorite"), "favorite"), "toggled", default=False), "favorite")


def _extra(document: Document, known: Collection[str]) -> Extra:
    """Keep what the contract does not know, in the forms that JSON has."""
    left = {name: _plain(value) for name, value in document.items() if name not in known and value is not None}
    return left or None


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {str(name): _plain(part) for name, part in cast("Document", value).items()}
        case list():
            return [_plain(part) for part in cast("list[Any]", value)]
        case UUID():
            return str(value)
        case bytes():
            return b64encode(value).decode()
        case datetime():
            return value.isoformat()
        case str():
            return str(value)
        case _:
            return value


# --- reading documents ------------------------------------------------------------------------------------------------

_MARKS = ("thumbnail", "favorite", "_links", "_base_uri", "_embedded")
_CATEGORY = frozenset(
    ("category_id", "item_id", "parent_id", "agent_id", "name", "type_default", "type", "version", *_MARKS)
)
_ITEM = frozenset(
    (
        *("item_id", "linked_id", "parent_id", "agent_id", "asset_id", "shadow_id", "hash_id", "name", "desc", "type"),
        *("inv_type", "flags", "created_at", "sale_info", "permissions", "_broken", *_MARKS),
    )
)


def is_report(name: str) -> bool:
    """Say whether a field of an answer tells what was done, and is none of the object's own."""
    return name.startswith("_")


def parse_category(document: object, owner: OwnerRef) -> SecondLifeCategory:
    """Read a category's own fields; Misread."""
    found = read_map(document, "category")
    key = read_key(found.get("category_id", found.get("item_id")), "category_id")
    name = read_text(found.get("name"), "name")
    type_number = read_type(_first(found, "type_default", "type", default=ORDINARY), "type_default")
    return SecondLifeCategory(
        key=key,
        name=name,
        kind=ContainerKind.FOLDER,
        owner=owner,
        parent_key=read_id(found.get("parent_id"), "parent_id"),
        role=ROLES.get(type_number),
        sort=sort_of(name, key),
        type_number=type_number,
        thumbnail_id=_thumbnail(found),
        is_favorite=_favorite(found),
        number=read_number(_first(found, "version", default=1), "version"),
        extra=_extra({name: part for name, part in found.items() if not is_report(name)}, _CATEGORY),
    )


def parse_thing(document: object, owner: OwnerRef) -> Thing:
    """Read an item or a link; Misread."""
    found = read_map(document, "item")
    key = read_key(found.get("item_id"), "item_id")
    name = read_text(found.get("name"), "name")
    asset_type = read_type(_first(found, "type", default=-1), "type", NUMBERS)
    kind = read_type(_first(found, "inv_type", default=DEFAULT_KINDS.get(asset_type, -1)), "inv_type", KIND_NUMBERS)
    common: dict[str, Any] = {
        "key": key,
        "name": name,
        "kind": word_of(asset_type),
        "owner": owner,
        "container_key": read_id(found.get("parent_id"), "parent_id"),
        "acquired_at": read_time(found.get("created_at"), "created_at"),
        "sort": sort_of(name, key),
        "description": read_text(found.get("desc"), "desc"),
        "asset_type_number": asset_type,
        "extra": _extra({name: part for name, part in found.items() if not is_report(name)}, _ITEM),
    }
    if asset_type in LINKS or "linked_id" in found:
        return SecondLifeLink(
            **common, inventory_type_number=kind, linked_key=read_id(found.get("linked_id"), "linked_id") or ZERO
        )
    sale = read_map(found.get("sale_info"), "sale_info")
    return SecondLifeItem(
        **common,
        # Live data have attachments whose inventory type says texture.
        inventory_type_number=ATTACHMENT if kind == 0 and asset_type in (OBJECT, MESH) else kind,
        asset_id=read_id(found.get("asset_id"), "asset_id"),
        flags=read_mask(_first(found, "flags", default=0), "flags"),
        permissions=_parse_permissions(read_map(found.get("permissions"), "permissions")),
        sale=SecondLifeSale(
            type_number=read_number(_first(sale, "sale_type", default=0), "sale_type", SALE_NUMBERS),
            price=read_number(_first(sale, "sale_price", default=10), "sale_price"),
        ),
        thumbnail_id=_thumbnail(found),
        is_favorite=_favorite(found),
    )


def _parse_permissions(found: Document) -> SecondLifePermissions:
    owner, group = read_id(found.get("owner_id"), "owner_id"), read_id(found.get("group_id"), "group_id")
    return SecondLifePermissions(
        base_mask=read_mask(_first(found, "base_mask", default=0), "base_mask"),
        owner_mask=read_mask(_first(found, "owner_mask", default=0), "owner_mask"),
        group_mask=read_mask(_first(found, "group_mask", default=0), "group_mask"),
        everyone_mask=read_mask(_first(found, "everyone_mask", default=0), "everyone_mask"),
        next_owner_mask=read_mask(_first(found, "next_owner_mask", default=0), "next_owner_mask"),
        creator_id=read_id(found.get("creator_id"), "creator_id"),
        owner_id=owner,
        last_owner_id=read_id(found.get("last_owner_id"), "last_owner_id"),
        group_id=group,
        is_group_owned=owner is None and group is not None,
    )


def parse_branch(document: object, owner: OwnerRef) -> Branch:
    """Read a category with what is embedded in it, however deep; Misread."""
    found = read_map(document, "category")
    category = parse_category(found, owner)
    embedded = found.get("_embedded")
    if embedded is None:
        return Branch(category=category)
    parts = read_map(embedded, "_embedded")
    things: list[Thing] | None = None
    if "items" in parts or "links" in parts:
        things = [
            parse_thing(entry, owner) for name in ("items", "links") for entry in read_list(parts.get(name), name)
        ]
        for thing in things:
            thing.container_key = category.key
    children: list[Branch] | None = None
    if "categories" in parts:
        children = [parse_branch(entry, owner) for entry in read_list(parts["categories"], "categories")]
        for child in children:
            child.category.parent_key = category.key
    return Branch(category=category, items=things, children=children)


def walk(branch: Branch) -> Iterable[Branch]:
    """Give a branch and all below it, parents before their children."""
    waiting = [branch]
    while waiting:
        found = waiting.pop()
        yield found
        waiting += reversed(found.children or ())


# --- writing ----------------------------------------------------------------------------------------------------------


@lru_cache(100_000)
def _uuid(key: str) -> UUID:
    return UUID(key)


def written_id(key: str | None) -> UUID:
    """Write an id; none is the one that stands for none."""
    return _uuid(key or ZERO)


def written_ids(keys: Iterable[str]) -> list[UUID]:
    """Write ids."""
    return [_uuid(key) for key in keys]


NO_PERMISSIONS: Mapping[str, Any] = MappingProxyType(
    {
        "permissions": {
            **dict.fromkeys(("base_mask", "owner_mask", "group_mask", "everyone_mask", "next_owner_mask"), 0),
            **dict.fromkeys(("creator_id", "owner_id", "last_owner_id", "group_id"), _uuid(ZERO)),
        },
        "sale_info": {"sale_type": 0, "sale_price": 0},
    }
)
"""Permissions and sale information that say nothing, for links, which have none."""


def base_of(agent: str) -> str:
    """Give what stands for the address of an agent's capability."""
    return LIBRARY_BASE if agent == LIBRARY_AGENT else AGENT_BASE


def _signed(mask: int) -> int:
    """Write a mask as LLSD's integers are, with a sign."""
    return mask - _INT32 if mask >= _INT32 >> 1 else mask


def _href(path: str, name: str | None = None) -> Document:
    return {"href": path} if name is None else {"href": path, "name": name}


def category_path(key: str | None, part: str = "") -> str:
    """Give the path of a category, or of a part of it, behind the capability's address."""
    return f"/category/{key or ZERO}{part}"


def item_path(key: str) -> str:
    """Give the path of an item, behind the capability's address."""
    return f"/item/{key}"


def render_category(category: SecondLifeCategory, *, part: str | None = None) -> Document:
    """Write a category's fields; with `part`, as the top of an answer about that part of it (`""` for itself)."""
    key = category.key
    document: Document = {
        **(category.extra or {}),
        "category_id": _uuid(key),
        "parent_id": written_id(category.parent_key),
        "agent_id": _uuid(agent_of(category.owner.owner)),
        "name": category.name,
        "type_default": category.type_number,
        "version": category.number,
        "_links": {
            "self": _href(category_path(key, part or "")),
            "parent": _href(category_path(category.parent_key)),
        },
    }
    if category.thumbnail_id is not None:
        document["thumbnail"] = {"asset_id": _uuid(category.thumbnail_id)}
    if category.is_favorite:
        document["favorite"] = {"toggled": True}
    if part is not None:
        document["_base_uri"] = base_of(agent_of(category.owner.owner))
        document["_links"]["category"] = _href(category_path(key), "self")
        for name in ("children", "items", "links", "categories"):
            document["_links"][name] = _href(category_path(key, f"/{name}"))
    return document


def render_thing(thing: Thing, *, broken: bool | None = None, target: object = None, top: bool = False) -> Document:
    """Write an item or a link.

    Of a link it is told whether it is `broken`, if that is known, and what it points at is put in, if that is given.
    """
    document: Document = {
        **(thing.extra or {}),
        "item_id": _uuid(thing.key),
        "agent_id": _uuid(agent_of(thing.owner.owner)),
        "name": thing.name or "",
        "desc": thing.description,
        "type": thing.asset_type_number,
        "inv_type": thing.inventory_type_number,
        "created_at": 0 if thing.acquired_at is None else int(thing.acquired_at.timestamp()),
        "_links": {"self": _href(item_path(thing.key)), "parent": _href(category_path(thing.container_key))},
    }
    if thing.container_key is not None:
        document["parent_id"] = _uuid(thing.container_key)
    if top:
        document["_base_uri"] = base_of(agent_of(thing.owner.owner))
    if isinstance(thing, SecondLifeItem):
        document |= _render_item(thing)
    else:
        document |= _render_link(thing, broken, target, document["_links"])
    return document


def _render_item(item: SecondLifeItem) -> Document:
    given = item.permissions
    document: Document = {
        "asset_id": written_id(item.asset_id),
        "flags": _signed(item.flags),
        "sale_info": {"sale_type": item.sale.type_number, "sale_price": item.sale.price},
        "permissions": {
            "base_mask": _signed(given.base_mask),
            "owner_mask": _signed(given.owner_mask),
            "group_mask": _signed(given.group_mask),
            "everyone_mask": _signed(given.everyone_mask),
            "next_owner_mask": _signed(given.next_owner_mask),
            "creator_id": written_id(given.creator_id),
            "owner_id": written_id(given.owner_id),
            "last_owner_id": written_id(given.last_owner_id),
            "group_id": written_id(given.group_id),
            "is_owner_group": given.is_group_owned,
        },
    }
    if item.thumbnail_id is not None:
        document["thumbnail"] = {"asset_id": _uuid(item.thumbnail_id)}
    if item.is_favorite:
        document["favorite"] = {"toggled": True}
    return document


def _render_link(link: SecondLifeLink, broken: bool | None, target: object, links: Document) -> Document:
    linked = link.linked_key or ZERO
    is_folder = link.asset_type_number == FOLDER_LINK
    links["category" if is_folder else "item"] = _href(
        category_path(linked) if is_folder else item_path(linked), "link"
    )
    document: Document = {"linked_id": _uuid(linked)}
    if broken is not None:
        document["_broken"] = broken
    if isinstance(target, SecondLifeCategory):
        document["_embedded"] = {"category": render_category(target)}
    elif isinstance(target, SecondLifeItem):
        document["_embedded"] = {"item": render_thing(target)}
    return document


Render = Callable[[Thing], Document]


def embedded(things: Iterable[Thing], render: Render) -> tuple[Document, Document]:
    """Write things as maps by id: the items, and the links, which are never among them."""
    items: Document = {}
    links: Document = {}
    for thing in things:
        (links if isinstance(thing, SecondLifeLink) else items)[thing.key] = render(thing)
    return items, links


def render_branch(
    branch: Branch, render: Render, *, part: str | None = None, shows: Collection[str] = ("items", "links")
) -> Document:
    """Write a category with what lies in it, as deep as it was read; `shows` are the maps of things that there are."""
    document = render_category(branch.category, part=part)
    maps: Document = {}
    if branch.items is not None:
        items, links = embedded(branch.items, render)
        maps = {name: found for name, found in (("items", items), ("links", links)) if name in shows}
    if branch.children is not None:
        maps["categories"] = {
            child.category.key: render_branch(child, render, shows=shows) for child in branch.children
        }
    if maps:
        document["_embedded"] = maps
    return document


# --- what clients send ------------------------------------------------------------------------------------------------


def parse_contents(body: object) -> tuple[list[NewItem], list[NewLink], list[NewCategory]]:
    """Read what is to be made: lists of items, links and categories; every fault is told, InvalidInput."""
    if not isinstance(body, dict):
        raise invalid("The body is a map of `items`, `links` and `categories`.")
    found = cast("Document", body)
    return (
        _parse_each(found.get("items"), "items", parse_new_item),
        _parse_each(found.get("links"), "links", parse_new_link),
        _parse_each(found.get("categories"), "categories", parse_new_category),
    )


def parse_links(body: object) -> list[NewLink]:
    """Read the whole list of a folder's links; InvalidInput."""
    if not isinstance(body, list):
        raise invalid("The body is an array of links.")
    return _parse_each(cast("list[Any]", body), "links", parse_new_link)


def parse_categories(body: object) -> list[NewCategory]:
    """Read a list of categories; InvalidInput."""
    if not isinstance(body, list):
        raise invalid("The body is an array of categories.")
    return _parse_each(cast("list[Any]", body), "categories", parse_new_category)


def _parse_each(entries: object, name: str, parse: Callable[[Document], T]) -> list[T]:
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise invalid(f"`{name}` is an array.")
    made: list[T] = []
    faults: list[Refusal] = []
    for at, entry in enumerate(cast("list[Any]", entries)):
        try:
            made.append(parse(read_map(entry, name)))
        except Misread as misread:
            faults.append(invalid(f"{misread} (entry {at}).").at(name, str(at)))
        except Refusal as fault:
            faults.append(fault.at(name, str(at)))
    refuse(faults)
    return made


def parse_new_category(entry: Document) -> NewCategory:
    """Read a category that is to be made."""
    return NewCategory(
        key=read_id(entry.get("category_id"), "category_id"),
        name=read_text(entry.get("name"), "name"),
        type_number=read_type(_first(entry, "type_default", "type", default=ORDINARY), "type_default"),
        thumbnail_id=_thumbnail(entry),
        is_favorite=_favorite(entry),
    )


def parse_new_link(entry: Document) -> NewLink:
    """Read a link that is to be made; its inventory type is that of what it points at, whatever is told."""
    linked = read_id(entry.get("linked_id"), "linked_id")
    asset_type = read_type(entry["type"], "type", NUMBERS) if entry.get("type") is not None else None
    if linked is None:
        raise InvalidLinks("`linked_id` is missing.", ZERO)
    return NewLink(
        key=read_id(entry.get("item_id"), "item_id"),
        name=read_text(entry.get("name"), "name"),
        description=read_text(entry.get("desc"), "desc"),
        linked=linked,
        asset_type=asset_type,
    )


def parse_new_item(entry: Document) -> NewItem:
    """Read an item that is to be made."""
    if entry.get("type") is None:
        raise Misread("`type` is missing")
    asset_type = read_type(entry["type"], "type", NUMBERS)
    kind = entry.get("inv_type")
    sale = read_map(entry.get("sale_info"), "sale_info")
    return NewItem(
        key=read_id(entry.get("item_id"), "item_id"),
        name=read_text(entry.get("name"), "name"),
        description=read_text(entry.get("desc"), "desc"),
        asset_type=asset_type,
        inventory_type=DEFAULT_KINDS.get(asset_type, -1) if kind is None else read_type(kind, "inv_type", KIND_NUMBERS),
        asset_id=read_id(entry.get("asset_id"), "asset_id"),
        flags=read_mask(_first(entry, "flags", default=0), "flags"),
        masks=_parse_masks(entry, ("base_mask",)),
        sale_type=_sale_type(_first(sale, "sale_type", default=0)),
        sale_price=_sale_price(_first(sale, "sale_price", default=10)),
        thumbnail_id=_thumbnail(entry),
        is_favorite=_favorite(entry),
    )


_MASKS = ("owner_mask", "group_mask", "everyone_mask", "next_owner_mask")


def _parse_masks(entry: Document, more: Sequence[str] = ()) -> dict[str, int]:
    given = read_map(entry.get("permissions"), "permissions")
    return {name: read_mask(given[name], name) for name in (*more, *_MASKS) if given.get(name) is not None}


def _sale_type(value: object) -> int:
    number = read_number(value, "sale_type", SALE_NUMBERS)
    if number not in SALE_NUMBERS.values():
        raise Misread("`sale_type` is none that there is")
    return number


def _sale_price(value: object) -> int:
    price = read_number(value, "sale_price")
    if not 0 <= price < _INT32 >> 1:
        raise Misread("`sale_price` is below 0")
    return price


def _cleared(document: Document, name: str, read: Callable[[Document], Any]) -> Any:
    """Read a part that stays where it is absent, and is cleared where it is none."""
    return read(document) if name in document else UNSET


def parse_category_patch(body: object, key: str) -> CategoryPatch:
    """Read what of a category is to be changed: what cannot be changed, or is not known, is ignored; InvalidInput."""
    try:
        if not isinstance(body, dict):
            raise Misread("the body is no map")
        found = cast("Document", body)
        patch = CategoryPatch(key=key)
        if found.get("name") is not None:
            patch.name = read_text(found["name"], "name")
        # Viewers send the type under the name that items have for it.
        told = found.get("type_default", found.get("type"))
        if told is not None:
            patch.type_number = read_type(told, "type_default")
        patch.thumbnail_id = _cleared(found, "thumbnail", _thumbnail)
        patch.is_favorite = _cleared(found, "favorite", _favorite)
        if found.get("parent_id") is not None:
            parent = read_id(found["parent_id"], "parent_id")
            patch.parent = UNSET if parent is None else parent
    except Misread as misread:
        raise InvalidCategory(f"{misread}.", key) from None
    return patch


def parse_item_patch(body: object, key: str, *, link: bool) -> ItemPatch:
    """Read what of an item, or of a link, is to be changed; what the other kind has is ignored; InvalidInput."""
    try:
        if not isinstance(body, dict):
            raise Misread("the body is no map")
        found = cast("Document", body)
        patch = ItemPatch(key=key)
        if found.get("name") is not None:
            patch.name = read_text(found["name"], "name")
        if found.get("desc") is not None:
            patch.description = read_text(found["desc"], "desc")
        if found.get("parent_id") is not None:
            parent = read_id(found["parent_id"], "parent_id")
            patch.parent = UNSET if parent is None else parent
        if link:
            linked = read_id(found.get("linked_id"), "linked_id")
            patch.linked = UNSET if linked is None else linked
            return patch
        if found.get("asset_id") is not None:
            patch.asset_id = read_id(found["asset_id"], "asset_id")
        if found.get("flags") is not None:
            patch.flags = read_mask(found["flags"], "flags")
        patch.masks = _parse_masks(found)
        sale = read_map(found.get("sale_info"), "sale_info")
        if sale.get("sale_type") is not None:
            patch.sale_type = _sale_type(sale["sale_type"])
        if sale.get("sale_price") is not None:
            patch.sale_price = _sale_price(sale["sale_price"])
        patch.thumbnail_id = _cleared(found, "thumbnail", _thumbnail)
        patch.is_favorite = _cleared(found, "favorite", _favorite)
    except Misread as misread:
        raise InvalidItem(f"{misread}.", key) from None
    return patch


# --- what our client sends --------------------------------------------------------------------------------------------


def render_new_category(new: NewCategory, parent: str) -> Document:
    """Write a category that is to be made."""
    document: Document = {
        "category_id": written_id(new.key),
        "parent_id": _uuid(parent),
        "name": new.name,
        "type_default": new.type_number,
    }
    if new.thumbnail_id is not None:
        document["thumbnail"] = {"asset_id": new.thumbnail_id}
    if new.is_favorite:
        document["favorite"] = {"toggled": True}
    return document


def render_new_link(new: NewLink) -> Document:
    """Write a link that is to be made."""
    document: Document = {"linked_id": _uuid(new.linked), "name": new.name, "desc": new.description}
    document["type"] = LINK if new.asset_type is None else new.asset_type
    if new.key is not None:
        document["item_id"] = _uuid(new.key)
    return document


def render_category_patch(patch: CategoryPatch) -> Document:
    """Write what of a category is to be changed."""
    document: Document = {}
    if patch.name is not UNSET:
        document["name"] = patch.name
    if patch.type_number is not UNSET:
        document["type_default"] = patch.type_number
    return document | _render_marks(patch)


def render_item_patch(patch: ItemPatch) -> Document:
    """Write what of an item or link is to be changed."""
    document: Document = {}
    for name, value in (("name", patch.name), ("desc", patch.description)):
        if value is not UNSET:
            document[name] = value
    if patch.asset_id is not UNSET:
        document["asset_id"] = written_id(patch.asset_id)
    if patch.flags is not UNSET:
        document["flags"] = _signed(patch.flags)
    if patch.masks:
        document["permissions"] = {name: _signed(mask) for name, mask in patch.masks.items() if name != "base_mask"}
    sale = {"sale_type": patch.sale_type, "sale_price": patch.sale_price}
    if told := {name: value for name, value in sale.items() if value is not UNSET}:
        document["sale_info"] = told
    if patch.linked is not UNSET:
        document["linked_id"] = _uuid(patch.linked)
    return document | _render_marks(patch)


def _render_marks(patch: CategoryPatch | ItemPatch) -> Document:
    document: Document = {}
    if patch.thumbnail_id is not UNSET:
        # As a text, as viewers send it.
        document["thumbnail"] = None if patch.thumbnail_id is None else {"asset_id": patch.thumbnail_id}
    if patch.is_favorite is not UNSET:
        document["favorite"] = {"toggled": True} if patch.is_favorite else None
    return document
