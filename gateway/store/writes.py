"""Writes: what a transaction that holds an owner's lock can change; everything it reads is of that transaction."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import orjson
from sqlalchemy import BigInteger, Delete, Table, and_, bindparam, delete, func, insert, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import Executable

from gateway.model.change import ChangeSet
from gateway.model.container import Container
from gateway.model.definition import ItemDefinition
from gateway.model.errors import InvalidInput
from gateway.model.ids import ContainerRef, DefinitionRef, ItemRef, OwnerRef
from gateway.model.item import Item
from gateway.model.owner import InventoryOwner
from gateway.model.ports import Amendment, Catalogue, Fact, Holdings, Record, Stock
from gateway.model.positions import microseconds
from gateway.store.arrays import packed, unpacked
from gateway.store.details import Codec
from gateway.store.engine import run
from gateway.store.notices import CHANNEL, notice_of
from gateway.store.reads import Reads
from gateway.store.rows import (
    Row,
    checked,
    container_row,
    definition_row,
    fact_row,
    fit_rows,
    item_row,
    owner_row,
    storable,
)
from gateway.store.tables import (
    CHANGES,
    CONTAINERS,
    DEFINITIONS,
    FACTS,
    FITS,
    ITEMS,
    LOCKS,
    OWNERS,
    TEXT,
    owner_text,
)

_WORDS: tuple[str, ...] = ("owners", "containers", "items", "facts", "definitions")

CHUNK = 1_000
"""How many rows an import gathers before it writes them."""

KEPT = timedelta(days=30)
"""How long the change log remembers a change, and whose repeat it would be."""


class Writer(Reads):
    """The reads and writes of one transaction; what it writes must belong to an owner whose lock it holds."""

    def __init__(self, codec: Codec, connection: AsyncConnection) -> None:
        super().__init__(codec, partial(run, connection))
        self._connection = connection
        self._sqlite = connection.dialect.name == "sqlite"
        self._locked: set[str] = set()
        self.recorded_for: set[str] = set()
        """The owners whose change log has grown."""

    async def lock(self, *refs: OwnerRef) -> None:
        """Wait until no other transaction writes for these owners; an empty owner key locks a provider's catalogue.

        SQLite has one lock for the whole file, which the transaction has had since it began.
        """
        owners = sorted({owner_text(*ref) for ref in refs} - self._locked)
        if not owners:
            return
        if not all(map(storable, owners)):
            raise InvalidInput("An owner's key has a character that cannot be stored.")
        if not self._sqlite:
            # Two statements when the row is new: only a committed row can be waited for.
            values = {"asked": packed([(owner,) for owner in owners])}
            found = await self._rows(_LOCK, values)
            if len(found) < len(owners):
                await self._connection.execute(_upserts(LOCKS, sqlite=False), [{"owner": owner} for owner in owners])
                await self._rows(_LOCK, values)
        self._locked.update(owners)

    @asynccontextmanager
    async def writing(self, *refs: OwnerRef) -> AsyncGenerator[Writer]:
        """Hold these owners' locks too, in this same transaction."""
        await self.lock(*refs)
        yield self

    async def put_owner(self, owner: InventoryOwner) -> None:
        """Make or update an owner; a name that was told before stays where none is told now."""
        await self._put(OWNERS, [owner_row(owner)])

    async def put_containers(self, containers: Iterable[Container]) -> None:
        """Make or replace containers' own rows; what lies in them stays."""
        await self._put(CONTAINERS, [container_row(container, self._codec) for container in containers])

    async def add_containers(self, containers: Iterable[Container]) -> None:
        """Make the containers that are missing; those that stand are left as they are."""
        await self._put(CONTAINERS, [container_row(container, self._codec) for container in containers], add=True)

    async def put_items(self, items: Iterable[Item]) -> None:
        """Make or replace holdings."""
        await self._put(ITEMS, [item_row(item, self._codec) for item in items])

    async def put_facts(self, facts: Iterable[Fact]) -> None:
        """Make or replace documents about owners."""
        await self._put(FACTS, [fact_row(fact, self._codec) for fact in facts])

    async def put_definitions(self, definitions: Iterable[ItemDefinition]) -> None:
        """Make or replace catalogue entries; the lock is that of the provider's catalogue, `OwnerRef(provider, "")`."""
        definitions = list(definitions)
        await self._put(DEFINITIONS, [definition_row(definition, self._codec) for definition in definitions])
        # Most catalogues know of no slots, and shall not pay for them.
        fitting = [one for one in definitions if type(one).fits is not ItemDefinition.fits]
        if fitting:
            await self._delete(_DELETE_FITS, [one.ref for one in fitting], catalogue=True)
            await self._put(FITS, [row for one in fitting for row in fit_rows(one)])

    async def delete_definitions(self, refs: Sequence[DefinitionRef]) -> None:
        """Remove catalogue entries; two statements."""
        await self._delete(_DELETE_FITS, refs, catalogue=True)
        await self._delete(_DELETE_DEFINITIONS, refs, catalogue=True)

    async def replace(self, holdings: Holdings) -> None:
        """Make a container what its holdings say, with all below it: what the store had of it is gone."""
        root = holdings.container
        await self.delete_content(root.ref)
        await self.put_containers([root, *holdings.children])
        await self.put_items(holdings.items)

    async def restock(self, stock: Stock) -> None:
        """Make an owner's items that lie in no container what a document says; with `whole`, no others are left.

        So it is with `shelves`, of the items on those.
        """
        if stock.whole:
            owner = self._held(owner_text(*stock.owner))
            await self._connection.execute(_DELETE_LOOSE, {"owner": owner})
        await self._delete(_DELETE_SHELVED, [(owner_text(*stock.owner), shelf) for shelf in stock.shelves])
        await self.delete_items([ItemRef(*stock.owner, key) for key in stock.gone])
        await self.put_items(stock.items)
        await self._put(ITEMS, [item_row(item, self._codec) for item in stock.found], add=True)

    async def delete_items(self, refs: Sequence[ItemRef]) -> None:
        """Remove holdings; one statement."""
        await self._delete(_DELETE_ITEMS, [(owner_text(ref.provider, ref.owner), ref.key) for ref in refs])

    async def delete_containers(self, refs: Sequence[ContainerRef]) -> None:
        """Remove containers with all that lies below them; three statements for each owner."""
        for owner, keys in _by_owner(refs).items():
            await self._delete_content(owner, keys)
            await self._delete(_DELETE_CONTAINERS, [(owner, key) for key in keys])

    async def delete_content(self, *refs: ContainerRef) -> None:
        """Remove all that lies below containers, which stay; two statements for each owner."""
        for owner, keys in _by_owner(refs).items():
            await self._delete_content(owner, keys)

    async def record(
        self,
        ref: OwnerRef,
        verb: str,
        body: object,
        *,
        at: datetime,
        transaction_id: str | None = None,
        input_hash: str | None = None,
    ) -> int:
        """Append to the owner's change log, and give the change's sequence number.

        `body` is a change set, or any JSON; a transaction id can be recorded once per owner (see `recorded`). What is
        older than KEPT goes, and with it the memory of its transaction id.
        """
        owner = self._held(owner_text(*ref))
        if isinstance(body, ChangeSet):
            kind, details = self._codec.encode(body)
            body = {"type": kind, "details": orjson.Fragment(details)}
        sequence = await self.last_change(ref) + 1
        change = {
            "owner": owner,
            "sequence": sequence,
            "at": microseconds(at),
            "transaction_id": transaction_id,
            "input_hash": input_hash,
            "verb": verb,
            "body": orjson.dumps(body).decode(),
        }
        await self._connection.execute(_DELETE_OLD, {"owner": owner, "before": microseconds(at - KEPT)})
        adding = insert(CHANGES)
        if not self._sqlite:
            # Sent with the commit, if it comes to that.
            adding = adding.returning(func.pg_notify(CHANNEL, notice_of(owner)))
        await self._connection.execute(adding, checked(change))
        self.recorded_for.add(owner)
        return sequence

    async def _delete_content(self, owner: str, keys: Sequence[str]) -> None:
        self._held(owner)
        values = {"asked": packed([(owner, key) for key in keys]), "owner": owner}
        await self._connection.execute(_DELETE_ITEMS_BELOW, values)
        await self._connection.execute(_DELETE_BELOW, values)

    async def _delete(self, statement: Delete, asked: Sequence[tuple[str, ...]], *, catalogue: bool = False) -> None:
        known = [tuple(key) for key in asked if all(map(storable, key))]
        for owner, *_ in known:
            self._held(owner_text(owner, "") if catalogue else owner)
        if known:
            await self._connection.execute(statement, {"asked": packed(known)})

    async def _put(self, table: Table, rows: Sequence[Row], *, add: bool = False) -> None:
        for owner in {row["owner"] if "owner" in row else owner_text(row["provider"], "") for row in rows}:
            self._held(owner)
        for start in range(0, len(rows), CHUNK):
            await self._connection.execute(_upserts(table, sqlite=self._sqlite, add=add), rows[start : start + CHUNK])

    def _held(self, owner: str) -> str:
        if owner not in self._locked:
            raise RuntimeError("nothing is written for an owner whose lock is not held")
        return owner


async def import_records(
    writer: Writer, provider: str, records: AsyncIterator[Record] | Iterable[Record]
) -> dict[str, int]:
    """Write what an import brings, in the order in which it comes; see `Store.import_records`."""
    importing = _Import(writer, provider)
    if isinstance(records, AsyncIterator):
        async for record in records:
            await importing.take(record)
    else:
        for record in records:
            await importing.take(record)
    return await importing.end()


class _Import:
    """An import under way: rows are gathered by table, and nothing is written behind something newer."""

    def __init__(self, writer: Writer, provider: str) -> None:
        self._writer = writer
        self._provider = provider
        self._now = datetime.now(UTC)
        self._definitions: list[ItemDefinition] = []
        self._facts: list[Fact] = []
        self._containers: list[Container] = []
        self._counts: dict[OwnerRef, dict[str, int]] = {}
        self._seen: set[OwnerRef | ContainerRef] = set()

    async def take(self, record: Record) -> None:
        match record:
            case ItemDefinition():
                await self._touch(OwnerRef(record.ref.provider, ""), definitions=1)
                self._definitions.append(record)
                if len(self._definitions) >= CHUNK:
                    await self._flush()
            case InventoryOwner():
                await self._touch(record.ref, owners=self._new(record.ref))
                await self._writer.put_owner(record)
            case Fact(ref=ref):
                await self._touch(OwnerRef(ref.provider, ref.owner), facts=1)
                self._facts.append(record)
                if len(self._facts) >= CHUNK:
                    await self._flush()
            case Amendment(ref=ref, amend=amend):
                await self._touch(OwnerRef(ref.provider, ref.owner), facts=1)
                # One that came before may be the one to amend.
                await self._flush()
                known = await self._writer.facts([ref])
                await self._writer.put_facts([Fact(ref=ref, value=amend(known.get(ref)))])
            case Holdings(container=root, children=children, items=items):
                new = sum(self._new(container.ref) for container in (root, *children))
                await self._touch(root.owner, containers=new, items=len(items))
                # A container that came before may lie below this one, or be it.
                await self._flush()
                await self._follow([root, *children])
                await self._writer.replace(record)
            case Stock(owner=ref, items=items, found=found):
                await self._touch(ref, items=len(items) + len(found))
                await self._settle([*items, *found])
                await self._writer.restock(record)
            case Catalogue(provider=provider, family=name, definitions=definitions):
                await self._touch(OwnerRef(provider, ""), definitions=len(definitions))
                await self._flush()
                kept = {definition.key for definition in definitions}
                known = await self._writer.definition_keys(provider, name)
                await self._writer.delete_definitions(
                    [DefinitionRef(provider, key) for key in known if key not in kept]
                )
                await self._writer.put_definitions(definitions)
            case Container():
                await self._touch(record.owner, containers=self._new(record.ref))
                self._containers.append(record)
                if len(self._containers) >= CHUNK:
                    await self._flush()

    async def end(self) -> dict[str, int]:
        """Write what is left and the log, and give the counts."""
        await self._flush()
        totals = dict.fromkeys(_WORDS, 0)
        for ref, counts in self._counts.items():
            for word, count in counts.items():
                totals[word] += count
            await self._writer.record(ref, "import", counts, at=self._now)
        return totals

    async def _settle(self, items: Sequence[Item]) -> None:
        """Let items know what they are copies of, if they want to; most do not, and shall not pay for it."""
        unsettled = [item for item in items if type(item).settle is not Item.settle]
        if not unsettled:
            return
        # What they are copies of may have come before.
        await self._flush()
        refs = {item.key: ref for item in unsettled if (ref := item.definition_ref) is not None}
        known = await self._writer.definitions([*dict.fromkeys(refs.values())])
        for item in unsettled:
            definition = known.get(refs[item.key]) if item.key in refs else None
            if isinstance(definition, ItemDefinition):
                item.settle(definition)

    async def _following(self, definitions: Sequence[ItemDefinition]) -> list[ItemDefinition]:
        """Let definitions know what stood in their place, if they want to, in the order in which they came."""
        if not any(type(one).follow is not ItemDefinition.follow for one in definitions):
            return [*definitions]
        known = {**await self._writer.definitions([one.ref for one in definitions])}
        for one in definitions:
            if isinstance(before := known.get(one.ref), ItemDefinition):
                one.follow(before)
            known[one.ref] = one
        return [*{one.ref: one for one in definitions}.values()]

    async def _follow(self, containers: Sequence[Container]) -> None:
        """Let containers know what stood in their place, if they want to; most do not, and shall not pay for it."""
        if type(containers[0]).follow is not Container.follow:
            known = await self._writer.containers([container.ref for container in containers])
            for container in containers:
                if (before := known.get(container.ref)) is not None:
                    container.follow(before)

    def _new(self, ref: OwnerRef | ContainerRef) -> int:
        """Count a thing once, however many records are about it."""
        if ref in self._seen:
            return 0
        self._seen.add(ref)
        return 1

    async def _touch(self, ref: OwnerRef, **counts: int) -> None:
        known = self._counts.get(ref)
        if known is None:
            if ref.provider != self._provider:
                raise InvalidInput(f"This is a record of `{ref.provider}`, in an import for `{self._provider}`.")
            await self._writer.lock(ref)
            known = self._counts[ref] = {}
        for word, count in counts.items():
            known[word] = known.get(word, 0) + count

    async def _flush(self) -> None:
        definitions, facts, containers = self._definitions, self._facts, self._containers
        self._definitions, self._facts, self._containers = [], [], []
        if definitions:
            await self._writer.put_definitions(await self._following(definitions))
        if facts:
            await self._writer.put_facts(facts)
        if containers:
            await self._writer.add_containers(containers)


def _by_owner(refs: Iterable[ContainerRef]) -> dict[str, list[str]]:
    owners: dict[str, list[str]] = {}
    for ref in refs:
        if all(map(storable, ref)):
            owners.setdefault(owner_text(ref.provider, ref.owner), []).append(ref.key)
    return owners


def _upserts(table: Table, *, sqlite: bool, add: bool = False) -> Executable:
    return _UPSERTS[table.name, sqlite, add]


def _upsert(table: Table, make: Any, add: bool) -> Executable:
    """Insert a row, or replace the one with its key; to `add` leaves that one as it is.

    Both databases spell it alike, but SQLAlchemy has a class for each.
    """
    adding = make(table)
    keys = list(table.primary_key.columns)
    changed = {column.name: adding.excluded[column.name] for column in table.columns if not column.primary_key}
    if add or not changed:
        return adding.on_conflict_do_nothing(index_elements=keys)
    if table is OWNERS:
        changed["name"] = func.coalesce(adding.excluded.name, OWNERS.c.name)
    return adding.on_conflict_do_update(index_elements=keys, set_=changed)


_UPSERTS = {
    (table.name, is_sqlite, add): _upsert(table, sqlite.insert if is_sqlite else postgresql.insert, add)
    for table in (LOCKS, OWNERS, FACTS, CONTAINERS, ITEMS, DEFINITIONS, FITS)
    for is_sqlite in (True, False)
    for add in (True, False)
}

_ASKED = unpacked("asked")

_LOCK = (
    select(LOCKS.c.owner).where(LOCKS.c.owner.in_(select(_ASKED.c.a))).order_by(LOCKS.c.owner).with_for_update(of=LOCKS)
)

_OWNER = bindparam("owner", type_=TEXT)

_CHILDREN = (
    select(CONTAINERS.c.key)
    .join_from(_ASKED, CONTAINERS, and_(CONTAINERS.c.owner == _ASKED.c.a, CONTAINERS.c.parent_key == _ASKED.c.b))
    .cte("below", recursive=True)
)
_CHILD = CONTAINERS.alias("child")
_BELOW = _CHILDREN.union(
    select(_CHILD.c.key).join_from(
        _CHILDREN, _CHILD, and_(_CHILD.c.owner == _OWNER, _CHILD.c.parent_key == _CHILDREN.c.key)
    )
)

_DELETE_ITEMS_BELOW = delete(ITEMS).where(
    ITEMS.c.owner == _OWNER, ITEMS.c.container_key.in_(select(_BELOW.c.key).union_all(select(_ASKED.c.b)))
)
_DELETE_BELOW = delete(CONTAINERS).where(CONTAINERS.c.owner == _OWNER, CONTAINERS.c.key.in_(select(_BELOW.c.key)))

_DELETE_ITEMS = delete(ITEMS).where(tuple_(ITEMS.c.owner, ITEMS.c.key).in_(select(_ASKED.c.a, _ASKED.c.b)))
_DELETE_LOOSE = delete(ITEMS).where(ITEMS.c.owner == _OWNER, ITEMS.c.container_key.is_(None))
_DELETE_SHELVED = delete(ITEMS).where(tuple_(ITEMS.c.owner, ITEMS.c.container_key).in_(select(_ASKED.c.a, _ASKED.c.b)))
_DELETE_DEFINITIONS = delete(DEFINITIONS).where(
    tuple_(DEFINITIONS.c.provider, DEFINITIONS.c.key).in_(select(_ASKED.c.a, _ASKED.c.b))
)
_DELETE_FITS = delete(FITS).where(tuple_(FITS.c.provider, FITS.c.key).in_(select(_ASKED.c.a, _ASKED.c.b)))
_DELETE_OLD = delete(CHANGES).where(CHANGES.c.owner == _OWNER, CHANGES.c.at < bindparam("before", type_=BigInteger()))
_DELETE_CONTAINERS = delete(CONTAINERS).where(
    tuple_(CONTAINERS.c.owner, CONTAINERS.c.key).in_(select(_ASKED.c.a, _ASKED.c.b))
)
