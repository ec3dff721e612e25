"""Over sockets an upstream tells of owners what the local store does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.e2e.conftest import WORLD, Pair, owner
from tests.gateways import NOW


@pytest.mark.parametrize("key", [WORLD.unknown_owner, WORLD.other_owner, *WORLD.malformed_owners, "me"])
def test_owners_are_known_unknown_and_refused_alike(pair: Pair, key: str) -> None:
    query = """query($owner: OwnerInput!) {
        inventoryOwner(owner: $owner) { key name details { __typename } inventory { id } }
        inventory(owner: $owner) { isVisible items { totalCount } } }"""
    pair.ask(query, owner=owner(key))


@pytest.mark.parametrize(
    "key", [WORLD.definition, WORLD.unheld, WORLD.unknown_definition, *WORLD.malformed_definitions]
)
def test_ownership_is_told_alike(pair: Pair, key: str) -> None:
    query = "query($owner: OwnerInput!, $key: String!) { inventoryOwner(owner: $owner) { owns(definitionKey: $key) } }"
    pair.ask(query, owner=owner(), key=key)


DETAILS = """query($owner: OwnerInput!) { inventoryOwner(owner: $owner) { name details { ... on GuildWars2Account {
    id name age world guilds guildLeader created access commander lastModified fractalLevel dailyAp monthlyAp
    buildStorageSlots wvw { teamId rank } token { id name permissions type issuedAt expiresAt urls } } } } }"""


def test_what_the_service_tells_of_an_owner_is_alike(pair: Pair) -> None:
    details = pair.ask(DETAILS, owner=owner()).whole()["inventoryOwner"]["details"]
    assert details["token"]["permissions"]
    lasting = pair.mint(expires_at=NOW + timedelta(days=1))
    assert pair.ask(DETAILS, owner=owner(), headers=lasting).whole()["inventoryOwner"]["details"]["token"]
