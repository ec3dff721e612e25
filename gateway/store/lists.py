"""Lists: the statements that read pages of items, containers and totals, and count them.

A page is found by where the last one ended (keyset), never by counting rows off. In natural order a page costs its
own length: each list asked for gets a bound, the sort text of its last entry, from an index, and the rows up to it are
read from that same index. In the other orders all that passes is ranked, keys only, and the page's rows are joined.

Every statement takes `asked` (`arrays.packed`): rows of owner, container key where there is one, provider. Statements
are built once per shape; SQLAlchemy keeps their text.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    and_,
    bindparam,
    exists,
    func,
    literal,
    null,
    select,
    true,
    tuple_,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import Executable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from gateway.model.arguments import ContainerKind, ItemFilter, ItemOrder
from gateway.model.paging import NAME, NATURAL, NUMBER, Position, Window
from gateway.model.positions import UNKNOWN_LAST
from gateway.store.arrays import one_of, packed_texts, unpacked
from gateway.store.rows import CONTAINER_COLUMNS, ITEM_COLUMNS, storable
from gateway.store.tables import CONTAINERS, DEFINITIONS, FITS, ITEMS, TEXT

_LAST_TEXT = "\U0010ffff"


class Scope(Enum):
    """Which rows a list is made of."""

    OWNER = "owner"
    CONTAINER = "container"
    SLOT = "slot"
    TREE = "tree"


class Passing(NamedTuple):
    """Which parts of an ItemFilter are given."""

    kinds: bool
    rarities: bool
    is_collectible: bool | None
    """Not a parameter, as databases tell by the text of a statement whether an index of collectibles alone will do."""
    definition_keys: bool
    text: bool
    shelves: bool

    @classmethod
    def of(cls, wanted: ItemFilter) -> Passing:
        """Tell the parts of a filter; an empty list is one that nothing passes."""
        return cls(
            wanted.kinds is not None,
            wanted.rarities is not None,
            wanted.is_collectible,
            wanted.definition_keys is not None,
            wanted.folded is not None,
            wanted.shelves is not None,
        )

    @property
    def needs_definitions(self) -> bool:
        """Say whether the catalogue must be read to tell which items pass."""
        return self.kinds or self.rarities or self.text


class Paged(NamedTuple):
    """Which parts of a Window are given."""

    order: str
    backwards: bool
    after: bool
    before: bool
    skips: bool

    @classmethod
    def of(cls, window: Window) -> Paged:
        """Tell the parts of a window."""
        return cls(window.order, window.backwards, window.after is not None, window.before is not None, window.skip > 0)


def passing_values(wanted: ItemFilter) -> dict[str, Any] | None:
    """Give the parameters of a filter; None where nothing can pass it."""
    text = wanted.folded
    if text is not None and not storable(text):
        return None
    return {
        "least": wanted.least,
        "kinds": packed_texts(wanted.kinds or ()),
        "rarities": packed_texts(wanted.rarities or ()),
        "definition_keys": packed_texts(wanted.definition_keys or ()),
        "shelves": packed_texts(wanted.shelves or ()),
        "text": text,
    }


def window_values(window: Window) -> dict[str, Any]:
    """Give the parameters of a window."""
    values: dict[str, Any] = {"size": window.size, "rows": window.size + 1}
    for name, position in (("after", window.after), ("before", window.before)):
        if position is not None:
            values[f"{name}_value"], values[f"{name}_sort"] = _place(position)
    return values


def _place(position: Position) -> tuple[int | str, str]:
    """Give what to compare by; a cursor that no entry was given may hold what no database can."""
    value, sort = position.value, _cut(position.sort)
    if isinstance(value, str):
        cut = _cut(value)
        return cut, sort if cut == value else _LAST_TEXT
    if value > UNKNOWN_LAST:
        return UNKNOWN_LAST, _LAST_TEXT
    return value, sort


def _cut(text: str) -> str:
    return text if storable(text) else text.partition("\0")[0].encode(errors="replace").decode()


@cache
def item_page(scope: Scope, passing: Passing, paged: Paged) -> Executable:
    """Read pages of items in the window's direction: the list's number, the place's value, then `ITEM_COLUMNS`."""
    if paged.order == NATURAL:
        return _natural_items(scope, passing, paged)
    asked = unpacked("asked")
    value, tie = _BY_NUMBER if paged.order == NUMBER else (_VALUES[ItemOrder(paged.order)], ITEMS.c.sort)
    ranked = (
        select(
            asked.c.n,
            ITEMS.c.owner,
            ITEMS.c.key,
            value.label("value"),
            func.row_number().over(partition_by=asked.c.n, order_by=_ordered(paged, value, tie)).label("place"),
        )
        .select_from(_items_from(asked, scope, passing.needs_definitions or paged.order == NAME, ITEMS, DEFINITIONS))
        .where(_passes(passing, ITEMS, DEFINITIONS), _within(paged, value, tie))
        .subquery("ranked")
    )
    return (
        select(ranked.c.n, ranked.c.value, *ITEM_COLUMNS)
        .join_from(ranked, ITEMS, and_(ITEMS.c.owner == ranked.c.owner, ITEMS.c.key == ranked.c.key))
        .where(ranked.c.place <= bindparam("rows", type_=BigInteger()))
        .order_by(ranked.c.n, ranked.c.place)
    )


def _natural_items(scope: Scope, passing: Passing, paged: Paged) -> Executable:
    asked = unpacked("asked")
    items, definitions = ITEMS.alias("bounded"), DEFINITIONS.alias("bounding")
    bound = (
        select(items.c.sort)
        .select_from(_items_within(asked, items, definitions, joined=passing.needs_definitions))
        .where(
            _in_scope(asked, scope, items),
            _passes(passing, items, definitions),
            _within(paged, None, items.c.sort),
        )
    )
    pages = _pages(asked, bound, paged, items.c.sort)
    return (
        select(pages.c.n, literal(0, Integer).label("value"), *ITEM_COLUMNS)
        .select_from(_items_from(pages, scope, passing.needs_definitions, ITEMS, DEFINITIONS))
        .where(_passes(passing, ITEMS, DEFINITIONS), _within(paged, None, ITEMS.c.sort))
        .where(_up_to(pages, paged, ITEMS.c.sort))
        .order_by(pages.c.n, *_ordered(paged, ITEMS.c.sort))
    )


@cache
def item_count(scope: Scope, passing: Passing) -> Executable:
    """Count items: the number of the list, and how many."""
    asked = unpacked("asked")
    return (
        select(asked.c.n, func.count())
        .select_from(_items_from(asked, scope, passing.needs_definitions, ITEMS, DEFINITIONS))
        .where(_passes(passing, ITEMS, DEFINITIONS))
        .group_by(asked.c.n)
    )


@cache
def total_page(passing: Passing, paged: Paged) -> Executable:
    """Read pages of totals: the number of the list, the definition's key and the sum."""
    asked = unpacked("asked")
    key = ITEMS.c.definition_key
    ranked = (
        select(
            asked.c.n,
            key.label("key"),
            func.sum(ITEMS.c.quantity).label("quantity"),
            func.row_number().over(partition_by=asked.c.n, order_by=key).label("place"),
        )
        .select_from(_items_from(asked, Scope.OWNER, passing.needs_definitions, ITEMS, DEFINITIONS))
        .where(key.is_not(None), _passes(passing, ITEMS, DEFINITIONS), _within(paged, None, key))
        .group_by(asked.c.n, key)
        .subquery("ranked")
    )
    return (
        select(ranked.c.n, ranked.c.key, ranked.c.quantity)
        .where(ranked.c.place <= bindparam("rows", type_=BigInteger()))
        .order_by(ranked.c.n, ranked.c.place)
    )


@cache
def total_count(passing: Passing) -> Executable:
    """Count the definitions held: the number of the list, and how many."""
    asked = unpacked("asked")
    return (
        select(asked.c.n, func.count(ITEMS.c.definition_key.distinct()))
        .select_from(_items_from(asked, Scope.OWNER, passing.needs_definitions, ITEMS, DEFINITIONS))
        .where(_passes(passing, ITEMS, DEFINITIONS))
        .group_by(asked.c.n)
    )


@cache
def container_page(scope: Scope, paged: Paged, *, kind: bool = False) -> Executable:
    """Read pages of containers: the number of the list, the value that it goes by first, then `CONTAINER_COLUMNS`.

    With `kind`, of the top level only that kind, else all but views. A tree goes by levels, the first being 0, down to
    the parameter `depth`.
    """
    asked = unpacked("asked")
    if scope is Scope.TREE:
        tree = _tree(asked)
        ranked = (
            select(
                tree.c.n,
                tree.c.owner,
                tree.c.provider,
                tree.c.key,
                tree.c.level,
                func.row_number()
                .over(partition_by=tree.c.n, order_by=_ordered(paged, tree.c.level, tree.c.sort))
                .label("place"),
            )
            .where(_within(paged, tree.c.level, tree.c.sort))
            .subquery("ranked")
        )
        found = ranked.join(
            CONTAINERS, and_(CONTAINERS.c.owner == ranked.c.owner, CONTAINERS.c.key == ranked.c.key)
        ).outerjoin(DEFINITIONS, _named_by(ranked.c.provider))
        return (
            select(ranked.c.n, ranked.c.level, *CONTAINER_COLUMNS)
            .select_from(found)
            .where(ranked.c.place <= bindparam("rows", type_=BigInteger()))
            .order_by(ranked.c.n, ranked.c.place)
        )
    containers = CONTAINERS.alias("bounded")
    bound = select(containers.c.sort).where(
        _among(asked, scope, containers, kind=kind), _within(paged, None, containers.c.sort)
    )
    pages = _pages(asked, bound, paged, containers.c.sort)
    return (
        select(pages.c.n, literal(0, Integer).label("value"), *CONTAINER_COLUMNS)
        .select_from(
            pages.join(CONTAINERS, _among(pages, scope, CONTAINERS, kind=kind)).outerjoin(
                DEFINITIONS, _named_by(pages.c.c)
            )
        )
        .where(_within(paged, None, CONTAINERS.c.sort), _up_to(pages, paged, CONTAINERS.c.sort))
        .order_by(pages.c.n, *_ordered(paged, CONTAINERS.c.sort))
    )


@cache
def container_count(scope: Scope, *, kind: bool = False) -> Executable:
    """Count containers: the number of the list, and how many."""
    asked = unpacked("asked")
    if scope is Scope.TREE:
        tree = _tree(asked)
        return select(tree.c.n, func.count(tree.c.key.distinct())).group_by(tree.c.n)
    return (
        select(asked.c.n, func.count())
        .join_from(asked, CONTAINERS, _among(asked, scope, CONTAINERS, kind=kind))
        .group_by(asked.c.n)
    )


@cache
def tree_containers() -> Executable:
    """Read trees, their roots left out, in no order: the number of the root, the level, then `CONTAINER_COLUMNS`.

    The parameter `depth` is the last level that is read, the first being 0; `rows` is how many rows are at most.
    """
    tree = _tree(unpacked("asked"))
    found = tree.join(CONTAINERS, and_(CONTAINERS.c.owner == tree.c.owner, CONTAINERS.c.key == tree.c.key))
    return (
        select(tree.c.n, tree.c.level, *CONTAINER_COLUMNS)
        .select_from(found.outerjoin(DEFINITIONS, _named_by(tree.c.provider)))
        .limit(bindparam("rows", type_=BigInteger()))
    )


@cache
def containing() -> Executable:
    """Read what containers lie in, up to the top level, themselves left out: the number, then `CONTAINER_COLUMNS`."""
    asked = unpacked("asked")
    first: list[Any] = [asked.c.n, asked.c.a.label("owner"), asked.c.c.label("provider"), CONTAINERS.c.parent_key]
    above = (
        select(*first)
        .join_from(asked, CONTAINERS, and_(CONTAINERS.c.owner == asked.c.a, CONTAINERS.c.key == asked.c.b))
        .cte("above", recursive=True)
    )
    parent = CONTAINERS.alias("parent")
    # The levels are no part of the rows, so that UNION stops where broken data lead in a circle.
    above = above.union(
        select(above.c.n, above.c.owner, above.c.provider, parent.c.parent_key).join_from(
            above, parent, and_(parent.c.owner == above.c.owner, parent.c.key == above.c.parent_key)
        )
    )
    found = above.join(CONTAINERS, and_(CONTAINERS.c.owner == above.c.owner, CONTAINERS.c.key == above.c.parent_key))
    return select(above.c.n, *CONTAINER_COLUMNS).select_from(found.outerjoin(DEFINITIONS, _named_by(above.c.provider)))


@cache
def catalogue_page(scope: Scope, paged: Paged, *, owned: bool) -> Executable:
    """Read pages of what could be held: the list's number, the definition's key and sort text, and how many are held.

    `asked` has a family of the catalogue, or the word for a slot, in the place of the container's key.
    """
    asked = unpacked("asked")
    entries, columns = _catalogue(scope)
    bound = (
        select(columns.sort)
        .select_from(entries)
        .where(_drawn(asked, columns, owned=owned), _within(paged, None, columns.sort))
    )
    pages = _pages(asked, bound, paged, columns.sort, paged.skips)
    held = (
        select(func.coalesce(func.sum(ITEMS.c.quantity), 0))
        .where(ITEMS.c.owner == pages.c.a, ITEMS.c.definition_key == columns.key)
        .scalar_subquery()
    )
    return (
        select(pages.c.n, columns.key, columns.sort, held)
        .select_from(pages.join(entries, _drawn(pages, columns, owned=owned)))
        .where(_within(paged, None, columns.sort), _up_to(pages, paged, columns.sort))
        .where(columns.sort >= pages.c.start if paged.skips else true())
        .order_by(pages.c.n, columns.sort, columns.key)
    )


@cache
def catalogue_count(scope: Scope, *, owned: bool) -> Executable:
    """Count what could be held: the number of the list, and how many definitions."""
    asked = unpacked("asked")
    entries, columns = _catalogue(scope)
    return (
        select(asked.c.n, func.count())
        .select_from(asked.join(entries, _drawn(asked, columns, owned=owned)))
        .group_by(asked.c.n)
    )


class _Entries(NamedTuple):
    """The columns that a part of the catalogue is found and ordered by."""

    provider: ColumnElement[Any]
    source: ColumnElement[Any]
    sort: ColumnElement[Any]
    key: ColumnElement[Any]


def _catalogue(scope: Scope) -> tuple[FromClause, _Entries]:
    columns = DEFINITIONS.c if scope is Scope.OWNER else FITS.c
    source = columns.family if scope is Scope.OWNER else columns.slot
    table = DEFINITIONS if scope is Scope.OWNER else FITS
    return table, _Entries(columns.provider, source, columns.sort, columns.key)


def _drawn(asked: FromClause, columns: _Entries, *, owned: bool) -> ColumnElement[bool]:
    conditions = [columns.provider == asked.c.c, columns.source == asked.c.b]
    if owned:
        held = ITEMS.alias("held")
        conditions.append(
            # Told apart from what is around it: two levels up SQLAlchemy would not look by itself.
            exists()
            .where(held.c.owner == asked.c.a, held.c.definition_key == columns.key, held.c.quantity >= 1)
            .correlate_except(held)
        )
    return and_(*conditions)


def _tree(asked: FromClause) -> CTE:
    """Walk down from the containers asked for, level by level; the parameter `depth` is the last level."""
    first: list[Any] = [asked.c.n, asked.c.a.label("owner"), asked.c.c.label("provider")]
    tree = (
        select(*first, CONTAINERS.c.key, CONTAINERS.c.sort, literal(0, Integer).label("level"))
        .join_from(asked, CONTAINERS, _in_parent(CONTAINERS, asked.c.a, asked.c.b))
        .cte("tree", recursive=True)
    )
    child = CONTAINERS.alias("child")
    return tree.union_all(
        select(tree.c.n, tree.c.owner, tree.c.provider, child.c.key, child.c.sort, tree.c.level + 1)
        .join_from(tree, child, _in_parent(child, tree.c.owner, tree.c.key))
        .where(tree.c.level < bindparam("depth", type_=Integer()))
    )


def _in_parent(containers: FromClause, owner: ColumnElement[Any], key: ColumnElement[Any]) -> ColumnElement[bool]:
    return and_(containers.c.owner == owner, containers.c.parent_key == key)


def _among(asked: FromClause, scope: Scope, containers: FromClause, *, kind: bool) -> ColumnElement[bool]:
    if scope is Scope.CONTAINER:
        return _in_parent(containers, asked.c.a, asked.c.b)
    shown = (
        containers.c.kind == bindparam("kind", type_=TEXT) if kind else containers.c.kind != ContainerKind.VIEW.value
    )
    return and_(containers.c.owner == asked.c.a, containers.c.parent_key.is_(null()), shown)


def _named_by(provider: ColumnElement[Any]) -> ColumnElement[bool]:
    return and_(DEFINITIONS.c.provider == provider, DEFINITIONS.c.key == CONTAINERS.c.definition_key)


def _pages(asked: FromClause, bound: Select[Any], paged: Paged, sort: ColumnElement[Any], skips: bool = False) -> CTE:
    """Give what is asked, each with the sort text up to which its page goes; null where it goes to the end.

    Where it `skips`, with the sort text that it starts at as well; null where nothing is left.
    """

    def at(place: str) -> ColumnElement[Any]:
        entry = bound.order_by(*_ordered(paged, sort)).limit(1).offset(bindparam(place, type_=BigInteger()))
        return entry.correlate(asked).scalar_subquery()

    ends = [at("last").label("bound"), at("skip").label("start")] if skips else [at("size").label("bound")]
    # MATERIALIZED, so that no plan looks a bound up once per row.
    return select(asked.c.n, asked.c.a, asked.c.b, asked.c.c, *ends).cte("pages").prefix_with("MATERIALIZED")


def _up_to(pages: CTE, paged: Paged, sort: ColumnElement[Any]) -> ColumnElement[bool]:
    if paged.backwards:
        return sort >= func.coalesce(pages.c.bound, literal("", TEXT))
    return sort <= func.coalesce(pages.c.bound, literal(_LAST_TEXT, TEXT))


def _in_scope(asked: FromClause, scope: Scope, items: FromClause) -> ColumnElement[bool]:
    if scope is Scope.OWNER:
        return items.c.owner == asked.c.a
    return and_(items.c.owner == asked.c.a, items.c.container_key == asked.c.b)


def _items_within(asked: FromClause, items: FromClause, definitions: FromClause, *, joined: bool) -> FromClause:
    if not joined:
        return items
    return items.outerjoin(
        definitions, and_(definitions.c.provider == asked.c.c, definitions.c.key == items.c.definition_key)
    )


def _items_from(
    asked: FromClause, scope: Scope, joined: bool, items: FromClause, definitions: FromClause
) -> FromClause:
    found = asked.join(items, _in_scope(asked, scope, items))
    if not joined:
        return found
    return found.outerjoin(
        definitions, and_(definitions.c.provider == asked.c.c, definitions.c.key == items.c.definition_key)
    )


class _Contains(GenericFunction[bool]):
    """Whether the first text has the second in it, to the letter: LIKE would fold ASCII letters on SQLite."""

    name = "gateway_contains"
    inherit_cache = True
    type = Boolean()


@compiles(_Contains, "sqlite")
def _contains_on_sqlite(element: _Contains, compiler: SQLCompiler, **options: Any) -> str:
    return f"instr({compiler.process(element.clauses, **options)}) > 0"


@compiles(_Contains, "postgresql")
def _contains_on_postgresql(element: _Contains, compiler: SQLCompiler, **options: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **options)}) > 0"


def _passes(passing: Passing, items: FromClause, definitions: FromClause) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [items.c.quantity >= bindparam("least", type_=BigInteger())]
    if passing.kinds:
        conditions.append(func.coalesce(items.c.kind, definitions.c.kind).in_(one_of("kinds")))
    if passing.rarities:
        conditions.append(definitions.c.rarity.in_(one_of("rarities")))
    if passing.is_collectible is not None:
        conditions.append(items.c.is_collectible.is_(passing.is_collectible))
    if passing.definition_keys:
        conditions.append(items.c.definition_key.in_(one_of("definition_keys")))
    if passing.shelves:
        conditions.append(items.c.container_key.in_(one_of("shelves")))
    if passing.text:
        name = func.coalesce(items.c.folded, definitions.c.folded)
        conditions.append(_Contains(name, bindparam("text", type_=TEXT)))
    return and_(*conditions)


_VALUES: dict[ItemOrder, ColumnElement[Any]] = {
    ItemOrder.NAME: func.coalesce(ITEMS.c.folded, DEFINITIONS.c.folded, literal("", TEXT)),
    ItemOrder.QUANTITY_DESC: -ITEMS.c.quantity,
    ItemOrder.ACQUIRED_DESC: func.coalesce(-ITEMS.c.acquired_at, literal(UNKNOWN_LAST, BigInteger)),
    ItemOrder.SERIAL_ASC: func.coalesce(ITEMS.c.serial, literal(UNKNOWN_LAST, BigInteger)),
}
"""What `positions.position_of` computes, as SQL."""

_BY_NUMBER = (func.length(ITEMS.c.key), ITEMS.c.key)
"""The order of numbers in keys that are else alike, as those of one shelf are: none begins with a zero."""


def _within(paged: Paged, value: ColumnElement[Any] | None, sort: ColumnElement[Any]) -> ColumnElement[bool]:
    """Compare places with the window's cursors; without a value the sort text alone is the place."""
    conditions: list[ColumnElement[bool]] = []
    kind = TEXT if paged.order == NAME else BigInteger()
    for name, given in (("after", paged.after), ("before", paged.before)):
        if not given:
            continue
        end = bindparam(f"{name}_sort", type_=TEXT)
        if value is None:
            here, there = sort, end
        else:
            here, there = tuple_(value, sort), tuple_(bindparam(f"{name}_value", type_=kind), end)
        conditions.append(here > there if name == "after" else here < there)
    return and_(true(), *conditions)


def _ordered(paged: Paged, *columns: ColumnElement[Any]) -> Sequence[ColumnElement[Any]]:
    return [column.desc() if paged.backwards else column.asc() for column in columns]
