"""Over sockets an upstream refuses a key that lacks scopes, has expired or is none, where the local store does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.e2e.conftest import CONTAINER, HEADER, PAGE, Pair, owner
from tests.gateways import NOW

EVERYTHING = f"""query($owner: OwnerInput!) {{ inventory(owner: $owner) {{ isVisible
    containers {{ {PAGE} nodes {{ {CONTAINER} slots {{ key }} items {{ {PAGE} }} containers {{ {PAGE} }} }} }}
    items {{ {PAGE} nodes {{ key name }} }} totals {{ {PAGE} }} }}
    inventoryOwner(owner: $owner) {{ name owns(definitionKey: "item:46735") details {{ ... on GuildWars2Account {{ id
    token {{ permissions }} }} }} }} }}"""


@pytest.mark.parametrize(
    "scopes",
    [(), ("account",), ("account", "characters"), ("account", "inventories"), ("account", "characters", "inventories")],
    ids=lambda scopes: ",".join(scopes) or "none",
)
def test_a_key_without_a_scope_is_answered_alike(pair: Pair, scopes: tuple[str, ...]) -> None:
    answer = pair.ask(EVERYTHING, owner=owner(), headers=pair.mint(scopes=scopes))
    assert ("FORBIDDEN" in answer.codes) is (len(scopes) < 3)


def refused_alike(pair: Pair, headers: dict[str, str]) -> str:
    """Ask both with a key that neither takes; the words are those of the one that refuses it."""
    bodies: list[str] = []
    for served in (pair.local, pair.upstream):
        answer = served.ask(EVERYTHING, owner=owner(), headers=headers)
        assert answer.status == 200
        assert answer.data == {"inventory": None, "inventoryOwner": None}
        found = {(error["path"][0], error["extensions"]["code"]) for error in answer.errors}
        assert found == {("inventory", "UNAUTHENTICATED"), ("inventoryOwner", "UNAUTHENTICATED")}
        assert len(answer.errors) == 2
        bodies.append(str(answer.body))
    return "".join(bodies)


@pytest.mark.parametrize("key", ["nothing", "00000000-0000-0000-0000-000000000000", "geheim geheim"])
def test_a_key_that_is_not_accepted_is_refused_by_both(pair: Pair, key: str) -> None:
    assert key not in refused_alike(pair, {HEADER: key})


def test_a_key_that_has_expired_is_refused_by_both(pair: Pair) -> None:
    refused_alike(pair, pair.mint(expires_at=NOW - timedelta(days=1)))
