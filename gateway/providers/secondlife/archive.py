"""Whole inventories of Second Life in files: read for import, written for export, as LLSD XML or JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from gateway.files import Format
from gateway.model.definition import ItemDefinition
from gateway.model.errors import InvalidInput
from gateway.model.ids import OwnerRef
from gateway.model.manifest import ProviderKey
from gateway.model.owner import InventoryOwner
from gateway.model.ports import Holdings, Owned, Record, Stock
from gateway.providers.secondlife import rules, wire
from gateway.providers.secondlife.codec import FORMAT
from gateway.providers.secondlife.keys import LIBRARY, MOST_LEVELS, ORPHANS, PROVIDER, ROOT, SPECIAL, agent_of, owner_of
from gateway.providers.secondlife.types import Branch, SecondLifeCategory, SecondLifeLink, Thing
from gateway.providers.secondlife.wire import Document, Misread

FORMATS: Mapping[str, Format] = {"llsd": FORMAT}
"""The form of a file beside JSON."""

_TREE, _LOOSE = "/category/root/children?depth=*", "/orphans"
_GIVE_OWNER = "whose it is must be told: --owner AGENT, or --owner library"


def family(kind: str) -> str:
    """Refuse: there is no catalogue."""
    raise InvalidInput(f"{kind}: Second Life has no catalogue.")


def render_definition(definition: ItemDefinition) -> object:
    """Refuse: there is no catalogue."""
    raise InvalidInput(f"{definition.key}: Second Life has no catalogue.")


def splits(kind: str | None, payload: object) -> bool:
    """Say that a document stands or falls as one."""
    del kind, payload
    return False


# --- reading ----------------------------------------------------------------------------------------------------------


def parse_record(kind: str | None, payload: object, owner: str | None) -> Iterable[Record]:
    """Read a folder with all that is embedded in it, what lies in none, or an export: a map of such by path."""
    if kind not in (None, "category", ORPHANS):
        raise InvalidInput(f"{kind}: not a kind of document; there are: category, {ORPHANS}")
    if not isinstance(payload, dict):
        raise InvalidInput("this is not a map")
    document = cast("Document", payload)
    if any(name.startswith("/") for name in document):
        for path, part in document.items():
            if not path.startswith(("/category/", _LOOSE)):
                raise InvalidInput(f"{path}: not a path of a document that can be imported")
            found = list(_parse(part, owner, loose=path.startswith(_LOOSE)))
            yield from found
        return
    yield from _parse(document, owner, loose=kind == ORPHANS or "category_id" not in document)


def _parse(payload: object, owner: str | None, *, loose: bool) -> Iterable[Record]:
    try:
        document = wire.read_map(payload, "document")
        whose = _owner(document, owner)
        ref = OwnerRef(PROVIDER, whose)
        if loose:
            yield from _parse_orphans(document, ref)
        else:
            yield from _parse_tree(document, ref)
    except Misread as misread:
        raise InvalidInput(f"{misread}") from None
    except RecursionError:
        raise InvalidInput("folders are nested too deep") from None


def _owner(document: Document, owner: str | None) -> str:
    """Tell whose a document is, by its agent and by what was given, which must agree."""
    agent = wire.read_id(document.get("agent_id"), "agent_id")
    told = None if agent is None else owner_of(agent)
    if told is None and document.get("_base_uri") == wire.LIBRARY_BASE:
        told = LIBRARY
    if owner is None and told is None:
        told = _owner_within(document)
    if owner is None and told is None:
        raise InvalidInput(_GIVE_OWNER)
    if owner is not None and told is not None and owner != told:
        raise InvalidInput(f"this is the inventory of {told}, not of {owner}")
    found = owner or told or ""
    rules.check_owner(found)
    return found


def _owner_within(document: Document) -> str | None:
    """Tell whose a document is by the first thing that is embedded in it."""
    for part in wire.read_map(document.get("_embedded"), "_embedded").values():
        for entry in wire.read_list(part, "_embedded"):
            agent = wire.read_id(wire.read_map(entry, "_embedded").get("agent_id"), "agent_id")
            if agent is not None:
                return owner_of(agent)
    return None


def _parse_tree(document: Document, owner: OwnerRef) -> Iterable[Record]:
    branch = wire.parse_branch(document, owner)
    seen: set[str] = set()
    folders: list[SecondLifeCategory] = []
    things: list[Thing] = []
    for one in wire.walk(branch):
        if one.children is None or one.items is None:
            raise InvalidInput(
                f"the folder {one.category.key} is told without all that lies in it: ask for it with depth=*"
            )
        folders.append(_checked(one.category))
        things += one.items
    for key in (*(folder.key for folder in folders), *(thing.key for thing in things)):
        if key in seen:
            raise InvalidInput(f"{key} comes twice")
        seen.add(key)
    yield InventoryOwner(provider=ProviderKey.SECOND_LIFE, key=owner.owner)
    yield Holdings(container=branch.category, children=[*folders[1:]], items=[*things])


def _checked(folder: SecondLifeCategory) -> SecondLifeCategory:
    """Refuse what would make two roots, or a version that no viewer takes."""
    if (folder.parent_key is None) is not (folder.type_number == SPECIAL[ROOT]):
        raise InvalidInput(f"the folder {folder.key} is the root, or lies in another: only the root lies in none")
    # Some clients write -1 for what they do not know.
    folder.number = max(folder.number, 1)
    return folder


def _parse_orphans(document: Document, owner: OwnerRef) -> Iterable[Record]:
    parts = wire.read_map(document.get("_embedded"), "_embedded")
    things = [
        wire.parse_thing(entry, owner) for name in ("items", "links") for entry in wire.read_list(parts.get(name), name)
    ]
    for thing in things:
        thing.container_key = None
    yield InventoryOwner(provider=ProviderKey.SECOND_LIFE, key=owner.owner)
    yield Stock(owner=owner, items=list(things), gone=[], whole=True)


# --- writing ----------------------------------------------------------------------------------------------------------


def render_export(owned: Owned) -> Iterator[tuple[str, object]]:
    """Write an inventory as the service's answers do: the tree below the root, and what lies in no folder.

    `parse_record` reads it back.
    """
    folders = [one for one in owned.containers if isinstance(one, SecondLifeCategory)]
    lying: dict[str | None, list[Thing]] = {}
    for item in cast("list[Thing]", owned.items):
        lying.setdefault(item.container_key, []).append(item)
    branches = {one.key: Branch(category=one, items=lying.get(one.key, []), children=[]) for one in folders}
    known: dict[str, Any] = {**branches, **{item.key: item for item in owned.items}}

    def render(thing: Thing) -> Document:
        broken = thing.linked_key not in known if isinstance(thing, SecondLifeLink) else None
        return wire.render_thing(thing, broken=broken)

    tops: list[Branch] = []
    for one in folders:
        above = branches.get(one.parent_key or "")
        (tops if above is None else cast("list[Branch]", above.children)).append(branches[one.key])
    for top in tops:
        for part in _cut(top):
            is_root = part.category.type_number == SPECIAL[ROOT]
            path = _TREE if is_root else f"{wire.category_path(part.category.key, '/children')}?depth=*"
            yield path, wire.render_branch(part, render, part="/children")
    loose = lying.get(None, [])
    if loose or not tops:
        items, links = wire.embedded(loose, render)
        agent = agent_of(owned.owner.key)
        yield (
            _LOOSE,
            {
                "agent_id": wire.written_id(agent),
                "_base_uri": wire.base_of(agent),
                "_embedded": {"items": items, "links": links, "categories": {}},
            },
        )


def _cut(top: Branch) -> Iterator[Branch]:
    """Give a tree in parts that are no deeper than a document may be, each before those that were cut off below it."""
    waiting = [top]
    while waiting:
        part = waiting.pop(0)
        level = [part]
        for _ in range(MOST_LEVELS - 1):
            level = [child for one in level for child in one.children or ()]
        for one in level:
            waiting += one.children or ()
            one.children = []
        yield part
