"""Accounts: the credentials that principals had kept here, sealed; the store cannot read what it holds of them."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from sqlalchemy import bindparam, delete, insert, select, update

from gateway.model.ids import OwnerRef
from gateway.model.ports import Reseal, Sealed
from gateway.model.positions import moment_of
from gateway.store.details import Codec
from gateway.store.engine import Database, run
from gateway.store.rows import checked, stamp, storable
from gateway.store.tables import ACCOUNTS, TEXT
from gateway.store.writes import Writer

_LOCK = OwnerRef("", "accounts")
"""What is locked to change any, in the place of an owner."""


class Accounts:
    """The accounts that principals linked: one of each provider."""

    def __init__(self, codec: Codec, database: Database) -> None:
        self._codec = codec
        self._database = database

    async def of(self, subject: str) -> list[Sealed]:
        """List a principal's accounts; one statement."""
        if not storable(subject):
            return []
        rows = await self._database.rows(_OF, {"of_subject": subject})
        return [Sealed(OwnerRef(provider, owner), moment_of(at), sealed) for provider, owner, sealed, at in rows]

    async def put(self, subject: str, owner: OwnerRef, sealed: str, at: datetime) -> None:
        """Keep an account, in the place of the one of that provider before."""
        row = checked(
            {
                "subject": subject,
                "provider": owner.provider,
                "owner_key": owner.owner,
                "sealed": sealed,
                "linked_at": stamp(at, "linked_at"),
            }
        )
        async with self._database.writing() as connection:
            await Writer(self._codec, connection).lock(_LOCK)
            await connection.execute(_REMOVE, {"of_subject": subject, "at_provider": owner.provider})
            await connection.execute(insert(ACCOUNTS), row)

    async def replace_seal(self, subject: str, provider: str, before: str, sealed: str) -> bool:
        """Put another seal on an account; False where it has another than `before` by now, or is gone."""
        async with self._database.writing() as connection:
            await Writer(self._codec, connection).lock(_LOCK)
            values = {"of_subject": subject, "at_provider": provider, "before": before, "resealed": sealed}
            return (await connection.execute(_REPLACE, values)).rowcount == 1

    async def remove(self, subject: str, provider: str) -> Sealed | None:
        """Forget an account, and give what it was; None where there is none."""
        if not storable(subject):
            return None
        async with self._database.writing() as connection:
            await Writer(self._codec, connection).lock(_LOCK)
            values = {"of_subject": subject, "at_provider": provider}
            gone = (await connection.execute(_REMOVE_AND_TELL, values)).first()
        return None if gone is None else Sealed(OwnerRef(provider, gone[0]), moment_of(gone[1]), gone[2])

    async def reseal(self, seal: Reseal) -> int:
        """Put another seal on every account, all or none, and count them; one that is given none is forgotten."""
        async with self._database.writing() as connection:
            await Writer(self._codec, connection).lock(_LOCK)
            (rows,) = await partial(run, connection)([(_ALL, {})])
            for subject, provider, sealed in rows:
                at = {"of_subject": subject, "at_provider": provider}
                resealed = seal(subject, provider, sealed)
                if resealed is None:
                    await connection.execute(_REMOVE, at)
                else:
                    await connection.execute(_RESEAL, {**at, "resealed": resealed})
        return len(rows)


_SUBJECT = ACCOUNTS.c.subject == bindparam("of_subject", type_=TEXT)
_PROVIDER = ACCOUNTS.c.provider == bindparam("at_provider", type_=TEXT)

_OF = (
    select(ACCOUNTS.c.provider, ACCOUNTS.c.owner_key, ACCOUNTS.c.sealed, ACCOUNTS.c.linked_at)
    .where(_SUBJECT)
    .order_by(ACCOUNTS.c.provider)
)
_ALL = select(ACCOUNTS.c.subject, ACCOUNTS.c.provider, ACCOUNTS.c.sealed)
_REMOVE = delete(ACCOUNTS).where(_SUBJECT, _PROVIDER)
_REMOVE_AND_TELL = _REMOVE.returning(ACCOUNTS.c.owner_key, ACCOUNTS.c.linked_at, ACCOUNTS.c.sealed)
_RESEAL = update(ACCOUNTS).where(_SUBJECT, _PROVIDER).values(sealed=bindparam("resealed"))
_REPLACE = _RESEAL.where(ACCOUNTS.c.sealed == bindparam("before", type_=TEXT))
