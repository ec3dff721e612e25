"""Tree: the part of an inventory that an order is about, in memory, and what each order does to it; pure."""

from __future__ import annotations

import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from gateway.model.arguments import ContainerKind
from gateway.model.errors import Refusal, refuse
from gateway.model.ids import OwnerRef
from gateway.model.scalars import BigInt
from gateway.model.verbs import ContentsPart
from gateway.providers.secondlife import orders, rules
from gateway.providers.secondlife.keys import (
    BODYPART,
    CATEGORY_KIND,
    CLOTHING,
    CURRENT,
    DETAILS,
    FOLDER_LINK,
    GESTURE,
    LINK,
    LINKS,
    MOST_LEVELS,
    OBJECT,
    ORDINARY,
    ROLES,
    ROOT,
    SPECIAL,
    TITLES,
    UNLINKABLE,
    agent_of,
    sort_of,
)
from gateway.providers.secondlife.orders import (
    UNSET,
    CategoryPatch,
    ItemPatch,
    NewCategory,
    NewItem,
    NewLink,
    Order,
)
from gateway.providers.secondlife.refusals import (
    CategoryGone,
    CategoryNotFound,
    InvalidCategory,
    InvalidItem,
    InvalidLinks,
    ItemGone,
    ItemNotFound,
    TooLarge,
    forbidden,
    invalid,
)
from gateway.providers.secondlife.types import (
    SecondLifeCategory,
    SecondLifeItem,
    SecondLifeLink,
    SecondLifeSale,
    Thing,
)

T = TypeVar("T")

Path = tuple[str, ...]


def new_id() -> str:
    """Make a new id."""
    return str(uuid.uuid4())


@dataclass(slots=True)
class Outcome:
    """What an order did, by ids, in the order in which it was done.

    `removed_*` is what was asked to be removed, with all below it; `touched` are the categories that are still there
    and that the order was about, whether or not it changed them.
    """

    created_items: list[str] = field(default_factory=list[str])
    created_categories: list[str] = field(default_factory=list[str])
    updated_items: list[str] = field(default_factory=list[str])
    updated_categories: list[str] = field(default_factory=list[str])
    moved_items: list[str] = field(default_factory=list[str])
    moved_categories: list[str] = field(default_factory=list[str])
    removed_items: list[str] = field(default_factory=list[str])
    removed_categories: list[str] = field(default_factory=list[str])
    broken_links: list[str] = field(default_factory=list[str])
    attachments: list[str] = field(default_factory=list[str])
    wearables: list[str] = field(default_factory=list[str])
    gestures: list[str] = field(default_factory=list[str])
    linked: list[str] = field(default_factory=list[str])
    top: str | None = None
    bumped: dict[str, None] = field(default_factory=dict[str, None])
    touched: dict[str, None] = field(default_factory=dict[str, None])


class Tree:
    """Categories and things of one owner, as many as an order needs, and what has become of them.

    What is looked up and is not there does not exist: whoever fills the tree has looked for it.
    """

    def __init__(
        self,
        owner: OwnerRef,
        *,
        at: datetime,
        make_id: Callable[[], str] = new_id,
        most_new: int = rules.MOST_AT_ONCE,
    ) -> None:
        """`most_new`: how many things one order may make by name."""
        self.most_new = most_new
        self.owner = owner
        self.agent = agent_of(owner.owner)
        self.at = at
        self.make_id = make_id
        self.categories: dict[str, SecondLifeCategory] = {}
        self.items: dict[str, Thing] = {}
        self.outcome = Outcome()
        self._within: defaultdict[str | None, dict[str, None]] = defaultdict(dict)
        self._lying: defaultdict[str | None, dict[str, None]] = defaultdict(dict)
        self._linking: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._created: set[str] = set()

    # --- what is there ------------------------------------------------------------------------------------------------

    def add(self, categories: Iterable[SecondLifeCategory] = (), items: Iterable[Thing] = ()) -> None:
        """Put in what was read; what is there already stays as it is."""
        for category in categories:
            if category.key not in self.categories:
                self.categories[category.key] = category
                self._within[category.parent_key][category.key] = None
        for item in items:
            if item.key not in self.items:
                self._put(item)

    def children(self, key: str) -> list[SecondLifeCategory]:
        """Give the categories that lie directly in one."""
        return [self.categories[child] for child in self._within.get(key, ())]

    def lying(self, key: str | None) -> list[Thing]:
        """Give the things that lie directly in a category; of None, in none."""
        return [self.items[item] for item in self._lying.get(key, ())]

    def part(self, key: str, what: ContentsPart) -> tuple[Sequence[SecondLifeCategory], Sequence[Thing]]:
        """Give a part of what lies directly in a category."""
        categories = self.children(key) if what in (ContentsPart.ALL, ContentsPart.CONTAINERS) else []
        items: Sequence[Thing] = self.lying(key) if what is not ContentsPart.CONTAINERS else []
        if what is ContentsPart.LINKS:
            items = [item for item in items if isinstance(item, SecondLifeLink)]
        return categories, items

    def special(self, role: str) -> SecondLifeCategory | None:
        """Find a special category: the one of that type in or directly under the root; of several, the lowest id."""
        root = next(iter(sorted(self._of_role(ROOT), key=_key)), None)
        if root is None or role == ROOT:
            return root
        under = [one for one in self._of_role(role) if one.parent_key == root.key]
        return next(iter(sorted(under, key=_key)), None)

    def _of_role(self, role: str) -> list[SecondLifeCategory]:
        return [
            one
            for one in self.categories.values()
            if one.type_number == SPECIAL[role] and (role != ROOT or one.parent_key is None)
        ]

    # --- orders -------------------------------------------------------------------------------------------------------

    def carry_out(self, order: Order, source: Tree | None = None) -> None:
        """Do what an order asks, whole, or raise a Refusal and be of no further use; copies come from `source`."""
        match order:
            case orders.Create():
                self._create(order.category, order, lacks=CategoryNotFound)
            case orders.Ensure(role=role):
                self._ensure(role)
            case orders.ChangeCategories(patches=patches):
                self._each([patch.key for patch in patches], "containers", lambda at: self._change(patches[at]))
            case orders.ChangeItems(patches=patches):
                self._each([patch.key for patch in patches], "items", lambda at: self._change_item(patches[at]))
            case orders.MoveCategories(keys=keys, to=to):
                self._destination(to)
                self._each(keys, "ids", lambda at: self._move(self._source(keys[at]), to))
            case orders.MoveItems(keys=keys, to=to):
                self._destination(to)
                self._each(keys, "ids", lambda at: self._move_item(self._source_item(keys[at]), to))
            case orders.DeleteCategories(keys=keys):
                self._each(keys, "ids", lambda at: self._source(keys[at]))
                self._remove([self.categories[key] for key in keys], [])
            case orders.DeleteItems(keys=keys):
                self._each(keys, "ids", lambda at: self._source_item(keys[at]))
                self._remove([], [self.items[key] for key in keys])
            case orders.Clear(category=key, what=what):
                self._touch(self._source(key, "container").key)
                self._remove(*self.part(key, what))
            case orders.Replace(category=key, what=what):
                self._replace(key, what, order)
            case orders.MoveContents(category=key, what=what, to=to):
                self._move_contents(key, what, to)
            case _:
                assert source is not None  # noqa: S101 -- what is left are copies
                self._carry_out_copy(order, source)

    def _carry_out_copy(self, order: Order, source: Tree) -> None:
        match order:
            case orders.CopyCategories(keys=keys, to=to, depth=depth):
                self._destination(to)
                found = self._each(keys, "ids", lambda at: source._source(keys[at]))
                made = self._copy(source, found, [], to, depth, keeps=False)
                self.outcome.top = made[0] if made else None
            case orders.CopyItems(keys=keys, to=to):
                self._destination(to)
                items = self._each(keys, "ids", lambda at: source._source_item(keys[at]))
                self._copy(source, [], items, to, 0, keeps=True)
            case orders.CopyContents(category=key, what=what, to=to, depth=depth):
                self._destination(to)
                source._source(key, "container")
                categories, items = source.part(key, what)
                keeps = what in (ContentsPart.ITEMS, ContentsPart.LINKS)
                self._copy(source, categories, items, to, depth, keeps=keeps)
                self.outcome.top = to
            case _:
                raise TypeError(f"{type(order).__name__} is no order")

    def _each(self, keys: Sequence[str], name: str, do: Callable[[int], T]) -> list[T]:
        """Do something for each entry of a list; the faults of all are told together, each with its place."""
        done: list[T] = []
        faults: list[Refusal] = []
        for at in range(len(keys)):
            try:
                done.append(do(at))
            except Refusal as fault:
                faults.append(fault.at(name, str(at), *(fault.path or ())))
        refuse(faults)
        return done

    # --- finding ------------------------------------------------------------------------------------------------------

    def _source(self, key: str, *path: str) -> SecondLifeCategory:
        found = self.categories.get(key)
        if found is None:
            raise _at(CategoryGone(key), path)
        return found

    def _source_item(self, key: str) -> Thing:
        found = self.items.get(key)
        if found is None:
            raise ItemGone(key)
        return found

    def _destination(self, key: str) -> SecondLifeCategory:
        found = self.categories.get(key)
        if found is None:
            raise CategoryNotFound(key).at("to")
        return found

    # --- making -------------------------------------------------------------------------------------------------------

    def _ensure(self, role: str) -> None:
        if role not in SPECIAL:
            raise invalid(f"There is no special folder of that name; there are: {', '.join(SPECIAL)}.").at("key")
        found = self.special(role)
        if found is None:
            root = self.special(ROOT)
            if root is None and role != ROOT:
                raise CategoryNotFound(ROOT).at("key")
            new = NewCategory(name=TITLES[role], type_number=SPECIAL[role])
            found = self._made(new, self.make_id(), None if root is None else root.key)
            if root is not None:
                self._bump(root.key)
        self.outcome.top = found.key

    def _create(
        self, key: str, new: orders.Create | orders.Replace, *, lacks: type[CategoryNotFound | CategoryGone]
    ) -> None:
        parent = self.categories.get(key)
        if parent is None:
            raise lacks(key).at("container")
        rules.check_count(len(new.items) + len(new.links) + len(new.categories), self.most_new)
        faults: list[Refusal] = []
        made: list[SecondLifeCategory | Thing] = []

        def attempt(entries: Sequence[T], name: str, make: Callable[[T], SecondLifeCategory | Thing]) -> None:
            for at, entry in enumerate(entries):
                try:
                    made.append(make(entry))
                except Refusal as fault:
                    faults.append(fault.at(name, str(at), *(fault.path or ())))

        attempt(new.categories, "containers", lambda entry: self._new_category(entry, parent))
        attempt(new.items, "items", lambda entry: self._new_item(entry, parent))
        # What was just made may be pointed at.
        attempt(new.links, "links", lambda entry: self._new_link(entry, parent))
        refuse(faults)
        if made:
            self._bump(key)
        else:
            self._touch(key)

    def _free(self, key: str | None, path: str = "key") -> str:
        if key is None:
            return self.make_id()
        outcome = self.outcome
        # What was removed by the same order is not free either: viewers would take the new for the old.
        lost = (outcome.removed_items, outcome.removed_categories, outcome.broken_links)
        if key in self.categories or key in self.items or any(key in keys for keys in lost):
            raise invalid("This id is taken.").at(*DETAILS, path)
        return key

    def _new_category(self, new: NewCategory, parent: SecondLifeCategory) -> SecondLifeCategory:
        rules.check_type(new.type_number)
        _check_outfit(parent, None)
        if rules.is_protected(new.type_number):
            role = ROLES.get(new.type_number)
            at_root = parent.parent_key is None and parent.type_number == SPECIAL[ROOT]
            taken = role is not None and self.special(role) is not None
            if not at_root or taken or any(one.type_number == new.type_number for one in self.children(parent.key)):
                raise InvalidCategory("There is one folder of this type, directly under the root.", parent.key)
        return self._made(new, self._free(new.key), parent.key)

    def _made(self, new: NewCategory, key: str, parent: str | None) -> SecondLifeCategory:
        name = rules.name_of(new.name)
        made = SecondLifeCategory(
            key=key,
            name=name,
            kind=ContainerKind.FOLDER,
            owner=self.owner,
            parent_key=parent,
            role=ROLES.get(new.type_number),
            sort=sort_of(name, key),
            type_number=new.type_number,
            thumbnail_id=new.thumbnail_id,
            is_favorite=new.is_favorite,
            number=1,
        )
        self.add([made])
        self._created.add(key)
        self.outcome.created_categories.append(key)
        return made

    def _new_item(self, new: NewItem, parent: SecondLifeCategory) -> SecondLifeItem:
        rules.check_kinds(new.asset_type, new.inventory_type)
        _check_outfit(parent, None)
        key = self._free(new.key)
        name = rules.name_of(new.name)
        made = SecondLifeItem(
            key=key,
            name=name,
            kind=rules.word_of(new.asset_type),
            owner=self.owner,
            container_key=parent.key,
            acquired_at=self.at,
            sort=sort_of(name, key),
            description=rules.description_of(new.description),
            asset_id=new.asset_id,
            asset_type_number=new.asset_type,
            inventory_type_number=new.inventory_type,
            flags=BigInt(new.flags),
            permissions=rules.permissions_for(self.agent, new.masks, new.asset_type),
            sale=SecondLifeSale(type_number=new.sale_type, price=new.sale_price),
            thumbnail_id=new.thumbnail_id,
            is_favorite=new.is_favorite,
        )
        self._put_new(made)
        return made

    def _new_link(self, new: NewLink, parent: SecondLifeCategory) -> SecondLifeLink:
        asset_type, kind = self._pointed(new.linked, new.asset_type)
        key = self._free(new.key)
        name = rules.name_of(new.name)
        made = self._link(key, name, rules.description_of(new.description), new.linked, asset_type, kind, parent.key)
        self._put_new(made)
        return made

    def _link(
        self, key: str, name: str, description: str, linked: str, asset_type: int, kind: int, parent: str | None
    ) -> SecondLifeLink:
        return SecondLifeLink(
            key=key,
            name=name,
            kind=rules.word_of(asset_type),
            owner=self.owner,
            container_key=parent,
            linked_key=linked,
            acquired_at=self.at,
            sort=sort_of(name, key),
            description=description,
            asset_type_number=asset_type,
            inventory_type_number=kind,
        )

    def _pointed(self, linked: str, wanted: int | None) -> tuple[int, int]:
        """Give the asset type of a link to something, and the inventory type that it shows."""
        category, item = self.categories.get(linked), self.items.get(linked)
        if wanted not in (None, *LINKS):
            raise InvalidLinks("A link is of type 24 or 25.", linked)
        if category is not None and wanted in (None, FOLDER_LINK):
            return FOLDER_LINK, CATEGORY_KIND
        if item is None or wanted == FOLDER_LINK:
            raise InvalidLinks("A link points at nothing that there is.", linked)
        if item.asset_type_number in UNLINKABLE:
            raise InvalidLinks("A link points at what no link may point at.", linked)
        return LINK, item.inventory_type_number

    def _put_new(self, item: Thing) -> None:
        self._put(item)
        self._created.add(item.key)
        self.outcome.created_items.append(item.key)

    # --- changing in place --------------------------------------------------------------------------------------------

    def _change(self, patch: CategoryPatch) -> None:
        category = self.categories.get(patch.key)
        if category is None:
            raise CategoryNotFound(patch.key)
        name = category.name if patch.name is UNSET else rules.name_of(patch.name)
        type_number = category.type_number if patch.type_number is UNSET else patch.type_number
        if rules.is_protected(category.type_number) and (name, type_number) != (category.name, category.type_number):
            raise forbidden("A system folder cannot be renamed or be of another type.")
        if type_number != category.type_number:
            rules.check_type(type_number)
            if rules.is_protected(type_number):
                raise InvalidCategory("No folder becomes a system folder.", category.key)
        thumbnail = category.thumbnail_id if patch.thumbnail_id is UNSET else patch.thumbnail_id
        favorite = category.is_favorite if patch.is_favorite is UNSET else patch.is_favorite
        if patch.parent is not UNSET and patch.parent != category.parent_key:
            if patch.parent not in self.categories:
                raise CategoryNotFound(patch.parent).at("parent")
            self._move(category, patch.parent)
        before = category.name, category.type_number, category.thumbnail_id, category.is_favorite
        if before != (name, type_number, thumbnail, favorite):
            category.name, category.type_number = name, type_number
            category.thumbnail_id, category.is_favorite = thumbnail, favorite
            category.role = ROLES.get(type_number)
            category.sort = sort_of(name, category.key)
            self.outcome.updated_categories.append(category.key)
            self._bump(category.key)
            self._bump(category.parent_key)
        self._touch(category.parent_key or category.key)

    def _change_item(self, patch: ItemPatch) -> None:
        item = self.items.get(patch.key)
        if item is None:
            raise ItemNotFound(patch.key)
        if patch.parent is not UNSET and patch.parent != item.container_key:
            if patch.parent not in self.categories:
                raise CategoryNotFound(patch.parent).at("parent")
            self._move_item(item, patch.parent)
        before = _facts(item)
        if patch.name is not UNSET:
            item.name = rules.name_of(patch.name)
            item.sort = sort_of(item.name, item.key)
        if patch.description is not UNSET:
            item.description = rules.description_of(patch.description)
        if isinstance(item, SecondLifeLink):
            self._retarget(item, patch)
        else:
            _change_thing(item, patch)
        if _facts(item) != before:
            self.outcome.updated_items.append(item.key)
            self._bump(item.container_key)
        self._touch(item.container_key)

    def _retarget(self, link: SecondLifeLink, patch: ItemPatch) -> None:
        if patch.linked is UNSET or patch.linked == link.linked_key:
            return
        asset_type, kind = self._pointed(patch.linked, None)
        self._linking[link.linked_key or ""].pop(link.key, None)
        link.linked_key, link.asset_type_number, link.inventory_type_number = patch.linked, asset_type, kind
        link.kind = rules.word_of(asset_type)
        self._linking[patch.linked][link.key] = None

    # --- moving -------------------------------------------------------------------------------------------------------

    def _move(self, category: SecondLifeCategory, to: str) -> None:
        if rules.is_protected(category.type_number):
            raise forbidden("A system folder cannot be moved.")
        above: str | None = to
        seen: set[str] = set()
        while above is not None and above not in seen:
            if above == category.key:
                raise InvalidCategory("A folder cannot lie in itself, or in what lies in it.", category.key)
            seen.add(above)
            there = self.categories.get(above)
            above = None if there is None else there.parent_key
        if category.parent_key == to:
            self._touch(to)
            return
        _check_outfit(self.categories[to], None)
        self._within[category.parent_key].pop(category.key, None)
        self._bump(category.parent_key)
        category.parent_key = to
        self._within[to][category.key] = None
        self._bump(to)
        self.outcome.moved_categories.append(category.key)

    def _move_item(self, item: Thing, to: str) -> None:
        if item.container_key == to:
            self._touch(to)
            return
        _check_outfit(self.categories[to], item)
        self._lying[item.container_key].pop(item.key, None)
        self._bump(item.container_key)
        item.container_key = to
        self._lying[to][item.key] = None
        self._bump(to)
        self.outcome.moved_items.append(item.key)

    def _move_contents(self, key: str, what: ContentsPart, to: str) -> None:
        self._destination(to)
        self._source(key, "container")
        categories, items = self.part(key, what)
        for category in categories:
            self._move(category, to)
        for item in items:
            self._move_item(item, to)
        self._touch(key)
        self._touch(to)

    # --- copying ------------------------------------------------------------------------------------------------------

    def _copy(
        self,
        source: Tree,
        categories: Sequence[SecondLifeCategory],
        items: Sequence[Thing],
        to: str,
        depth: int | None,
        *,
        keeps: bool,
    ) -> list[str]:
        """Copy categories with what lies in them, and things, into a category; give the keys of the new categories.

        What lies where is looked at first, so that a copy into itself ends. What may not be copied is moved, or, where
        the source `keeps` what it has, or is another's, refused.
        """
        taken = [_taken(source, category, depth) for category in categories]
        loose = list(items)
        moves = not keeps and source is self
        inside = [item for one in taken for _, lying, _ in one for item in lying]
        kept = [one for one in (*loose, *inside) if isinstance(one, SecondLifeItem) and not rules.may_copy(one)]
        if kept and not moves:
            raise forbidden("Something in it may not be copied.")
        destination = self.categories[to]
        if categories:
            _check_outfit(destination, None)
        for item in loose:
            _check_outfit(destination, item)
        before = len(self.outcome.created_items), len(self.outcome.moved_items)
        copies: dict[str, str] = {}
        tops: list[str] = []
        links: list[tuple[SecondLifeLink, str, Mapping[str, str]]] = []
        for one in (*taken, [(None, loose, 0)]):
            # Of what is copied twice, by itself and within another, each copy has its own content.
            own: dict[str, str] = {}
            for category, lying, level in one:
                parent = to
                if category is not None:
                    # Those that were asked for are new under the destination, those below under their parent's copy.
                    above = to if level == 0 else own[category.parent_key or ""]
                    parent = own[category.key] = self._copied_category(category, above).key
                    tops += [parent] if level == 0 else []
                for item in lying:
                    if isinstance(item, SecondLifeLink):
                        links.append((item, parent, own))
                    elif rules.may_copy(item):
                        own[item.key] = self._copied_item(item, parent, source.agent).key
                    else:
                        self._move_item(item, parent)
            copies |= own
        # Last, when it is known what became of all that they may point at.
        for link, parent, beside in links:
            target = link.linked_key or ""
            linked = beside.get(target, copies.get(target, target))
            name = link.name or ""
            made = self._link(
                *(self.make_id(), name, link.description, linked),
                *(link.asset_type_number, link.inventory_type_number, parent),
            )
            self._put_new(made)
        if tops or before != (len(self.outcome.created_items), len(self.outcome.moved_items)):
            self._bump(to)
        else:
            self._touch(to)
        return tops

    def _copied_category(self, category: SecondLifeCategory, parent: str) -> SecondLifeCategory:
        type_number = ORDINARY if rules.is_protected(category.type_number) else category.type_number
        made = self._made(
            NewCategory(name=category.name, type_number=type_number, thumbnail_id=category.thumbnail_id),
            self.make_id(),
            parent,
        )
        made.extra = category.extra
        return made

    def _copied_item(self, item: SecondLifeItem, parent: str, last_owner: str) -> SecondLifeItem:
        key = self.make_id()
        given = item.permissions
        made = SecondLifeItem(
            key=key,
            name=item.name,
            kind=item.kind,
            owner=self.owner,
            container_key=parent,
            acquired_at=self.at,
            sort=sort_of(item.name or "", key),
            description=item.description,
            asset_id=item.asset_id,
            asset_type_number=item.asset_type_number,
            inventory_type_number=item.inventory_type_number,
            flags=item.flags,
            permissions=rules.fixed(
                replace(given, owner_id=self.agent, last_owner_id=last_owner, is_group_owned=False),
                item.asset_type_number,
            ),
            sale=item.sale,
            thumbnail_id=item.thumbnail_id,
            extra=item.extra,
        )
        self._put_new(made)
        return made

    # --- removing -----------------------------------------------------------------------------------------------------

    def _replace(self, key: str, what: ContentsPart, order: orders.Replace) -> None:
        parent = self.categories.get(key)
        if parent is None:
            raise CategoryNotFound(key).at("container")
        allowed = {
            ContentsPart.ALL: ("items", "links", "containers"),
            ContentsPart.ITEMS: ("items", "links"),
            ContentsPart.LINKS: ("links",),
            ContentsPart.CONTAINERS: ("containers",),
        }[what]
        given = {"items": order.items, "links": order.links, "containers": order.categories}
        if name := next((name for name, entries in given.items() if entries and name not in allowed), None):
            raise invalid(f"What is replaced by `{name}` is another part of the folder.").at(name)
        self._remove(*self.part(key, what))
        self._create(key, order, lacks=CategoryNotFound)
        self.outcome.linked = [link.linked for link in order.links]

    def _remove(self, categories: Sequence[SecondLifeCategory], items: Sequence[Thing]) -> None:
        """Remove categories with all below them, and things; links to any of them, wherever they lie, go too."""
        gone: dict[str, SecondLifeCategory] = {}
        waiting = deque(categories)
        while waiting:
            category = waiting.popleft()
            if category.key not in gone:
                gone[category.key] = category
                waiting += self.children(category.key)
        if any(rules.is_protected(category.type_number) for category in gone.values()):
            raise forbidden("A system folder, or one that holds a system folder, cannot be deleted.")
        lost = {item.key: item for item in items}
        for key in gone:
            lost.update({item.key: item for item in self.lying(key)})
        pointing = [link for key in (*gone, *lost) for link in self._linking.get(key, ())]
        self._report_worn(lost.values())
        broken = {key: self.items[key] for key in pointing if key not in lost}
        outcome = self.outcome
        outcome.removed_categories += gone
        outcome.removed_items += lost
        outcome.broken_links += broken
        parents = [
            *(category.parent_key for category in categories),
            *(item.container_key for item in (*items, *broken.values())),
        ]
        for item in (*lost.values(), *broken.values()):
            self._drop(item)
        for key, category in gone.items():
            del self.categories[key]
            self._within[category.parent_key].pop(key, None)
            outcome.bumped.pop(key, None)
            outcome.touched.pop(key, None)
        for parent in parents:
            self._bump(parent)

    def _report_worn(self, lost: Iterable[Thing]) -> None:
        """Tell which of the things that are removed the current outfit links to."""
        lists = {
            OBJECT: self.outcome.attachments,
            CLOTHING: self.outcome.wearables,
            BODYPART: self.outcome.wearables,
            GESTURE: self.outcome.gestures,
        }
        for item in lost:
            found = lists.get(item.asset_type_number)
            if found is not None and any(self._is_worn(link) for link in self._linking.get(item.key, ())):
                found.append(item.key)

    def _is_worn(self, link: str) -> bool:
        parent = self.categories.get(self.items[link].container_key or "")
        return parent is not None and parent.type_number == SPECIAL[CURRENT]

    # --- bookkeeping --------------------------------------------------------------------------------------------------

    def _put(self, item: Thing) -> None:
        self.items[item.key] = item
        self._lying[item.container_key][item.key] = None
        if item.linked_key is not None:
            self._linking[item.linked_key][item.key] = None

    def _drop(self, item: Thing) -> None:
        del self.items[item.key]
        self._lying[item.container_key].pop(item.key, None)
        if item.linked_key is not None:
            self._linking[item.linked_key].pop(item.key, None)

    def _bump(self, key: str | None) -> None:
        """Let a category's version rise, by one however often; what was just made is at 1."""
        category = None if key is None else self.categories.get(key)
        if category is None or category.key in self._created:
            return
        if category.key not in self.outcome.bumped:
            self.outcome.bumped[category.key] = None
            category.number = min(category.number + 1, HIGHEST)
        self._touch(category.key)

    def _touch(self, key: str | None) -> None:
        if key is not None and key in self.categories and key not in self._created:
            self.outcome.touched[key] = None


HIGHEST = 2**31 - 1
"""The highest version that a document has room for."""


def _taken(
    source: Tree, top: SecondLifeCategory, depth: int | None
) -> list[tuple[SecondLifeCategory | None, list[Thing], int]]:
    """List a category with those below it, parents first, as deep as wanted: with what lies in each, and its level."""
    found: list[tuple[SecondLifeCategory | None, list[Thing], int]] = []
    waiting = deque([(top, 0)])
    while waiting:
        category, level = waiting.popleft()
        if level >= MOST_LEVELS:
            raise TooLarge
        found.append((category, source.lying(category.key), level))
        if depth is None or level < depth:
            waiting += [(child, level + 1) for child in source.children(category.key)]
    return found


def _key(category: SecondLifeCategory) -> str:
    return category.key


def _at(error: T, path: Path) -> T:
    if path:
        error.at(*path)  # type: ignore[attr-defined] -- every refusal has it
    return error


def _check_outfit(parent: SecondLifeCategory, item: Thing | None) -> None:
    """Refuse to put anything but links into the current outfit."""
    if parent.type_number == SPECIAL[CURRENT] and not isinstance(item, SecondLifeLink):
        raise InvalidCategory("The current outfit holds only links.", parent.key)


def _facts(item: Thing) -> tuple[object, ...]:
    """Give what a patch may change, to see whether it did."""
    if isinstance(item, SecondLifeLink):
        return item.name, item.description, item.linked_key
    mask = item.permissions
    return (
        *(item.name, item.description, item.asset_id, item.flags, item.sale, item.thumbnail_id, item.is_favorite),
        *(mask.owner_mask, mask.group_mask, mask.everyone_mask, mask.next_owner_mask, mask.base_mask),
    )


def _change_thing(item: SecondLifeItem, patch: ItemPatch) -> None:
    if patch.linked is not UNSET:
        raise InvalidItem("Only a link points at something.", item.key)
    if patch.flags is not UNSET:
        item.flags = BigInt(patch.flags)
    if patch.asset_id is not UNSET and patch.asset_id != item.asset_id:
        item.asset_id = patch.asset_id
        item.flags = BigInt(item.flags & ~rules.OVERWRITES)
    if patch.sale_type is not UNSET or patch.sale_price is not UNSET:
        item.sale = SecondLifeSale(
            type_number=item.sale.type_number if patch.sale_type is UNSET else patch.sale_type,
            price=item.sale.price if patch.sale_price is UNSET else patch.sale_price,
        )
    if patch.thumbnail_id is not UNSET:
        item.thumbnail_id = patch.thumbnail_id
    if patch.is_favorite is not UNSET:
        item.is_favorite = patch.is_favorite
    item.permissions = rules.permitted(item.permissions, patch.masks, item.asset_type_number)


def versions(tree: Tree, keys: Collection[str]) -> Mapping[str, int]:
    """Give the versions that categories of a tree are at."""
    return {key: tree.categories[key].number for key in keys if key in tree.categories}
