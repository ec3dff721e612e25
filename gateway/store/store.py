"""Store: the one door to the database, for reading, writing, importing and credentials."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Any, Self

from gateway.model.change import PlainChangeSet
from gateway.model.ids import OwnerRef
from gateway.model.ports import Grant, Owned, Record, Reseal, Sealed
from gateway.store.accounts import Accounts
from gateway.store.details import codec_of
from gateway.store.engine import Database, StoreError, run
from gateway.store.grants import Grants, ListedGrant
from gateway.store.migrations import check_revision, migrate
from gateway.store.notices import Notices
from gateway.store.reads import Reads
from gateway.store.tables import owner_text
from gateway.store.writes import Writer, import_records

_MANY = 1_000
"""From how many new rows on the database is told to look at them: until it has, it plans as if there were none."""


class Store(Reads):
    """A database of inventories; see `Reads` for what can be asked.

    A GatewayError is the only exception that leaves a method while the store is in use: `Conflict`, retryable, where
    another write was in the way; `Internal` where the database failed; `InvalidInput` for what cannot be stored.
    """

    def __init__(self, url: str, types: Iterable[type[Any]] = ()) -> None:
        """Name the database: `sqlite:///FILE` (made if absent), `sqlite://` (gone when closed), `postgresql://...`.

        `types` are the concrete graph types that it holds. Nothing is opened before `connect`. Raises StoreError.
        """
        database = Database(url)
        codec = codec_of((*types, PlainChangeSet))
        super().__init__(codec, database.together)
        self._database = database
        self._notices = Notices(database)
        self._grants = Grants(codec, database)
        self._accounts = Accounts(codec, database)

    @classmethod
    async def open(cls, url: str, types: Iterable[type[Any]] = ()) -> Self:
        """Make a store and connect; migrate nothing. Raises StoreError."""
        store = cls(url, types)
        try:
            await store.connect()
        except BaseException:
            await store.aclose()
            raise
        return store

    async def connect(self) -> None:
        """Reach the database, or raise StoreError."""
        await self._database.connect()

    async def start(self) -> None:
        """Connect, and make sure of the tables: an embedded database is migrated, another must have been."""
        await self.connect()
        if self._database.is_sqlite:
            await self.migrate()
        await self.check()

    @property
    def on_statement(self) -> Callable[[str], None] | None:
        """What is called with the text of every statement, transaction control left out; for tests of budgets."""
        return self._database.on_statement

    @on_statement.setter
    def on_statement(self, hook: Callable[[str], None] | None) -> None:
        self._database.on_statement = hook

    async def migrate(self) -> None:
        """Bring the database to the newest revision; several processes may do so at once. Raises StoreError."""
        await migrate(self._database)

    async def check(self) -> None:
        """Raise StoreError unless the database answers and is at the newest revision."""
        await check_revision(self._database)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._notices.aclose()
        await self._database.aclose()

    async def owned(self, ref: OwnerRef, shared_by: str | None = None) -> Owned | None:
        """Give all that is stored of an owner, as of one moment; None for an owner unknown.

        With it come the documents of the owner, and the family of definitions, that it is laid over. Six statements.
        """
        async with self._database.reading() as connection:
            reads = Reads(self._codec, partial(run, connection))
            owner = (await reads.owners([ref])).get(ref)
            if owner is None:
                return None
            return Owned(
                owner=owner,
                facts=await reads.facts_of(ref),
                containers=await reads.containers_of(ref),
                items=await reads.items_of(ref),
                shared=[] if shared_by is None else await reads.facts_of(OwnerRef(ref.provider, shared_by)),
                catalogue=[] if shared_by is None else await reads.definitions_of(ref.provider, shared_by),
            )

    @asynccontextmanager
    async def writing(self, *refs: OwnerRef) -> AsyncGenerator[Writer]:
        """Open a transaction that holds these owners' locks: the one door of every write of inventories.

        It is committed at the end, and undone by any exception.
        """
        async with self._database.writing() as connection:
            writer = Writer(self._codec, connection)
            await writer.lock(*refs)
            yield writer
        self._notices.tell(writer.recorded_for)

    @asynccontextmanager
    async def listening(self, ref: OwnerRef) -> AsyncGenerator[asyncio.Event]:
        """Give an event that is set with each change of an owner's log from now on, whichever process writes it."""
        async with self._notices.listening(owner_text(*ref)) as event:
            yield event

    async def import_records(self, provider: str, records: AsyncIterator[Record] | Iterable[Record]) -> dict[str, int]:
        """Write what an import brings, all or nothing, and count it by word: `owners`, `containers`, `items`, ...

        Later records win over earlier ones. Holdings replace all that the store has below their container, a whole
        Stock all that lies in none, a Catalogue its family; a Container alone is made where it is missing, and left
        as it is where it stands. Each owner touched, and the catalogue, gets an entry `import` in its change log.
        Owners are locked in the order in which they come: two imports at once may each wait for what the other holds,
        and one of them then ends with a retryable Conflict.
        """
        async with self.writing() as writer:
            counts = await import_records(writer, provider, records)
        if sum(counts.values()) >= _MANY:
            await self._database.analyze()
        return counts

    async def add_grant(
        self,
        provider: str,
        part: str,
        secret: str,
        *,
        owner: str,
        label: str,
        scopes: Sequence[str],
        facts: object,
        made_at: datetime,
        expires_at: datetime | None,
    ) -> None:
        """Keep a credential made for our own dialect, of its secret only the hash; `label` names it from then on.

        Those of the provider that expired a month before are forgotten.

        Raises Conflict where a credential in force has that label.
        """
        await self._grants.add(
            provider,
            part,
            secret,
            owner=owner,
            label=label,
            scopes=scopes,
            facts=facts,
            made_at=made_at,
            expires_at=expires_at,
        )

    async def grant(self, provider: str, part: str, secret: str, now: datetime) -> Grant | None:
        """Give what a credential allows; None for one that is unknown, another part's, or revoked by then.

        One that has expired is given too: `expires_at` tells.
        """
        return await self._grants.find(provider, part, secret, now)

    async def grants(self, provider: str) -> list[ListedGrant]:
        """List a provider's credentials, the revoked ones too."""
        return await self._grants.listed(provider)

    async def revoke_grant(self, provider: str, label: str) -> bool:
        """End a credential at once; False where none of that label is in force."""
        return await self._grants.revoke(provider, label)

    async def accounts_of(self, subject: str) -> list[Sealed]:
        """List the accounts that a principal linked."""
        return await self._accounts.of(subject)

    async def put_account(self, subject: str, owner: OwnerRef, sealed: str, at: datetime) -> None:
        """Keep an account that a principal links, in the place of the one of that provider before."""
        await self._accounts.put(subject, owner, sealed, at)

    async def replace_seal(self, subject: str, provider: str, before: str, sealed: str) -> bool:
        """Put another seal on an account; False where it has another than `before` by now, or is gone."""
        return await self._accounts.replace_seal(subject, provider, before, sealed)

    async def remove_account(self, subject: str, provider: str) -> Sealed | None:
        """Forget an account, and give what it was; None where there is none."""
        return await self._accounts.remove(subject, provider)

    async def reseal_accounts(self, seal: Reseal) -> int:
        """Put another seal on every account, all or none, and count them; one that is given none is forgotten."""
        return await self._accounts.reseal(seal)


__all__ = ["Store", "StoreError"]
