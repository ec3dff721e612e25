"""Second Life's own part of the local backend: folders by their names, trees, and every verb over the store."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from gateway.backends.plain import Plain
from gateway.model.change import ChangeSet
from gateway.model.container import Contents
from gateway.model.errors import Forbidden, NotFound
from gateway.model.ids import ContainerRef, FactRef, ItemRef, OwnerRef, decode_id
from gateway.model.manifest import Capability, ProviderKey
from gateway.model.owner import ACCOUNT, InventoryOwner
from gateway.model.ports import ENDLESS, Clock, Results, Shown, Storage, Writing, Written
from gateway.model.verbs import ContentsPart
from gateway.providers.secondlife import orders, wire
from gateway.providers.secondlife.keys import BRANCH, LIBRARY, MOST_LEVELS, ORPHANS, ROOT, SPECIAL, agent_of
from gateway.providers.secondlife.orders import Order, order_of
from gateway.providers.secondlife.refusals import TooLarge
from gateway.providers.secondlife.rules import is_protected
from gateway.providers.secondlife.settings import SecondLifeOptions
from gateway.providers.secondlife.tree import Tree, versions
from gateway.providers.secondlife.types import Branch, Orphans, SecondLifeAgent, SecondLifeCategory, Thing
from gateway.providers.secondlife.verbs import Done, changed, parts_of
from gateway.providers.secondlife.wire import Wanted


class Local(Plain):
    """The part of the local backend that is Second Life's own."""

    def __init__(self, clock: Clock, options: SecondLifeOptions) -> None:
        self._clock = clock
        self._most = options.most_objects
        self._most_new = options.most_new_objects

    # --- reads --------------------------------------------------------------------------------------------------------

    async def contents(self, store: Storage, refs: Sequence[ContainerRef]) -> Results[ContainerRef, Contents]:
        """Give folders with their versions; they have no slots. One statement."""
        return {ref: _contents(cast("SecondLifeCategory", one)) for ref, one in (await store.containers(refs)).items()}

    async def facts(self, store: Storage, refs: Sequence[FactRef]) -> Results[FactRef, object]:
        """Give documents about owners, trees, and what lies nowhere; a tree takes up to three statements."""
        found: dict[FactRef, Any] = {}
        accounts = {ref: OwnerRef(ref.provider, ref.owner) for ref in refs if ref.kind == ACCOUNT}
        known = await store.owners([*accounts.values()])
        for ref, owner in accounts.items():
            if owner in known:
                found[ref] = SecondLifeAgent(id=agent_of(owner.owner), is_library=owner.owner == LIBRARY)
        for ref in refs:
            owner = OwnerRef(ref.provider, ref.owner)
            if ref.kind == BRANCH:
                found[ref] = await self._branch(store, owner, Wanted.read(ref.key))
            elif ref.kind == ORPHANS:
                loose = _things(await store.loose(owner, most=self._most + 1))
                found[ref] = TooLarge() if len(loose) > self._most else Orphans(items=loose)
        return found

    async def resolve(self, store: Storage, refs: Sequence[ContainerRef]) -> Mapping[ContainerRef, ContainerRef]:
        """Give the folders that special names mean; one statement, if there are such names."""
        named = [ref for ref in refs if ref.key in SPECIAL]
        if not named:
            return {}
        roots = {ContainerRef(ref.provider, ref.owner, ROOT) for ref in named}
        found: dict[ContainerRef, ContainerRef] = {}
        trees: dict[OwnerRef, Tree] = {}
        for one in await store.with_role([*{*named, *roots}]):
            tree = trees.setdefault(one.owner, Tree(one.owner, at=self._clock()))
            tree.add([cast("SecondLifeCategory", one)])
        for ref in named:
            tree = trees.get(OwnerRef(ref.provider, ref.owner))
            category = None if tree is None else tree.special(ref.key)
            if category is not None:
                found[ref] = category.ref
        return found

    async def _branch(self, store: Storage, owner: OwnerRef, wanted: Wanted) -> Branch | TooLarge | None:
        ref = ContainerRef(*owner, wanted.category)
        category = cast("SecondLifeCategory | None", (await store.containers([ref])).get(ref))
        if category is None:
            return None
        if wanted.what == wire.ALONE:
            return Branch(category=category)
        # Not one more than needed to see that there are too many.
        most = min(self._most + 1, ENDLESS)
        below: list[SecondLifeCategory] = []
        expanded = [ref]
        if wanted.what in (wire.CHILDREN, wire.CATEGORIES):
            below = await self._below(store, ref, wanted, most)
            if len(below) >= most:
                return TooLarge()
            levels = _levels(below, ref.key)
            if max(levels.values()) > MOST_LEVELS:
                return TooLarge()
            expanded += [one.ref for one in below if wanted.depth is None or levels[one.key] <= wanted.depth]
        items: list[Thing] = []
        if wanted.what != wire.CATEGORIES:
            # Of a restricted answer the top is not whole, and so none of its things are told.
            inside = expanded[1:] if wanted.only else expanded
            items = _things(await store.inside(inside, most=most - len(below))) if inside else []
            if len(below) + len(items) >= most:
                return TooLarge()
        return _grown(category, below, items, {one.key for one in expanded}, wanted)

    async def _below(self, store: Storage, ref: ContainerRef, wanted: Wanted, most: int) -> list[SecondLifeCategory]:
        """Give the folders below one: as deep as is wanted, and one level of those that are only named."""
        depth = None if wanted.depth is None else wanted.depth + 1
        if not wanted.only:
            return _folders(await store.below([ref], depth=depth, most=most))
        asked = [ref._replace(key=key) for key in wanted.only]
        children = [one for one in (await store.containers(asked)).values() if one.parent_key == ref.key]
        deeper = None if depth is None else depth - 1
        below = await store.below([one.ref for one in children], depth=deeper, most=most)
        return _folders([*children, *below])

    # --- verbs --------------------------------------------------------------------------------------------------------

    def sources(self, owner: OwnerRef, change: Any) -> Collection[OwnerRef]:
        """Give whose things a copy is of, where they are another's."""
        source = _source_of(change)
        return () if source is None or source == owner.owner else (OwnerRef(owner.provider, source),)

    def check(self, verb: Capability, owner: OwnerRef, change: Any) -> None:
        """Refuse to change the library, to copy from others, and what is malformed."""
        if owner.owner == LIBRARY:
            raise Forbidden("The library cannot be changed.")
        if _source_of(change) not in (None, owner.owner, LIBRARY):
            raise NotFound("There is no such thing.").at("ids" if hasattr(change, "ids") else "container")
        order_of(verb, owner, change)

    async def write(self, store: Writing, verb: Capability, owner: OwnerRef, change: Any) -> Written:
        """Carry out an order: read what it is about, do it in memory, write what has become of it."""
        order = order_of(verb, owner, change)
        tree = Tree(owner, at=self._clock(), most_new=self._most_new)
        if (to := getattr(order, "to", None)) in SPECIAL:
            named = ContainerRef(*owner, cast("str", to))
            order = replace(cast("Any", order), to=(await self.resolve(store, [named])).get(named, named).key)
        source = await _fill(store, tree, order)
        tree.carry_out(order, source)
        if tree.outcome.created_categories and not await store.owners([owner]):
            # The first that an agent has, of whom nothing was imported.
            await store.put_owner(InventoryOwner(provider=ProviderKey.SECOND_LIFE, key=owner.owner))
        await _save(store, tree)
        return _written(tree, order)

    async def replay(self, store: Writing, verb: Capability, owner: OwnerRef, change: Any, changes: ChangeSet) -> Shown:
        """Give what the order was about, and what it has made, as it stands now."""
        order = order_of(verb, owner, change)
        tree = Tree(owner, at=self._clock())
        reader = _Filling(store, tree)
        await _fill(store, tree, order)
        made = [decode_id(one)[1] for one in changes.created_ids]
        tree.outcome.created_categories = [ref.key for ref in made if isinstance(ref, ContainerRef)]
        tree.outcome.created_items = [ref.key for ref in made if isinstance(ref, ItemRef)]
        await reader.folders(tree.outcome.created_categories)
        await reader.things(tree.outcome.created_items)
        if isinstance(order, orders.Ensure):
            found = tree.special(order.role)
            tree.outcome.top = None if found is None else found.key
        return Shown(parts=parts_of(order, tree.outcome, tree.categories, tree.items), contents=[])


def _contents(category: SecondLifeCategory) -> Contents:
    return Contents(
        container=category,
        capacity=None,
        free_slots=None,
        slots=None,
        items=[],
        digest=lambda: str(category.number),
    )


def _folders(found: Iterable[Any]) -> list[SecondLifeCategory]:
    return [one for one in found if isinstance(one, SecondLifeCategory)]


def _things(found: Iterable[Any]) -> list[Thing]:
    return sorted(found, key=lambda one: one.sort)


def _levels(below: Sequence[SecondLifeCategory], top: str) -> dict[str, int]:
    """Give how far below a folder others lie, by key."""
    levels = {top: 0}
    for one in below:
        levels[one.key] = levels[one.parent_key or ""] + 1
    return levels


def _grown(
    category: SecondLifeCategory,
    below: Sequence[SecondLifeCategory],
    items: Sequence[Thing],
    expanded: Collection[str],
    wanted: Wanted,
) -> Branch:
    """Put together a branch: what is expanded has all its parts, what is not, none."""
    things = wanted.what != wire.CATEGORIES
    folders = wanted.what in (wire.CHILDREN, wire.CATEGORIES)
    held: dict[str | None, list[Thing]] = {}
    for item in items:
        held.setdefault(item.container_key, []).append(item)
    branches: dict[str, Branch] = {}
    for one in (category, *below):
        branch = branches[one.key] = Branch(category=one)
        if one.key in expanded:
            restricted = bool(wanted.only) and one is category
            branch.items = held.get(one.key, []) if things and not restricted else None
            branch.children = [] if folders else None
        if one is not category:
            cast("list[Branch]", branches[one.parent_key or ""].children).append(branch)
    return branches[category.key]


def _source_of(change: Any) -> str | None:
    """Give the owner whose things an order, or an input, copies; None for what copies nothing."""
    if isinstance(change, Order):
        return getattr(change, "source", None)
    if not hasattr(change, "to"):
        return None
    named = change.ids[:1] if hasattr(change, "ids") else [change.container]
    return cast("ItemRef", decode_id(named[0])[1]).owner if named else None


# --- filling a tree ---------------------------------------------------------------------------------------------------


async def _fill(store: Storage, tree: Tree, order: Order) -> Tree | None:
    """Read all that an order may need to know; of a copy, give the tree that it is taken from.

    The statements do not depend on how much there is.
    """
    reader = _Filling(store, tree)
    match order:
        case orders.Create(category=key):
            await reader.folders([key])
            await reader.targets(order)
        case orders.Replace(category=key, what=what):
            await reader.folders([key])
            await reader.doomed(*await reader.part(key, what))
            await reader.targets(order)
        case orders.Ensure(role=role):
            await reader.roles(role)
        case orders.ChangeCategories(patches=patches):
            await reader.folders([patch.key for patch in patches])
            await reader.around([patch.parent for patch in patches if patch.parent is not orders.UNSET])
        case orders.ChangeItems(patches=patches):
            await reader.things([patch.key for patch in patches])
            await reader.folders([patch.parent for patch in patches if patch.parent is not orders.UNSET])
            linked = [patch.linked for patch in patches if patch.linked is not orders.UNSET]
            await reader.things(linked)
            await reader.folders(linked)
        case orders.MoveCategories(keys=keys, to=to):
            await reader.folders([*keys, to])
            await reader.around([to])
        case orders.MoveItems(keys=keys, to=to):
            await reader.things(keys)
            await reader.folders([to])
        case orders.DeleteCategories(keys=keys):
            await reader.folders(keys)
            await reader.doomed(keys, [])
        case orders.DeleteItems(keys=keys):
            await reader.things(keys)
            await reader.doomed([], keys)
        case orders.Clear(category=key, what=what):
            await reader.folders([key])
            await reader.doomed(*await reader.part(key, what))
        case orders.MoveContents(category=key, what=what, to=to):
            await reader.folders([key, to])
            await reader.part(key, what)
            await reader.around([to])
        case _:
            return await _fill_copy(reader, store, tree, order)
    await reader.parents()
    return None


async def _fill_copy(reader: _Filling, store: Storage, tree: Tree, order: Order) -> Tree:
    source, other = tree, reader
    of = cast("orders.CopyItems", order).source
    if of != tree.owner.owner:
        source = Tree(OwnerRef(tree.owner.provider, of), at=tree.at)
        other = _Filling(store, source)
    match order:
        case orders.CopyCategories(keys=keys, to=to, depth=depth):
            await other.folders(keys)
            await other.within(keys, depth)
        case orders.CopyItems(keys=keys, to=to):
            await other.things(keys)
        case orders.CopyContents(category=key, what=what, to=to, depth=depth):
            await other.folders([key])
            children, _ = await other.part(key, what)
            await other.within(children, depth)
        case _:
            raise TypeError(f"{type(order).__name__} is no order")
    await reader.folders([to])
    await reader.parents()
    return source


class _Filling:
    """Reads parts of an owner's inventory into a tree, each by one statement or two."""

    def __init__(self, store: Storage, tree: Tree) -> None:
        self._store = store
        self._tree = tree
        self._owner = tree.owner

    def _refs(self, keys: Iterable[str]) -> list[ContainerRef]:
        return [ContainerRef(*self._owner, key) for key in dict.fromkeys(keys)]

    async def folders(self, keys: Iterable[str]) -> None:
        """Read folders."""
        missing = self._refs(key for key in keys if key not in self._tree.categories)
        if missing:
            self._tree.add(_folders((await self._store.containers(missing)).values()))

    async def things(self, keys: Iterable[str]) -> None:
        """Read items and links."""
        missing = [ItemRef(*self._owner, key) for key in dict.fromkeys(keys) if key not in self._tree.items]
        if missing:
            self._tree.add(items=_things((await self._store.items(missing)).values()))

    async def parents(self) -> None:
        """Read the folders that what was read lies in: their versions may rise."""
        tree = self._tree
        above = [category.parent_key for category in tree.categories.values()]
        holding = [item.container_key for item in tree.items.values()]
        await self.folders([key for key in (*above, *holding) if key is not None])

    async def around(self, keys: Sequence[str]) -> None:
        """Read folders, and all that they lie in."""
        if keys:
            await self.folders(keys)
            self._tree.add(_folders(await self._store.above(self._refs(keys))))

    async def roles(self, *roles: str) -> None:
        """Read the root, and the folders that may be the ones of a name."""
        self._tree.add(_folders(await self._store.with_role(self._refs((ROOT, *roles)))))

    async def part(self, key: str, what: ContentsPart) -> tuple[list[str], list[str]]:
        """Read what lies directly in a folder, and give the keys of a part of it."""
        (ref,) = self._refs([key])
        if what in (ContentsPart.ALL, ContentsPart.CONTAINERS):
            self._tree.add(_folders(await self._store.below([ref], depth=1)))
        if what is not ContentsPart.CONTAINERS:
            self._tree.add(items=_things(await self._store.inside([ref])))
        categories, items = self._tree.part(key, what)
        return [one.key for one in categories], [one.key for one in items]

    async def within(self, keys: Sequence[str], depth: int | None) -> None:
        """Read what lies in folders, and so many levels of the folders in them."""
        refs = self._refs(keys)
        if refs:
            below = _folders(await self._store.below(refs, depth=depth))
            self._tree.add(below)
            self._tree.add(items=_things(await self._store.inside([*refs, *(one.ref for one in below)])))

    async def doomed(self, keys: Sequence[str], items: Sequence[str]) -> None:
        """Read all that lies below folders, and every link to that, and to the items."""
        await self.within(keys, None)
        tree = self._tree
        gone = {*keys, *items}
        for key in (below := [*keys]):
            gone.add(key)
            below += [child.key for child in tree.children(key)]
            gone |= {item.key for item in tree.lying(key)}
        if gone:
            links = await self._store.links_to([ItemRef(*self._owner, key) for key in gone])
            tree.add(items=_things(links))

    async def targets(self, order: orders.Create | orders.Replace) -> None:
        """Read what new links point at, and what has the ids that new things shall have."""
        linked = [link.linked for link in order.links]
        named = [new.key for new in (*order.items, *order.links, *order.categories) if new.key is not None]
        await self.things([*linked, *named])
        await self.folders([*linked, *named])
        guarded = [new.type_number for new in order.categories if is_protected(new.type_number)]
        if guarded:
            await self.roles(*SPECIAL)
            await self.part(order.category, ContentsPart.CONTAINERS)


# --- writing it down --------------------------------------------------------------------------------------------------


async def _save(store: Writing, tree: Tree) -> None:
    """Write down what became of a tree."""
    outcome = tree.outcome
    gone = set(outcome.removed_categories)
    # What lies below goes with what it lies in.
    await store.delete_items([ItemRef(*tree.owner, key) for key in (*outcome.removed_items, *outcome.broken_links)])
    await store.delete_containers([ContainerRef(*tree.owner, key) for key in gone])
    folders = dict.fromkeys(
        (*outcome.created_categories, *outcome.updated_categories, *outcome.moved_categories, *outcome.bumped)
    )
    await store.put_containers([tree.categories[key] for key in folders])
    things = dict.fromkeys((*outcome.created_items, *outcome.updated_items, *outcome.moved_items))
    await store.put_items([tree.items[key] for key in things])


def _written(tree: Tree, order: Order) -> Written:
    outcome = tree.outcome
    changes = changed(tree.owner, outcome, versions(tree, outcome.bumped), tree.items)
    made = [*outcome.created_categories, *outcome.updated_categories, *outcome.moved_categories, *outcome.touched]
    folders = [tree.categories[key] for key in dict.fromkeys(made)]
    things = dict.fromkeys((*outcome.created_items, *outcome.updated_items, *outcome.moved_items))
    shown = Done(
        parts=parts_of(order, outcome, tree.categories, tree.items),
        contents=[],
        nodes=[*folders, *(tree.items[key] for key in things)],
        outcome=outcome,
        categories=tree.categories,
        things=tree.items,
        versions=versions(tree, outcome.touched),
    )
    return Written(changes=changes, shown=shown)
