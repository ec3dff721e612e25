"""The tables; the owner comes first in every key, so that they can be distributed by owner.

A column `owner` holds `<provider>/<owner key>` (see `owner_text`); the part after the slash is empty where a
provider's catalogue is meant. `type` and `details` are what `details.Codec` writes. Times are microseconds since
1970 in UTC. Text compares by code point on both databases, as Python compares it.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, MetaData, String, Table

TEXT = String().with_variant(String(collation="C"), "postgresql")
"""Text that compares by code point: SQLite's own way."""

BODY = String()
"""Text that is never compared."""

METADATA = MetaData()

# What a writer locks first: a row per owner, and one per catalogue.
LOCKS = Table(
    "locks",
    METADATA,
    Column("owner", TEXT, primary_key=True),
)

OWNERS = Table(
    "owners",
    METADATA,
    Column("owner", TEXT, primary_key=True),
    Column("provider", TEXT, nullable=False),
    Column("key", TEXT, nullable=False),
    Column("name", TEXT),
    Index("owners_by_provider", "provider", "key"),
)

FACTS = Table(
    "facts",
    METADATA,
    Column("owner", TEXT, primary_key=True),
    Column("kind", TEXT, primary_key=True),
    Column("key", TEXT, primary_key=True),
    Column("type", TEXT, nullable=False),
    Column("details", BODY, nullable=False),
)

CONTAINERS = Table(
    "containers",
    METADATA,
    Column("owner", TEXT, primary_key=True),
    Column("key", TEXT, primary_key=True),
    Column("parent_key", TEXT),
    Column("kind", TEXT, nullable=False),
    Column("role", TEXT),
    Column("name", TEXT),
    Column("definition_key", TEXT),
    Column("sort", TEXT, nullable=False),
    Column("type", TEXT, nullable=False),
    Column("details", BODY, nullable=False),
    # The key is in it so that a tree is walked in the index alone.
    Index("containers_by_parent", "owner", "parent_key", "sort", "key"),
)

# Most containers have no role, and most items point at nothing: the indexes have only those that do.
Index(
    "containers_by_role",
    CONTAINERS.c.owner,
    CONTAINERS.c.role,
    postgresql_where=CONTAINERS.c.role.is_not(None),
    sqlite_where=CONTAINERS.c.role.is_not(None),
)

ITEMS = Table(
    "items",
    METADATA,
    Column("owner", TEXT, primary_key=True),
    Column("key", TEXT, primary_key=True),
    Column("container_key", TEXT),
    Column("slot_key", TEXT),
    Column("definition_key", TEXT),
    Column("linked_key", TEXT),
    Column("name", TEXT),
    Column("folded", TEXT),
    Column("kind", TEXT),
    Column("quantity", BigInteger, nullable=False),
    Column("is_collectible", Boolean, nullable=False),
    Column("serial", BigInteger),
    Column("acquired_at", BigInteger),
    Column("sort", TEXT, nullable=False),
    Column("type", TEXT, nullable=False),
    Column("details", BODY, nullable=False),
    Index("items_by_container", "owner", "container_key", "sort"),
    Index("items_by_owner", "owner", "sort"),
    Index("items_by_definition", "owner", "definition_key", "quantity"),
)

# Few are, and they are listed by themselves.
Index(
    "items_by_collectible",
    ITEMS.c.owner,
    ITEMS.c.sort,
    postgresql_where=ITEMS.c.is_collectible.is_(True),
    sqlite_where=ITEMS.c.is_collectible.is_(True),
)

Index(
    "items_by_link",
    ITEMS.c.owner,
    ITEMS.c.linked_key,
    postgresql_where=ITEMS.c.linked_key.is_not(None),
    sqlite_where=ITEMS.c.linked_key.is_not(None),
)

DEFINITIONS = Table(
    "definitions",
    METADATA,
    Column("provider", TEXT, primary_key=True),
    Column("key", TEXT, primary_key=True),
    Column("family", TEXT, nullable=False),
    Column("sort", TEXT, nullable=False),
    Column("kind", TEXT),
    Column("name", TEXT),
    Column("folded", TEXT),
    Column("rarity", TEXT),
    Column("type", TEXT, nullable=False),
    Column("details", BODY, nullable=False),
    # All keys of a family are listed from the index alone.
    Index("definitions_by_family", "provider", "family", "sort", "key"),
)

# Which slots a definition is made for: `slot` is one of the words of `ItemDefinition.fits`.
FITS = Table(
    "fits",
    METADATA,
    Column("provider", TEXT, primary_key=True),
    Column("slot", TEXT, primary_key=True),
    Column("sort", TEXT, primary_key=True),
    Column("key", TEXT, primary_key=True),
    Index("fits_by_definition", "provider", "key"),
)

GRANTS = Table(
    "grants",
    METADATA,
    Column("provider", TEXT, primary_key=True),
    Column("hash", TEXT, primary_key=True),
    Column("part", TEXT, nullable=False),
    Column("owner_key", TEXT, nullable=False),
    Column("label", TEXT, nullable=False),
    Column("scopes", BODY, nullable=False),
    Column("type", TEXT, nullable=False),
    Column("details", BODY, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Index("grants_by_label", "provider", "label"),
    Index("grants_by_expiry", "provider", "expires_at"),
)

# What principals left in the vault: `sealed` is for its keys alone.
ACCOUNTS = Table(
    "accounts",
    METADATA,
    Column("subject", TEXT, primary_key=True),
    Column("provider", TEXT, primary_key=True),
    Column("owner_key", TEXT, nullable=False),
    Column("sealed", BODY, nullable=False),
    Column("linked_at", BigInteger, nullable=False),
)

CHANGES = Table(
    "changes",
    METADATA,
    Column("owner", TEXT, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("transaction_id", TEXT),
    Column("input_hash", TEXT),
    Column("verb", TEXT, nullable=False),
    Column("body", BODY, nullable=False),
    # How long it is kept.
    Index("changes_by_time", "owner", "at"),
    # Where there is no transaction id both databases take every null for another one.
    Index("changes_by_transaction", "owner", "transaction_id", unique=True),
)


def owner_text(provider: str, owner: str) -> str:
    """Name an owner in one text; no provider's key has a slash, so that no two owners share one."""
    return f"{provider}/{owner}"
