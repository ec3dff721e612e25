"""Grants: a credential of ours is known by its secret, of which nothing is kept but a hash."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from gateway.model.errors import Conflict
from gateway.model.ports import Grant, Holder
from gateway.store.store import Store
from gateway.store.tables import GRANTS

from .game import GameAccount

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FACTS = GameAccount(world=1, created=NOW, guilds=[])


async def add(store: Store, secret: str, label: str, expires_at: datetime | None = None) -> None:
    await store.add_grant(
        "guildwars2",
        "key",
        secret,
        owner="Ann.1234",
        label=label,
        scopes=("account", "inventories"),
        facts=FACTS,
        made_at=NOW,
        expires_at=expires_at,
    )


async def test_a_grant_is_found_by_its_secret(store: Store) -> None:
    await add(store, "secret", "one", NOW)
    grant = Grant(holder=Holder("Ann.1234", "key"), scopes=("account", "inventories"), facts=FACTS, expires_at=NOW)
    assert await store.grant("guildwars2", "key", "secret", NOW - timedelta(days=1)) == grant
    assert await store.grant("guildwars2", "key", "secret", NOW + timedelta(days=1)) == grant
    for provider, secret in (
        ("guildwars2", "secret2"),
        ("roblox", "secret"),
        ("guildwars2", "a\0"),
        ("guildwars2", ""),
    ):
        assert await store.grant(provider, "key", secret, NOW) is None


async def test_a_revoked_grant_is_none(store: Store) -> None:
    await add(store, "secret", "one")
    assert await store.revoke_grant("guildwars2", "two") is False
    assert await store.revoke_grant("guildwars2", "one") is True
    assert await store.revoke_grant("guildwars2", "one") is False
    assert await store.grant("guildwars2", "key", "secret", datetime.now(UTC)) is None
    (listed,) = await store.grants("guildwars2")
    assert (listed.label, listed.owner, listed.scopes) == ("one", "Ann.1234", ("account", "inventories"))
    assert listed.revoked_at is not None
    assert listed.expires_at is None


async def test_a_label_names_one_grant_in_force(store: Store) -> None:
    await add(store, "secret", "one")
    with pytest.raises(Conflict):
        await add(store, "other", "one")
    await store.revoke_grant("guildwars2", "one")
    await add(store, "other", "one")
    with pytest.raises(Conflict):
        await add(store, "other", "two")


async def test_the_secret_is_nowhere_in_the_store(store: Store) -> None:
    await add(store, "very-secret", "one")
    rows = await store._database.rows(select(GRANTS), {})  # pyright: ignore[reportPrivateUsage]  -- to look inside
    assert "very-secret" not in repr(rows)
