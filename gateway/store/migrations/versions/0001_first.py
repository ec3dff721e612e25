"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table("locks", sa.Column("owner", TEXT, primary_key=True))
    op.create_table(
        "owners",
        sa.Column("owner", TEXT, primary_key=True),
        sa.Column("provider", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("name", TEXT),
    )
    op.create_index("owners_by_provider", "owners", ["provider", "key"])
    op.create_table(
        "facts",
        sa.Column("owner", TEXT, primary_key=True),
        sa.Column("kind", TEXT, primary_key=True),
        sa.Column("key", TEXT, primary_key=True),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("details", sa.String(), nullable=False),
    )
    op.create_table(
        "containers",
        sa.Column("owner", TEXT, primary_key=True),
        sa.Column("key", TEXT, primary_key=True),
        sa.Column("parent_key", TEXT),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("role", TEXT),
        sa.Column("name", TEXT),
        sa.Column("definition_key", TEXT),
        sa.Column("sort", TEXT, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("details", sa.String(), nullable=False),
    )
    op.create_index("containers_by_parent", "containers", ["owner", "parent_key", "sort", "key"])
    told = sa.text("role IS NOT NULL")
    op.create_index("containers_by_role", "containers", ["owner", "role"], postgresql_where=told, sqlite_where=told)
    op.create_table(
        "items",
        sa.Column("owner", TEXT, primary_key=True),
        sa.Column("key", TEXT, primary_key=True),
        sa.Column("container_key", TEXT),
        sa.Column("slot_key", TEXT),
        sa.Column("definition_key", TEXT),
        sa.Column("linked_key", TEXT),
        sa.Column("name", TEXT),
        sa.Column("folded", TEXT),
        sa.Column("kind", TEXT),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("is_collectible", sa.Boolean, nullable=False),
        sa.Column("serial", sa.BigInteger),
        sa.Column("acquired_at", sa.BigInteger),
        sa.Column("sort", TEXT, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("details", sa.String(), nullable=False),
    )
    op.create_index("items_by_container", "items", ["owner", "container_key", "sort"])
    op.create_index("items_by_owner", "items", ["owner", "sort"])
    op.create_index("items_by_definition", "items", ["owner", "definition_key", "quantity"])
    told = sa.text("linked_key IS NOT NULL")
    op.create_index("items_by_link", "items", ["owner", "linked_key"], postgresql_where=told, sqlite_where=told)
    op.create_index(
        "items_by_collectible",
        "items",
        ["owner", "sort"],
        postgresql_where=sa.text("is_collectible IS true"),
        sqlite_where=sa.text("is_collectible IS 1"),
    )
    op.create_table(
        "definitions",
        sa.Column("provider", TEXT, primary_key=True),
        sa.Column("key", TEXT, primary_key=True),
        sa.Column("family", TEXT, nullable=False),
        sa.Column("sort", TEXT, nullable=False),
        sa.Column("kind", TEXT),
        sa.Column("name", TEXT),
        sa.Column("folded", TEXT),
        sa.Column("rarity", TEXT),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("details", sa.String(), nullable=False),
    )
    op.create_index("definitions_by_family", "definitions", ["provider", "family", "sort", "key"])
    op.create_table(
        "fits",
        sa.Column("provider", TEXT, primary_key=True),
        sa.Column("slot", TEXT, primary_key=True),
        sa.Column("sort", TEXT, primary_key=True),
        sa.Column("key", TEXT, primary_key=True),
    )
    op.create_index("fits_by_definition", "fits", ["provider", "key"])
    op.create_table(
        "grants",
        sa.Column("provider", TEXT, primary_key=True),
        sa.Column("hash", TEXT, primary_key=True),
        sa.Column("part", TEXT, nullable=False),
        sa.Column("owner_key", TEXT, nullable=False),
        sa.Column("label", TEXT, nullable=False),
        sa.Column("scopes", sa.String(), nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("details", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("revoked_at", sa.BigInteger),
    )
    op.create_index("grants_by_label", "grants", ["provider", "label"])
    op.create_index("grants_by_expiry", "grants", ["provider", "expires_at"])
    op.create_table(
        "accounts",
        sa.Column("subject", TEXT, primary_key=True),
        sa.Column("provider", TEXT, primary_key=True),
        sa.Column("owner_key", TEXT, nullable=False),
        sa.Column("sealed", sa.String(), nullable=False),
        sa.Column("linked_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "changes",
        sa.Column("owner", TEXT, primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("transaction_id", TEXT),
        sa.Column("input_hash", TEXT),
        sa.Column("verb", TEXT, nullable=False),
        sa.Column("body", sa.String(), nullable=False),
    )
    op.create_index("changes_by_time", "changes", ["owner", "at"])
    op.create_index("changes_by_transaction", "changes", ["owner", "transaction_id"], unique=True)


def downgrade() -> None:
    tables = "changes accounts grants fits definitions items containers facts owners locks"
    for table in tables.split():
        op.drop_table(table)
