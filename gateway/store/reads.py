"""Reads: everything that is asked of the store, each for a whole batch of keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias, TypeVar, cast

import orjson
from sqlalchemy import BigInteger, Select, and_, bindparam, exists, select, true, union_all
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
from gateway.model.container import Container
from gateway.model.definition import ItemDefinition
from gateway.model.errors import Internal
from gateway.model.ids import ContainerRef, DefinitionRef, FactRef, ItemRef, OwnerRef, OwnershipRef
from gateway.model.item import Item
from gateway.model.manifest import ProviderKey
from gateway.model.owner import InventoryOwner
from gateway.model.paging import NATURAL, Part, Position, trimmed
from gateway.model.ports import Fact
from gateway.model.positions import moment_of, position_of_total
from gateway.model.relations import Asked
from gateway.store.arrays import packed, read_texts, text_array, unpacked
from gateway.store.details import Codec
from gateway.store.lists import (
    Paged,
    Passing,
    Scope,
    container_count,
    container_page,
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
RefT = TypeVar("RefT", bound=tuple[str, ...])

Run: TypeAlias = Callable[[Executable, Mapping[str, Any]], Awaitable[Sequence[Any]]]
"""Runs one statement and gives its rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An entry of the change log; `body` is what was recorded, `sequence` rises by one per owner."""

    sequence: int
    at: datetime
    verb: str
    transaction_id: str | None
    input_hash: str | None
    body: Any


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
        return {ref: read_owner(ref, name) for ref, (name,) in await self._each(_OWNERS, refs, _owner_key)}

    async def owner_refs(self, provider: str) -> list[OwnerRef]:
        """List every owner at a provider, by key."""
        rows = await self._run(_OWNER_KEYS, {"provider": provider})
        return [OwnerRef(provider, key) for (key,) in rows]

    async def facts(self, refs: Sequence[FactRef]) -> dict[FactRef, object]:
        """Give documents about owners."""
        found = await self._each(_FACTS, refs, lambda ref: (owner_text(ref.provider, ref.owner), ref.kind, ref.key))
        return {ref: self._codec.decode(kind, details) for ref, (kind, details) in found}

    async def facts_of(self, ref: OwnerRef) -> list[Fact]:
        """List all documents about an owner, by kind and key."""
        return [
            Fact(ref=FactRef(*owner, kind, key), value=self._codec.decode(type_name, details))
            for owner, (kind, key, type_name, details) in await self._each(_FACTS_OF, [ref], _owner_key)
        ]

    async def containers(self, refs: Sequence[ContainerRef]) -> dict[ContainerRef, Container]:
        """Give containers."""
        found = await self._each(_CONTAINERS, refs, _container_key)
        return {ref: read_container(self._codec, OwnerRef(*ref[:2]), row) for ref, row in found}

    async def with_children(self, refs: Sequence[ContainerRef]) -> list[Container]:
        """Give containers and their direct children, each once, in natural order by owner."""
        return self._containers_once(await self._each(_WITH_CHILDREN, refs, _container_key))

    async def below(self, refs: Sequence[ContainerRef]) -> list[Container]:
        """Give all containers below these, each once, parents before their children."""
        return self._containers_once(await self._each(tree_containers(), refs, _container_key))

    async def containers_of(self, ref: OwnerRef) -> list[Container]:
        """Give all containers of an owner, in natural order."""
        found = await self._each(_CONTAINERS_OF, [ref], _inventory_key)
        return [read_container(self._codec, owner, row) for owner, row in found]

    async def container_lists(self, asked: Sequence[Asked]) -> dict[Asked, Part[Container]]:
        """List containers, one statement for all that share equal arguments.

        OwnerRef and ContainerArguments ask for a top level (views only where that kind is asked for), ContainerRef and
        DescendantArguments for a tree, ContainerRef and PageArguments for direct children.
        """
        answer: dict[Asked, Part[Container]] = {}
        for arguments, group in _grouped(asked):
            window = arguments.window
            scope, values = _container_scope(arguments)
            statement = container_page(scope, Paged.of(window), kind="kind" in values, depth="depth" in values)
            lists: dict[Asked, list[tuple[Position, Container]]] = {one: [] for one in group}
            for one, row in await self._each(statement, group, _asked_key, {**values, **window_values(window)}):
                container = read_container(self._codec, OwnerRef(*one.ref[:2]), row)
                lists[one].append((Position(NATURAL, 0, container.sort), container))
            for one, found in lists.items():
                answer[one] = trimmed(found, window)
        return answer

    async def count_containers(self, asked: Sequence[Asked]) -> dict[Asked, int]:
        """Count what `container_lists` lists, one statement for all that share equal arguments."""
        answer = dict.fromkeys(asked, 0)
        for arguments, group in _grouped(asked):
            scope, values = _container_scope(arguments)
            statement = container_count(scope, kind="kind" in values, depth="depth" in values)
            answer.update({one: count for one, (count,) in await self._each(statement, group, _asked_key, values)})
        return answer

    async def items(self, refs: Sequence[ItemRef]) -> dict[ItemRef, Item]:
        """Give holdings."""
        found = await self._each(_ITEMS, refs, lambda ref: (owner_text(ref.provider, ref.owner), ref.key))
        return {ref: read_item(self._codec, OwnerRef(*ref[:2]), row) for ref, row in found}

    async def items_in(self, refs: Sequence[ContainerRef]) -> list[Item]:
        """Give all that lies directly in these containers, in natural order by owner."""
        found = await self._each(_ITEMS_IN, refs, _container_key)
        items = [read_item(self._codec, OwnerRef(*ref[:2]), row) for ref, row in found]
        items.sort(key=lambda item: (item.owner, item.sort))
        return items

    async def items_of(self, ref: OwnerRef) -> list[Item]:
        """Give all holdings of an owner, in natural order."""
        found = await self._each(_ITEMS_OF, [ref], _owner_key)
        return [read_item(self._codec, owner, row) for owner, row in found]

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
                for one, (value, *row) in await self._each(statement, group, _asked_key, values):
                    item = read_item(self._codec, OwnerRef(*one.ref[:2]), tuple(row))
                    lists[one].append((Position(window.order, value, item.sort), item))
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
                found = await self._each(statement, group, _asked_key, values)
                answer.update({one: count for one, (count,) in found})
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
                for one, (key, quantity) in await self._each(statement, group, _asked_key, values):
                    ref = DefinitionRef(one.provider, key)
                    lists[one].append((position_of_total(ref), (ref, int(quantity))))
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
                found = await self._each(total_count(Passing.of(passing)), group, _asked_key, values)
                answer.update({one: count for one, (count,) in found})
        return answer

    async def holds(self, refs: Sequence[OwnershipRef]) -> dict[OwnershipRef, bool]:
        """Tell whether owners hold at least one of a definition; every key is answered."""
        answer = dict.fromkeys(refs, False)
        found = await self._each(_HELD, refs, lambda ref: (owner_text(ref.provider, ref.owner), ref.definition))
        answer.update({ref: True for ref, _ in found})
        return answer

    async def definitions(self, refs: Sequence[DefinitionRef]) -> dict[DefinitionRef, ItemDefinition | Internal]:
        """Give catalogue entries; one that cannot be read is its own key's error."""
        found = await self._each(_DEFINITIONS, refs, tuple[str, ...])
        answer: dict[DefinitionRef, ItemDefinition | Internal] = {}
        for ref, row in found:
            try:
                answer[ref] = read_definition(self._codec, ProviderKey(ref.provider), row)
            except Internal as fault:
                answer[ref] = fault
        return answer

    async def definition_keys(self, provider: str, family: str) -> list[str]:
        """List the keys of all definitions whose key begins with `<family>:`, in the catalogue's order."""
        if not storable(family):
            return []
        ((keys,),) = await self._run(_FAMILY, {"provider": provider, "family": family})
        return read_texts(keys)

    async def recorded(self, ref: OwnerRef, transaction_id: str) -> Change | None:
        """Give the change that was written under a transaction id."""
        if not storable(transaction_id):
            return None
        values = {"owner": owner_text(*ref), "transaction_id": transaction_id}
        return next((_change(row) for row in await self._run(_RECORDED, values)), None)

    async def changes_after(self, ref: OwnerRef, sequence: int, *, limit: int = 100) -> list[Change]:
        """List the changes of an owner's inventory that came after the one of that sequence number."""
        values = {"owner": owner_text(*ref), "sequence": sequence, "limit": limit}
        return [_change(row) for row in await self._run(_CHANGES, values)]

    def _containers_once(self, found: Iterable[tuple[ContainerRef, tuple[Any, ...]]]) -> list[Container]:
        once = {(ref[:2], row[0]): (ref, row) for ref, row in found}
        containers = [read_container(self._codec, OwnerRef(*ref[:2]), row) for ref, row in once.values()]
        containers.sort(key=lambda container: (container.owner, container.sort))
        return containers

    async def _each(
        self,
        statement: Executable,
        refs: Sequence[RefT],
        key: Callable[[RefT], Sequence[str]],
        values: Mapping[str, Any] | None = None,
    ) -> list[tuple[RefT, tuple[Any, ...]]]:
        """Run a statement for a batch, and give its rows beside what they were asked for."""
        pairs = [(ref, key(ref)) for ref in dict.fromkeys(refs)]
        known = [(ref, texts) for ref, texts in pairs if all(map(storable, texts))]
        if not known:
            return []
        rows = await self._run(statement, {"asked": packed([texts for _, texts in known]), **(values or {})})
        return [(known[number][0], tuple(row)) for number, *row in rows]


def _owner_key(ref: OwnerRef) -> tuple[str, ...]:
    return (owner_text(*ref),)


def _inventory_key(ref: OwnerRef) -> tuple[str, ...]:
    return owner_text(*ref), "", ref.provider


def _container_key(ref: ContainerRef) -> tuple[str, ...]:
    return owner_text(ref.provider, ref.owner), ref.key, ref.provider


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
            return Scope.TREE, {} if depth is None else {"depth": depth}
        case PageArguments():
            return Scope.CONTAINER, {}
        case other:
            raise TypeError(f"no list of containers takes {other!r}")


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

_ITEMS = select(_ASKED.c.n, *ITEM_COLUMNS).join_from(
    _ASKED, ITEMS, and_(ITEMS.c.owner == _ASKED.c.a, ITEMS.c.key == _ASKED.c.b)
)

_ITEMS_IN = select(_ASKED.c.n, *ITEM_COLUMNS).join_from(
    _ASKED, ITEMS, and_(ITEMS.c.owner == _ASKED.c.a, ITEMS.c.container_key == _ASKED.c.b)
)

_ITEMS_OF = (
    select(_ASKED.c.n, *ITEM_COLUMNS).join_from(_ASKED, ITEMS, ITEMS.c.owner == _ASKED.c.a).order_by(ITEMS.c.sort)
)

_HELD = select(_ASKED.c.n).where(
    exists().where(ITEMS.c.owner == _ASKED.c.a, ITEMS.c.definition_key == _ASKED.c.b, ITEMS.c.quantity >= 1)
)

_DEFINITIONS = select(_ASKED.c.n, *DEFINITION_COLUMNS).join_from(
    _ASKED, DEFINITIONS, and_(DEFINITIONS.c.provider == _ASKED.c.a, DEFINITIONS.c.key == _ASKED.c.b)
)

_FAMILY = text_array(
    select(DEFINITIONS.c.key)
    .where(
        DEFINITIONS.c.provider == bindparam("provider", type_=TEXT),
        DEFINITIONS.c.family == bindparam("family", type_=TEXT),
    )
    .order_by(DEFINITIONS.c.sort, DEFINITIONS.c.key)
)

_CHANGE_COLUMNS = [CHANGES.c[name] for name in ("sequence", "at", "verb", "transaction_id", "input_hash", "body")]

_RECORDED = select(*_CHANGE_COLUMNS).where(
    CHANGES.c.owner == bindparam("owner", type_=TEXT),
    CHANGES.c.transaction_id == bindparam("transaction_id", type_=TEXT),
)

_CHANGES = (
    select(*_CHANGE_COLUMNS)
    .where(
        CHANGES.c.owner == bindparam("owner", type_=TEXT),
        CHANGES.c.sequence > bindparam("sequence", type_=BigInteger()),
    )
    .order_by(CHANGES.c.sequence)
    .limit(bindparam("limit", type_=BigInteger()))
)
