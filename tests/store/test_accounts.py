"""Linked accounts in the store: one of each provider, and a seal that is replaced by who knows the one before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.model.ids import OwnerRef
from gateway.model.ports import Sealed
from gateway.store.store import Store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANN = OwnerRef("guildwars2", "Ann.1234")


async def test_a_later_account_replaces_the_one_of_its_provider_alone(store: Store) -> None:
    other, later = OwnerRef("community", "nova/u_1"), OwnerRef("guildwars2", "Second.1234")
    for owner, sealed in ((ANN, "one"), (other, "two"), (later, "three")):
        await store.put_account("ann", owner, sealed, NOW)
    await store.put_account("bob", ANN, "four", NOW)
    assert await store.accounts_of("ann") == [Sealed(other, NOW, "two"), Sealed(later, NOW, "three")]
    assert await store.remove_account("ann", "guildwars2") == Sealed(later, NOW, "three")
    assert await store.remove_account("ann", "guildwars2") is None
    assert await store.accounts_of("ann") == [Sealed(other, NOW, "two")]
    assert await store.accounts_of("bob") == [Sealed(ANN, NOW, "four")]


async def test_a_seal_is_replaced_by_who_knows_it(store: Store) -> None:
    await store.put_account("ann", ANN, "one", NOW)
    assert await store.replace_seal("ann", "guildwars2", "one", "two")
    assert await store.accounts_of("ann") == [Sealed(ANN, NOW, "two")]
    # Who is late replaces nothing, and brings nothing back.
    assert not await store.replace_seal("ann", "guildwars2", "one", "late")
    assert not await store.replace_seal("bob", "guildwars2", "two", "late")
    assert not await store.replace_seal("ann", "community", "two", "late")
    await store.put_account("ann", ANN, "three", NOW + timedelta(days=1))
    assert not await store.replace_seal("ann", "guildwars2", "two", "late")
    assert await store.accounts_of("ann") == [Sealed(ANN, NOW + timedelta(days=1), "three")]
    assert await store.remove_account("ann", "guildwars2")
    assert not await store.replace_seal("ann", "guildwars2", "three", "late")
    assert await store.accounts_of("ann") == []
