"""Owners and inventories: known, unknown, malformed, the caller's own."""

from __future__ import annotations

import pytest

from gateway.model.manifest import Capability
from tests.conformance.conftest import Subject
from tests.gateways import header, mint, seed

OWNER = "query($owner: OwnerInput!) { inventoryOwner(owner: $owner) { id provider key name details { __typename } } }"
INVENTORY = "query($owner: OwnerInput!) { inventory(owner: $owner) { id isVisible owner { id key } } }"


async def test_a_known_owner_has_its_key_and_name(subject: Subject) -> None:
    owner = (await subject.ask(OWNER)).whole()["inventoryOwner"]
    assert (owner["provider"], owner["key"]) == (subject.name, subject.world.owner)
    assert bool(owner["name"]) is (subject.backend.name not in subject.world.nameless)
    assert owner["details"]["__typename"]


async def test_an_unknown_owner_is_null_without_error(subject: Subject) -> None:
    unknown = subject.to(subject.world.unknown_owner)
    answer = await subject.asked.ask(OWNER, owner=unknown)
    assert answer.whole() == {"inventoryOwner": None}
    assert (await subject.asked.ask(INVENTORY, owner=unknown)).whole() == {"inventory": None}


async def test_a_malformed_owner_is_invalid_input(subject: Subject) -> None:
    for key in subject.world.malformed_owners:
        answer = await subject.asked.ask(INVENTORY, owner=subject.to(key))
        assert answer.data == {"inventory": None}, key
        assert answer.codes == ["INVALID_INPUT"], key
        assert answer.errors[0]["extensions"]["provider"] == subject.name


async def test_me_is_the_owner_of_the_credential(subject: Subject) -> None:
    mine = (await subject.asked.ask(INVENTORY, owner=subject.to(subject.world.me))).whole()
    assert mine == (await subject.ask(INVENTORY)).whole()
    assert mine["inventory"]["owner"]["key"] == subject.world.owner


async def test_me_without_a_credential_is_unauthenticated(subject: Subject) -> None:
    answer = await subject.asked.ask(INVENTORY, headers={}, owner=subject.to(subject.world.me))
    assert answer.data == {"inventory": None}
    assert answer.codes == ["UNAUTHENTICATED"]


async def test_a_bad_credential_is_unauthenticated(subject: Subject) -> None:
    answer = await subject.ask(INVENTORY, headers={header(subject.provider): "not-a-credential"})
    assert answer.data == {"inventory": None}
    assert answer.codes == ["UNAUTHENTICATED"]
    assert "not-a-credential" not in str(answer.body)


async def test_another_owners_inventory_is_there_only_for_those_who_may_read_it(subject: Subject) -> None:
    """Where a credential is good for its own account alone, of others it cannot be told whether they exist."""
    gateway, world = subject.dialect.gateway, subject.world
    await seed(gateway, subject.provider, world.other_documents)
    secret = await mint(gateway, subject.provider, world.other_owner)
    headers = {header(subject.provider): secret}
    seen = (await subject.ask(INVENTORY, headers=headers)).whole()
    may_read = subject.provider.rules.may_read(subject.holder(world.other_owner), world.owner)
    assert seen == ((await subject.ask(INVENTORY)).whole() if may_read else {"inventory": None})
    mine = await subject.asked.ask(INVENTORY, headers=headers, owner=subject.to(world.other_owner))
    assert mine.whole()["inventory"]["owner"]["key"] == world.other_owner


async def test_an_inventory_is_visible_to_its_owner(subject: Subject) -> None:
    assert (await subject.ask(INVENTORY)).whole()["inventory"]["isVisible"] is True


async def test_many_inventories_keep_their_order_and_fail_alone(subject: Subject) -> None:
    keys = [subject.world.unknown_owner, subject.world.owner, subject.world.malformed_owners[0], subject.world.owner]
    answer = await subject.asked.ask(
        "query($owners: [OwnerInput!]!) { inventories(owners: $owners) { owner { key } } }",
        owners=[subject.to(key) for key in keys],
    )
    mine = {"owner": {"key": subject.world.owner}}
    assert answer.data["inventories"] == [None, mine, None, mine]
    assert [(error["path"], error["extensions"]["code"]) for error in answer.errors] == [
        (["inventories", 2], "INVALID_INPUT")
    ]


async def test_a_provider_shows_its_manifest(subject: Subject) -> None:
    answer = await subject.asked.ask("{ inventoryProviders { key title backend capabilities limits { pageSize } } }")
    shown = {entry["key"]: entry for entry in answer.whole()["inventoryProviders"]}[subject.name]
    assert shown["backend"] == subject.backend.name
    assert set(shown["capabilities"]) == {
        capability.name for capability in subject.provider.manifest.capabilities[subject.backend]
    }


async def test_the_viewer_lists_those_whom_the_credential_may_read(subject: Subject) -> None:
    answer = await subject.asked.ask("{ inventoryViewer { owners { key provider name } } }")
    keys = [owner["key"] for owner in answer.whole()["inventoryViewer"]["owners"]]
    held = sorted((subject.world.owner, *subject.world.others))
    # Of a service it is known whose the credential is, where that tells by itself.
    mine = [subject.world.owner] if subject.world.me == "me" else []
    assert sorted(keys) == (held if subject.backend.name == "LOCAL" else mine)


OWNS = "query($owner: OwnerInput!, $key: String!) { inventoryOwner(owner: $owner) { owns(definitionKey: $key) } }"


async def test_what_an_owner_holds_is_told(subject: Subject) -> None:
    if not subject.declares(Capability.OWNERSHIP_CHECK):
        answer = await subject.ask(OWNS, key=subject.world.definition or "x")
        assert answer.codes == ["UNSUPPORTED"]
        return
    held = await subject.ask(OWNS, key=subject.world.definition)
    assert held.whole() == {"inventoryOwner": {"owns": True}}
    unheld = await subject.ask(OWNS, key=subject.world.unheld)
    assert unheld.whole() == {"inventoryOwner": {"owns": False}}
    unknown = await subject.ask(OWNS, key=subject.world.unknown_definition)
    if subject.provider.rules.unknown(subject.world.unknown_definition) is not None:
        # What is in no catalogue does not exist.
        assert (unknown.data, unknown.codes) == ({"inventoryOwner": {"owns": None}}, ["NOT_FOUND"])
    else:
        assert unknown.whole() == {"inventoryOwner": {"owns": False}}


@pytest.mark.parametrize("field", ["owns(definitionKey: $key)"])
async def test_a_malformed_definition_is_invalid_input(subject: Subject, field: str) -> None:
    for key in subject.world.malformed_definitions:
        answer = await subject.ask(
            f"query($owner: OwnerInput!, $key: String!) {{ inventoryOwner(owner: $owner) {{ {field} }} }}", key=key
        )
        expected = "INVALID_INPUT" if subject.declares(Capability.OWNERSHIP_CHECK) else "UNSUPPORTED"
        assert answer.codes == [expected], key
