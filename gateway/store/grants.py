"""Grants: the credentials made for our own REST dialects, of which only a hash of the secret is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
from sqlalchemy import BigInteger, bindparam, delete, insert, or_, select, update

from gateway.model.errors import Conflict
from gateway.model.ids import OwnerRef
from gateway.model.ports import Grant, Holder
from gateway.model.positions import microseconds, moment_of
from gateway.store.details import Codec
from gateway.store.engine import Database
from gateway.store.rows import checked, stamp, storable
from gateway.store.tables import GRANTS, TEXT
from gateway.store.writes import Writer

_REMEMBERED = timedelta(days=30)
"""How long a credential that has expired can be told from one that never was."""


_LOCK = "grants:"
"""What is locked to make one, in the place of an owner: not the catalogue, whose imports take long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedGrant:
    """A credential as lists show it: everything but the secret, which nobody knows."""

    part: str
    label: str
    owner: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class Grants:
    """The credentials that the gateway made."""

    def __init__(self, codec: Codec, database: Database) -> None:
        self._codec = codec
        self._database = database

    async def add(
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
        """Keep a credential; Conflict where the secret is known, or the label names one that is not revoked."""
        type_name, details = self._codec.encode(facts)
        row = checked(
            {
                "provider": provider,
                "hash": _hash(secret),
                "part": part,
                "owner_key": owner,
                "label": label,
                "scopes": orjson.dumps(list(scopes)).decode(),
                "type": type_name,
                "details": details,
                "created_at": microseconds(made_at),
                "expires_at": stamp(expires_at, "expires_at"),
                "revoked_at": None,
            }
        )
        async with self._database.writing() as connection:
            await Writer(self._codec, connection).lock(OwnerRef(provider, _LOCK))
            old = {"at_provider": provider, "before": microseconds(made_at - _REMEMBERED)}
            await connection.execute(_FORGET, old)
            known = {"at_provider": provider, "hashed": row["hash"], "labelled": label}
            if (await connection.execute(_TAKEN, known)).first() is not None:
                raise Conflict(f"There is a credential called {label!r} already.")
            await connection.execute(insert(GRANTS), row)

    async def find(self, provider: str, part: str, secret: str, now: datetime) -> Grant | None:
        """Give what a secret allows; None for one that is unknown or revoked by then. One that has expired is given."""
        if not storable(secret):
            return None
        values = {"at_provider": provider, "of_part": part, "hashed": _hash(secret), "now": microseconds(now)}
        for owner, scopes, type_name, details, expires_at in await self._database.rows(_FIND, values):
            return Grant(
                holder=Holder(owner, part),
                scopes=tuple(orjson.loads(scopes)),
                facts=self._codec.decode(type_name, details),
                expires_at=None if expires_at is None else moment_of(expires_at),
            )
        return None

    async def listed(self, provider: str) -> list[ListedGrant]:
        """List a provider's credentials, the revoked ones too, by label and age."""
        return [
            ListedGrant(
                part=part,
                label=label,
                owner=owner,
                scopes=tuple(orjson.loads(scopes)),
                created_at=moment_of(created_at),
                expires_at=None if expires_at is None else moment_of(expires_at),
                revoked_at=None if revoked_at is None else moment_of(revoked_at),
            )
            for part, label, owner, scopes, created_at, expires_at, revoked_at in await self._database.rows(
                _LISTED, {"at_provider": provider}
            )
        ]

    async def revoke(self, provider: str, label: str) -> bool:
        """End a credential at once; False where none of that label is in force."""
        if not storable(label):
            return False
        values = {"at_provider": provider, "labelled": label, "now": microseconds(datetime.now(UTC))}
        async with self._database.writing() as connection:
            return (await connection.execute(_REVOKE, values)).rowcount > 0


def _hash(secret: str) -> str:
    # Plain and fast is enough: the secrets are long and random, so that nobody can try them out.
    return hashlib.blake2b(secret.encode(), digest_size=32).hexdigest()


# An UPDATE keeps the names of its columns for itself, so the parameters have others.
_PROVIDER = GRANTS.c.provider == bindparam("at_provider", type_=TEXT)
_LABEL = GRANTS.c.label == bindparam("labelled", type_=TEXT)
_HASH = GRANTS.c.hash == bindparam("hashed", type_=TEXT)
_NOW = bindparam("now", type_=BigInteger())

_FIND = select(GRANTS.c.owner_key, GRANTS.c.scopes, GRANTS.c.type, GRANTS.c.details, GRANTS.c.expires_at).where(
    _PROVIDER,
    GRANTS.c.part == bindparam("of_part", type_=TEXT),
    _HASH,
    or_(GRANTS.c.revoked_at.is_(None), GRANTS.c.revoked_at > _NOW),
)

_TAKEN = select(GRANTS.c.hash).where(_PROVIDER, or_(_HASH, _LABEL & GRANTS.c.revoked_at.is_(None)))

_FORGET = delete(GRANTS).where(_PROVIDER, GRANTS.c.expires_at < bindparam("before", type_=BigInteger()))

_LISTED = (
    select(
        GRANTS.c.part,
        GRANTS.c.label,
        GRANTS.c.owner_key,
        GRANTS.c.scopes,
        GRANTS.c.created_at,
        GRANTS.c.expires_at,
        GRANTS.c.revoked_at,
    )
    .where(_PROVIDER)
    .order_by(GRANTS.c.label, GRANTS.c.created_at)
)

_REVOKE = update(GRANTS).where(_PROVIDER, _LABEL, GRANTS.c.revoked_at.is_(None)).values(revoked_at=_NOW)
