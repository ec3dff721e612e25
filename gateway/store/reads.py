"""Reads: everything that is asked of the store, each for a whole batch of keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar, cast

import orjson
from sqlalchemy import (
    BigInteger,
    Integer,
    Select,
    and_,
    bindparam,
    exists,
    func,
    literal,
    select,
    true,
    union_all,
)
from sqlalchemy.sql import Executable

from gateway.model.arguments import (
    NO_FILTER,
    CollectibleArguments,
    ContainerArguments,
    DescendantArguments,
    ItemArguments,
    PageArguments,
    TotalArguments,
)
from gateway.model.change import ChangeSet
from gateway.model.container import Container
from gateway.model.definition import ItemDefinition
from gateway.model.errors import Internal
from gateway.model.ids import ContainerRef, DefinitionRef, FactRef, ItemRef, OwnerRef, OwnershipRef
from gateway.model.item import Item
from gateway.model.manifest import ProviderKey
from gateway.model.owner import InventoryOwner
from gateway.model.paging import NATURAL, NUMBER, Part, Position, trimmed
from gateway.model.ports import ENDLESS, Fact
from gateway.model.positions import moment_of, position_of_total
from gateway.model.relations import Asked
from gateway.store.arrays import packed, read_texts, text_array, unpacked
from gateway.store.details import Codec
from gateway.store.engine import Query, Rows
from gateway.store.lists import (
    Paged,
    Passing,
    Scope,
    catalogue_count,
    catalogue_page,
    container_count,
    container_page,
    containing,
    item_count,
    item_page,
    passing_values,
    total_count,
    total_page,
    tree_containers,
    window_values,
)
from gateway.store.rows import (
    CONTAINER_COLUMNS,
    DEFINITION_COLUMNS,
    ITEM_COLUMNS,
    read_container,
    read_definition,
    read_item,
    read_owner,
    storable,
)
from gateway.store.tables import CHANGES, CONTAINERS, DEFINITIONS, FACTS, ITEMS, OWNERS, TEXT, owner_text

T = TypeVar("T")
NumberedT_co = TypeVar("NumberedT_co", covariant=True)
RefT = TypeVar("RefT", bound=tuple[str, ...])

Run: TypeAlias = Callable[[Sequence[Query]], Awaitable[list[Rows]]]
"""Runs statements as of one moment, and gives the rows of each."""

_SORT = attrgetter("sort")
# The level, and the sort text, of a row of `tree_containers`.
_BY_LEVEL = itemgetter(1, 2 + CONTAINER_COLUMNS.index(CONTAINERS.c.sort))

DEEPEST = 1_000
"""How many levels of a tree are walked at most: what goes further is broken, and leads in a circle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An entry of the change log; `body` is what was recorded, `sequence` rises by one per owner."""

    sequence: int
    at: datetime
    verb: str
    transaction_id: str | None
    input_hash: str | None
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Where a list of what could be held comes from: a family of the catalogue, or what fits a slot.

    `owner` is who holds some; unless it `counts`, how many is not told.
    """

    owner: OwnerRef
    source: str
    counts: bool

    @property
    def key(self) -> tuple[str, str, str]:
        """What statements ask by."""
        return owner_text(*self.owner), self.source, self.owner.provider


class _Numbered(Protocol[NumberedT_co]):
    """A list whose entries are taken by the numbers that rows bring."""

    def __getitem__(self, number: int, /) -> NumberedT_co: ...

    def __iter__(self) -> Iterator[NumberedT_co]: ...


class Inside(NamedTuple):
    """A container, its direct children, and what lies directly in any of them; children and items in natural order."""

    container: Container
    children: list[Container]
    items: list[Item]


class Reads:
    """What can be read, over whatever runs the statements.

    Unless its docstring says more, a method runs one statement for the whole batch. Keys that nothing was stored
    under are left out of the answer.
    """

    def __init__(self, codec: Codec, run: Run) -> None:
        self._codec = codec
        self._run = run

    async def owners(self, refs: Sequence[OwnerRef]) -> dict[OwnerRef, InventoryOwner]:
        """Give owners, their names filled in."""
        known, rows = await self._each(_OWNERS, refs, _owner_key)
        return {known[number]: read_owner(known[number], name) for number, name in rows}

    async def owner_refs(self, provider: str) -> list[OwnerRef]:
        """List every owner at a provider, by key."""
        rows = await self._rows(_OWNER_KEYS, {"provider": provider})
        return [OwnerRef(provider, key) for (key,) in rows]

    async def facts(self, refs: Sequence[FactRef]) -> dict[FactRef, object]:
        """Give documents about owners."""
        known, rows = await self._each(
            _FACTS, refs, lambda ref: (owner_text(ref.provider, ref.owner), ref.kind, ref.key)
        )
        return {known[number]: self._codec.decode(kind, details) for number, kind, details in rows}

    async def facts_of(self, ref: OwnerRef) -> list[Fact]:
        """List all documents about an owner, by kind and key."""
        _, rows = await self._each(_FACTS_OF, [ref], _owner_key)
        return [
            Fact(ref=FactRef(*ref, kind, key), value=self._codec.decode(type_name, details))
            for _, kind, key, type_name, details in rows
        ]

    async def containers(self, refs: Sequence[ContainerRef]) -> dict[ContainerRef, Container]:
        """Give containers."""
        known, rows = await self._each(_CONTAINERS, refs, _container_key)
        owners = _owners(known)
        return {known[row[0]]: read_container(self._codec, owners[row[0]], row) for row in rows}

    async def contents(self, refs: Sequence[ContainerRef]) -> dict[ContainerRef, Inside]:
        """Give containers with their direct children, and what lies directly in any of them, as of one moment.

        Two statements; apart, a write between them would show contents that never were. What lies in two of the
        containers, as one of them lies in the other, is one object.
        """
        known, values = _asked(refs, _container_key)
        if not known:
            return {}
        container_rows, item_rows = await self._run([(_WITH_CHILDREN, values), (_ITEMS_INSIDE, values)])
        owners = _owners(known)
        containers = self._containers_once(owners, container_rows)
        children: dict[ContainerRef | None, list[Container]] = defaultdict(list)
        for container in containers:
            children[container.parent_ref].append(container)
        lying: dict[OwnerRef, dict[str, list[Item]]] = {owner: defaultdict(list) for owner in owners}
        # By the rows' numbers: a reference made for every item would cost more than the item.
        numbered = _numbered([lying[owner] for owner in owners])
        for row in item_rows:
            number = row[0]
            numbered[number][row[2]].append(read_item(self._codec, owners[number], row))
        for held in lying.values():
            for items in held.values():
                items.sort(key=_SORT)
        by_ref = {container.ref: container for container in containers}
        return {
            ref: Inside(
                container := by_ref[ref],
                below := children[ref],
                [item for one in (container, *below) for item in lying[container.owner][one.key]],
            )
            for ref in known
            if ref in by_ref
        }

    async def below(
        self, refs: Sequence[ContainerRef], *, depth: int | None = None, most: int = ENDLESS
    ) -> list[Container]:
        """Give the containers below these, each once, parents before their children; of `depth` levels, `most` of them.

        Which ones, where there are more than `most`, is not said.
        """
        if depth is not None and depth < 1:
            return []
        values = {"depth": DEEPEST if depth is None else min(depth, DEEPEST) - 1, "rows": most}
        known, rows = await self._each(tree_containers(), refs, _container_key, values)
        owners = _owners(known)
        once = {(owners[row[0]], row[2]): row for row in sorted(rows, key=_BY_LEVEL)}
        return [read_container(self._codec, owner, row[1:]) for (owner, _), row in once.items()]

    async def above(self, refs: Sequence[ContainerRef]) -> list[Container]:
        """Give all containers that these lie in, at whatever distance, each once, in no order."""
        known, rows = await self._each(containing(), refs, _container_key)
        owners = _owners(known)
        once = {(owners[row[0]], row[1]): row for row in rows}
        return [read_container(self._codec, owner, row) for (owner, _), row in once.items()]

    async def with_role(self, refs: Sequence[ContainerRef]) -> list[Container]:
        """Give the containers of an owner that have a role: the `key` of each reference; in no order."""
        known, rows = await self._each(_WITH_ROLE, refs, _container_key)
        owners = _owners(known)
        return [read_container(self._codec, owners[row[0]], row) for row in rows]

    async def inside(self, refs: Sequence[ContainerRef], *, most: int = ENDLESS) -> list[Item]:
        """Give what lies directly in containers, `most` of it, in no order."""
        known, rows = await self._each(_INSIDE, refs, _container_key, {"rows": most})
        owners = _owners(known)
        return [read_item(self._codec, owners[row[0]], row) for row in rows]

    async def loose(self, ref: OwnerRef, *, most: int = ENDLESS) -> list[Item]:
        """Give the holdings of an owner that lie in no container, in natural order, `most` of them."""
        _, rows = await self._each(_LOOSE, [ref], _owner_key, {"rows": most})
        return [read_item(self._codec, ref, row) for row in rows]

    async def links_to(self, refs: Sequence[ItemRef]) -> list[Item]:
        """Give the holdings of the same owners that point at these keys, of items or containers; in no order."""
        known, rows = await self._each(_LINKS, refs, lambda ref: (owner_text(ref.provider, ref.owner), ref.key))
        owners = _owners(known)
        return [read_item(self._codec, owners[row[0]], row) for row in rows]

    async def containers_of(self, ref: OwnerRef) -> list[Container]:
        """Give all containers of an owner, in natural order."""
        _, rows = await self._each(_CONTAINERS_OF, [ref], _inventory_key)
        return [read_container(self._codec, ref, row) for row in rows]

    async def container_lists(self, asked: Sequence[Asked]) -> dict[Asked, Part[Container]]:
        """List containers, one statement for all that share equal arguments.

        OwnerRef and ContainerArguments ask for a top level (views only where that kind is asked for), ContainerRef and
        DescendantArguments for a tree, ContainerRef and PageArguments for direct children.
        """
        answer: dict[Asked, Part[Container]] = {}
        for arguments, group in _grouped(asked):
            window = arguments.window
            scope, values = _container_scope(arguments)
            statement = container_page(scope, Paged.of(window), kind="kind" in values)
            lists: dict[Asked, list[tuple[Position, Container]]] = {one: [] for one in group}
            known, rows = await self._each(statement, group, _asked_key, {**values, **window_values(window)})
            owners = _owners(one.ref for one in known)
            numbered = _numbered([lists[one] for one in known])
            for row in rows:
                container = read_container(self._codec, owners[row[0]], row[1:])
                numbered[row[0]].append((Position(NATURAL, row[1], container.sort), container))
            for one, found in lists.items():
                answer[one] = trimmed(found, window)
        return answer

    async def count_containers(self, asked: Sequence[Asked]) -> dict[Asked, int]:
        """Count what `container_lists` lists, one statement for all that share equal arguments."""
        answer = dict.fromkeys(asked, 0)
        for arguments, group in _grouped(asked):
            scope, values = _container_scope(arguments)
            statement = container_count(scope, kind="kind" in values)
            known, rows = await self._each(statement, group, _asked_key, values)
            answer.update({known[number]: count for number, count in rows})
        return answer

    async def items(self, refs: Sequence[ItemRef]) -> dict[ItemRef, Item]:
        """Give holdings."""
        known, rows = await self._each(_ITEMS, refs, lambda ref: (owner_text(ref.provider, ref.owner), ref.key))
        owners = _owners(known)
        return {known[row[0]]: read_item(self._codec, owners[row[0]], row) for row in rows}

    async def items_of(self, ref: OwnerRef) -> list[Item]:
        """Give all holdings of an owner, in natural order."""
        _, rows = await self._each(_ITEMS_OF, [ref], _owner_key)
        return [read_item(self._codec, ref, row) for row in rows]

    async def item_lists(self, asked: Sequence[Asked]) -> dict[Asked, Part[Item]]:
        """List items, one statement for all that share equal arguments.

        OwnerRef with BothWaysArguments or CollectibleArguments asks for all holdings, ContainerRef with ItemArguments
        for what lies directly in a container.
        """
        answer: dict[Asked, Part[Item]] = {}
        for given, group in _grouped(asked):
            arguments = _item_arguments(given)
            window, passing = arguments.window, arguments.passing
            lists: dict[Asked, list[tuple[Position, Item]]] = {one: [] for one in group}
            values = passing_values(passing)
            if values is not None:
                statement = item_page(_item_scope(group[0]), Passing.of(passing), Paged.of(window))
                values.update(window_values(window))
                known, rows = await self._each(statement, group, _asked_key, values)
                owners = _owners(one.ref for one in known)
                numbered = _numbered([lists[one] for one in known])
                for row in rows:
                    item = read_item(self._codec, owners[row[0]], row[1:])
                    tie = item.key if window.order == NUMBER else item.sort
                    numbered[row[0]].append((Position(window.order, row[1], tie), item))
            for one, found in lists.items():
                if window.backwards:
                    found.reverse()
                answer[one] = trimmed(found, window)
        return answer

    async def count_items(self, asked: Sequence[Asked]) -> dict[Asked, int]:
        """Count what `item_lists` lists, one statement for all that share equal arguments."""
        answer = dict.fromkeys(asked, 0)
        for given, group in _grouped(asked):
            passing = _item_arguments(given).passing
            values = passing_values(passing)
            if values is not None:
                statement = item_count(_item_scope(group[0]), Passing.of(passing))
                known, rows = await self._each(statement, group, _asked_key, values)
                answer.update({known[number]: count for number, count in rows})
        return answer

    async def totals(self, asked: Sequence[Asked]) -> dict[Asked, Part[tuple[DefinitionRef, int]]]:
        """Sum the quantities of what passes by definition, by the definition's key; OwnerRef, TotalArguments.

        One statement for all that share equal arguments.
        """
        answer: dict[Asked, Part[tuple[DefinitionRef, int]]] = {}
        for arguments, group in _grouped(asked):
            window, passing = arguments.window, _total_filter(arguments)
            lists: dict[Asked, list[tuple[Position, tuple[DefinitionRef, int]]]] = {one: [] for one in group}
            values = passing_values(passing)
            if values is not None:
                statement = total_page(Passing.of(passing), Paged.of(window))
                values.update(window_values(window))
                known, rows = await self._each(statement, group, _asked_key, values)
                numbered = _numbered([(one.provider, lists[one]) for one in known])
                for number, key, quantity in rows:
                    provider, found = numbered[number]
                    ref = DefinitionRef(provider, key)
                    found.append((position_of_total(ref), (ref, int(quantity))))
            for one, found in lists.items():
                answer[one] = trimmed(found, window)
        return answer

    async def count_totals(self, asked: Sequence[Asked]) -> dict[Asked, int]:
        """Count what `totals` lists, one statement for all that share equal arguments."""
        answer = dict.fromkeys(asked, 0)
        for arguments, group in _grouped(asked):
            passing = _total_filter(arguments)
            values = passing_values(passing)
            if values is not None:
                known, rows = await self._each(total_count(Passing.of(passing)), group, _asked_key, values)
                answer.update({known[number]: count for number, count in rows})
        return answer

    async def holds(self, refs: Sequence[OwnershipRef]) -> dict[OwnershipRef, bool]:
        """Tell whether owners hold at least one of a definition; every key is answered."""
        answer = dict.fromkeys(refs, False)
        known, rows = await self._each(_HELD, refs, lambda ref: (owner_text(ref.provider, ref.owner), ref.definition))
        answer.update({known[number]: True for (number,) in rows})
        return answer

    async def definitions(self, refs: Sequence[DefinitionRef]) -> dict[DefinitionRef, ItemDefinition | Internal]:
        """Give catalogue entries; one that cannot be read is its own key's error."""
        known, rows = await self._each(_DEFINITIONS, refs, _definition_key)
        providers = {name: ProviderKey(name) for name in {ref.provider for ref in known}}
        answer: dict[DefinitionRef, ItemDefinition | Internal] = {}
        for row in rows:
            ref = known[row[0]]
            try:
                answer[ref] = read_definition(self._codec, providers[ref.provider], row)
            except Internal as fault:
                answer[ref] = fault
        return answer

    async def count_definitions(self, provider: str, families: Sequence[str]) -> dict[str, int]:
        """Count families of definitions; those that have none are left out."""
        refs = [DefinitionRef(provider, family) for family in families]
        known, rows = await self._each(_FAMILY_COUNTS, refs, _definition_key)
        return {known[number].key: count for number, count in rows}

    async def definitions_of(self, provider: str, family: str) -> list[ItemDefinition]:
        """Give all definitions of a family, in the catalogue's order."""
        if not storable(family):
            return []
        rows = await self._rows(_DEFINITIONS_OF, {"provider": provider, "family": family})
        known = ProviderKey(provider)
        return [read_definition(self._codec, known, row) for row in rows]

    async def catalogue(
        self, asked: Sequence[Asked], drawn: Mapping[Asked, Drawn]
    ) -> dict[Asked, Part[tuple[DefinitionRef, int | None]]]:
        """List what inventories or slots could hold, and how many the owner has: CatalogueArguments, AcceptArguments.

        `drawn` tells where each list comes from. One statement for all that share equal arguments.
        """
        answer: dict[Asked, Part[tuple[DefinitionRef, int | None]]] = {}
        for arguments, group in _grouped(asked):
            window = arguments.window
            lists: dict[Asked, list[tuple[Position, tuple[DefinitionRef, int | None]]]] = {one: [] for one in group}
            statement = catalogue_page(_drawn_scope(group[0]), Paged.of(window), owned=bool(arguments.only_owned))
            values = {**window_values(window), "last": window.skip + window.size, "skip": window.skip}
            known, rows = await self._each(statement, group, lambda one: drawn[one].key, values)
            numbered = _numbered([(one.provider, lists[one], drawn[one].counts) for one in known])
            for number, key, sort, quantity in rows:
                provider, found, counts = numbered[number]
                ref = DefinitionRef(provider, key)
                found.append((Position(NATURAL, 0, sort), (ref, int(quantity) if counts else None)))
            for one, found in lists.items():
                answer[one] = trimmed(found, window)
        return answer

    async def count_catalogue(self, asked: Sequence[Asked], drawn: Mapping[Asked, Drawn]) -> dict[Asked, int]:
        """Count what `catalogue` lists, one statement for all that share equal arguments."""
        answer = dict.fromkeys(asked, 0)
        for arguments, group in _grouped(asked):
            statement = catalogue_count(_drawn_scope(group[0]), owned=bool(arguments.only_owned))
            known, rows = await self._each(statement, group, lambda one: drawn[one].key)
            answer.update({known[number]: count for number, count in rows})
        return answer

    async def definition_keys(self, provider: str, family: str) -> list[str]:
        """List the keys of a family of definitions, in the catalogue's order."""
        if not storable(family):
            return []
        ((keys,),) = await self._rows(_FAMILY, {"provider": provider, "family": family})
        return read_texts(keys)

    def change_set(self, change: Change) -> ChangeSet | None:
        """Give the change set that a verb recorded; None of an import, which records only how much it brought."""
        if "type" not in change.body:
            return None
        return self._codec.decode(change.body["type"], orjson.dumps(change.body["details"]).decode())

    async def recorded(self, ref: OwnerRef, transaction_id: str) -> Change | None:
        """Give the change that was written under a transaction id."""
        if not storable(transaction_id):
            return None
        values = {"owner": owner_text(*ref), "transaction_id": transaction_id}
        return next((_change(row) for row in await self._rows(_RECORDED, values)), None)

    async def last_change(self, ref: OwnerRef) -> int:
        """Give the sequence number of the newest change of an owner's inventory; 0, if there was none."""
        ((last,),) = await self._rows(_LAST_CHANGE, {"owner": owner_text(*ref)})
        return last or 0

    async def changes_after(self, ref: OwnerRef, sequence: int, *, limit: int = 100) -> list[Change]:
        """List the changes of an owner's inventory that came after the one of that sequence number."""
        values = {"owner": owner_text(*ref), "sequence": sequence, "limit": limit}
        return [_change(row) for row in await self._rows(_CHANGES, values)]

    def _containers_once(self, owners: _Numbered[OwnerRef], rows: Rows) -> list[Container]:
        once = {(owners[row[0]], row[1]): row for row in rows}
        containers = [read_container(self._codec, owner, row) for (owner, _), row in once.items()]
        containers.sort(key=lambda container: (container.owner, container.sort))
        return containers

    async def _each(
        self,
        statement: Executable,
        refs: Sequence[RefT],
        key: Callable[[RefT], Sequence[str]],
        values: Mapping[str, Any] | None = None,
    ) -> tuple[_Numbered[RefT], Rows]:
        """Run a statement for a batch: give what was asked, and the rows, each with the number of what it is for."""
        known, asked = _asked(refs, key)
        if not known:
            return known, ()
        return known, await self._rows(statement, {**asked, **(values or {})})

    async def _rows(self, statement: Executable, values: Mapping[str, Any]) -> Rows:
        (rows,) = await self._run([(statement, values)])
        return rows


def _asked(refs: Sequence[RefT], key: Callable[[RefT], Sequence[str]]) -> tuple[Sequence[RefT], dict[str, str]]:
    """Give what can be asked for at all, each once, and the parameter that asks for it."""
    known = list(dict.fromkeys(refs))
    try:
        array = packed([key(ref) for ref in known])
    except TypeError:
        # Half a surrogate pair is no text in JSON.
        array = None
    # In JSON a NUL looks like this; if something else does too, that only costs time.
    if array is None or "\\u0000" in array:
        known = [ref for ref in known if all(map(storable, key(ref)))]
        array = packed([key(ref) for ref in known])
    return known, {"asked": array}


def _owners(refs: Iterable[ItemRef | ContainerRef]) -> _Numbered[OwnerRef]:
    return [OwnerRef(ref.provider, ref.owner) for ref in refs]


def _numbered(entries: list[T]) -> _Numbered[T]:
    return entries


def _owner_key(ref: OwnerRef) -> tuple[str, ...]:
    return (owner_text(*ref),)


def _inventory_key(ref: OwnerRef) -> tuple[str, ...]:
    return owner_text(*ref), "", ref.provider


def _container_key(ref: ContainerRef) -> tuple[str, ...]:
    return owner_text(ref.provider, ref.owner), ref.key, ref.provider


def _definition_key(ref: DefinitionRef) -> tuple[str, ...]:
    return ref.provider, ref.key


def _asked_key(asked: Asked) -> tuple[str, ...]:
    match asked.ref:
        case OwnerRef():
            return _inventory_key(asked.ref)
        case ContainerRef() as ref:
            return _container_key(ref)
        case other:
            raise TypeError(f"lists are asked of owners and containers, not of {other!r}")


def _grouped(asked: Sequence[Asked]) -> list[tuple[Any, list[Asked]]]:
    groups: dict[tuple[type[Any], Any], list[Asked]] = {}
    for one in asked:
        groups.setdefault((cast("type[Any]", type(one.ref)), one.arguments), []).append(one)
    return [(arguments, group) for (_, arguments), group in groups.items()]


def _container_scope(arguments: Any) -> tuple[Scope, dict[str, Any]]:
    match arguments:
        case ContainerArguments(kind=kind):
            return Scope.OWNER, {} if kind is None else {"kind": kind.value}
        case DescendantArguments(max_depth=depth):
            return Scope.TREE, {"depth": DEEPEST if depth is None else min(depth, DEEPEST) - 1}
        case PageArguments():
            return Scope.CONTAINER, {}
        case other:
            raise TypeError(f"no list of containers takes {other!r}")


def _drawn_scope(asked: Asked) -> Scope:
    return Scope.OWNER if isinstance(asked.ref, OwnerRef) else Scope.SLOT


def _item_scope(asked: Asked) -> Scope:
    return Scope.OWNER if isinstance(asked.ref, OwnerRef) else Scope.CONTAINER


def _item_arguments(arguments: ItemArguments | CollectibleArguments) -> ItemArguments:
    return arguments.items if isinstance(arguments, CollectibleArguments) else arguments


def _total_filter(arguments: TotalArguments) -> Any:
    return arguments.filter or NO_FILTER


def _change(row: Any) -> Change:
    sequence, at, verb, transaction_id, input_hash, body = row
    return Change(
        sequence=sequence,
        at=moment_of(at),
        verb=verb,
        transaction_id=transaction_id,
        input_hash=input_hash,
        body=orjson.loads(body),
    )


_ASKED = unpacked("asked")

_OWNERS = select(_ASKED.c.n, OWNERS.c.name).join_from(_ASKED, OWNERS, OWNERS.c.owner == _ASKED.c.a)

_OWNER_KEYS = select(OWNERS.c.key).where(OWNERS.c.provider == bindparam("provider", type_=TEXT)).order_by(OWNERS.c.key)

_FACTS = select(_ASKED.c.n, FACTS.c.type, FACTS.c.details).join_from(
    _ASKED, FACTS, and_(FACTS.c.owner == _ASKED.c.a, FACTS.c.kind == _ASKED.c.b, FACTS.c.key == _ASKED.c.c)
)

_FACTS_OF = (
    select(_ASKED.c.n, FACTS.c.kind, FACTS.c.key, FACTS.c.type, FACTS.c.details)
    .join_from(_ASKED, FACTS, FACTS.c.owner == _ASKED.c.a)
    .order_by(FACTS.c.kind, FACTS.c.key)
)


def _containers_where(condition: Any) -> Select[Any]:
    named = and_(DEFINITIONS.c.provider == _ASKED.c.c, DEFINITIONS.c.key == CONTAINERS.c.definition_key)
    # Labels by number: two of the columns are called `name`.
    columns = [column.label(f"c{at}") for at, column in enumerate(CONTAINER_COLUMNS)]
    return select(_ASKED.c.n, *columns).select_from(
        _ASKED.join(CONTAINERS, and_(CONTAINERS.c.owner == _ASKED.c.a, condition)).outerjoin(DEFINITIONS, named)
    )


_CONTAINERS = _containers_where(CONTAINERS.c.key == _ASKED.c.b)
_CHILDREN = _containers_where(CONTAINERS.c.parent_key == _ASKED.c.b)
_CONTAINERS_OF = _containers_where(true()).order_by(CONTAINERS.c.sort)
_WITH_CHILDREN = union_all(_CONTAINERS, _CHILDREN)
_WITH_ROLE = _containers_where(CONTAINERS.c.role == _ASKED.c.b)

_ITEMS = select(_ASKED.c.n, *ITEM_COLUMNS).join_from(
    _ASKED, ITEMS, and_(ITEMS.c.owner == _ASKED.c.a, ITEMS.c.key == _ASKED.c.b)
)

_WITHIN = union_all(
    select(_ASKED.c.n, _ASKED.c.a.label("owner"), _ASKED.c.b.label("key")),
    select(_ASKED.c.n, CONTAINERS.c.owner, CONTAINERS.c.key).join_from(
        _ASKED, CONTAINERS, and_(CONTAINERS.c.owner == _ASKED.c.a, CONTAINERS.c.parent_key == _ASKED.c.b)
    ),
).subquery("within")

# One container may be asked for and lie in another that is.
_WITHIN_ONCE = (
    select(func.min(_WITHIN.c.n).label("n"), _WITHIN.c.owner, _WITHIN.c.key)
    .group_by(_WITHIN.c.owner, _WITHIN.c.key)
    .subquery("once")
)

_ITEMS_INSIDE = select(_WITHIN_ONCE.c.n, *ITEM_COLUMNS).join_from(
    _WITHIN_ONCE, ITEMS, and_(ITEMS.c.owner == _WITHIN_ONCE.c.owner, ITEMS.c.container_key == _WITHIN_ONCE.c.key)
)

_ITEMS_OF = (
    select(_ASKED.c.n, *ITEM_COLUMNS).join_from(_ASKED, ITEMS, ITEMS.c.owner == _ASKED.c.a).order_by(ITEMS.c.sort)
)

_INSIDE = (
    select(_ASKED.c.n, *ITEM_COLUMNS)
    .join_from(_ASKED, ITEMS, and_(ITEMS.c.owner == _ASKED.c.a, ITEMS.c.container_key == _ASKED.c.b))
    .limit(bindparam("rows", type_=BigInteger()))
)

_LOOSE = (
    select(_ASKED.c.n, *ITEM_COLUMNS)
    .join_from(_ASKED, ITEMS, and_(ITEMS.c.owner == _ASKED.c.a, ITEMS.c.container_key.is_(None)))
    .order_by(ITEMS.c.sort)
    .limit(bindparam("rows", type_=BigInteger()))
)

_LINKS = select(_ASKED.c.n, *ITEM_COLUMNS).join_from(
    _ASKED, ITEMS, and_(ITEMS.c.owner == _ASKED.c.a, ITEMS.c.linked_key == _ASKED.c.b)
)

_HELD = select(_ASKED.c.n).where(
    exists().where(ITEMS.c.owner == _ASKED.c.a, ITEMS.c.definition_key == _ASKED.c.b, ITEMS.c.quantity >= 1)
)

_DEFINITIONS = select(_ASKED.c.n, *DEFINITION_COLUMNS).join_from(
    _ASKED, DEFINITIONS, and_(DEFINITIONS.c.provider == _ASKED.c.a, DEFINITIONS.c.key == _ASKED.c.b)
)

_IN_FAMILY = and_(
    DEFINITIONS.c.provider == bindparam("provider", type_=TEXT),
    DEFINITIONS.c.family == bindparam("family", type_=TEXT),
)

_FAMILY = text_array(select(DEFINITIONS.c.key).where(_IN_FAMILY).order_by(DEFINITIONS.c.sort, DEFINITIONS.c.key))

_FAMILY_COUNTS = (
    select(_ASKED.c.n, func.count())
    .join_from(_ASKED, DEFINITIONS, and_(DEFINITIONS.c.provider == _ASKED.c.a, DEFINITIONS.c.family == _ASKED.c.b))
    .group_by(_ASKED.c.n)
)

_DEFINITIONS_OF = (
    select(literal(0, Integer), *DEFINITION_COLUMNS).where(_IN_FAMILY).order_by(DEFINITIONS.c.sort, DEFINITIONS.c.key)
)

_CHANGE_COLUMNS = [CHANGES.c[name] for name in ("sequence", "at", "verb", "transaction_id", "input_hash", "body")]

_RECORDED = select(*_CHANGE_COLUMNS).where(
    CHANGES.c.owner == bindparam("owner", type_=TEXT),
    CHANGES.c.transaction_id == bindparam("transaction_id", type_=TEXT),
)

_LAST_CHANGE = select(func.max(CHANGES.c.sequence)).where(CHANGES.c.owner == bindparam("owner", type_=TEXT))

_CHANGES = (
    select(*_CHANGE_COLUMNS)
    .where(
        CHANGES.c.owner == bindparam("owner", type_=TEXT),
        CHANGES.c.sequence > bindparam("sequence", type_=BigInteger()),
    )
    .order_by(CHANGES.c.sequence)
    .limit(bindparam("limit", type_=BigInteger()))
)
