"""Ids: opaque, stable, the same whatever the backend; and definitions."""

from __future__ import annotations

from typing import Any, cast

from gateway.model.ids import (
    CONTAINER,
    DEFINITION,
    INVENTORY,
    OWNER,
    ContainerRef,
    DefinitionRef,
    OwnerRef,
    encode_id,
)
from tests.conformance.conftest import Subject

TREE = """query($owner: OwnerInput!) { inventory(owner: $owner) { id owner { id }
  items(first: 250, filter: { minQuantity: 0 }) { nodes { id definition { id } slot { id } container { id } } }
  containers { nodes { id containers { nodes { id } } } } } }"""


def ids(value: Any) -> list[str]:
    """Give every id in an answer, in order."""
    if isinstance(value, dict):
        parts = cast("dict[str, Any]", value).items()
        return [found for name, held in parts for found in ([held] if name == "id" else ids(held))]
    return [found for held in cast("list[Any]", value) for found in ids(held)] if isinstance(value, list) else []


async def test_every_id_reads_back_as_the_same_thing(subject: Subject) -> None:
    found = list(dict.fromkeys(ids((await subject.ask(TREE)).whole())))
    assert len(found) > 20
    for start in range(0, len(found), 250):
        chunk = found[start : start + 250]
        answer = await subject.asked.ask("query($ids: [ID!]!) { nodes(ids: $ids) { id __typename } }", ids=chunk)
        assert [node["id"] for node in answer.whole()["nodes"]] == chunk
    answer = await subject.asked.ask("query($id: ID!) { node(id: $id) { id } }", id=found[0])
    assert answer.whole() == {"node": {"id": found[0]}}


async def test_ids_hold_no_me(subject: Subject) -> None:
    named = (await subject.ask(TREE)).whole()
    mine = (await subject.asked.ask(TREE, owner=subject.to(subject.world.me))).whole()
    assert ids(mine) == ids(named)


async def test_ids_are_the_same_upstream_as_in_the_store(subject: Subject) -> None:
    here = (await subject.ask(TREE)).whole()
    there = await subject.dialect.ask(TREE, headers={}, owner=subject.owner)
    assert here == there.whole()


MALFORMED = ("", "x", "not base64 !", "e30", "WyJpdGVtIl0", "W10", "bnVsbA", "a" * 5000, "WyJvd25lciIsIngiXQ")


async def test_a_malformed_id_is_invalid_input(subject: Subject) -> None:
    for bad in MALFORMED:
        answer = await subject.asked.ask("query($id: ID!) { node(id: $id) { id } }", id=bad)
        assert answer.data == {"node": None}
        assert answer.codes == ["INVALID_INPUT"]
        answer = await subject.asked.ask("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=[bad])
        assert answer.data == {"nodes": [None]}
        assert answer.codes == ["INVALID_INPUT"]


async def test_an_id_of_nothing_is_null_without_error(subject: Subject) -> None:
    key, world = subject.provider.key, subject.world
    nothing = [
        encode_id(CONTAINER, ContainerRef(key, world.owner, world.unknown_container)),
        encode_id(CONTAINER, ContainerRef(key, world.unknown_owner, world.slotted)),
        *([encode_id(DEFINITION, DefinitionRef(key, world.unknown_definition))] if world.definition else []),
    ]
    answer = await subject.asked.ask("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=nothing)
    assert answer.whole() == {"nodes": [None] * len(nothing)}


DEFINITIONS = """query($provider: ProviderKey!, $keys: [String!]!) {
  itemDefinitions(provider: $provider, keys: $keys) { id key name kind provider } }"""


async def test_definitions_come_in_the_order_asked(subject: Subject) -> None:
    world = subject.world
    if world.definition is None:
        # Where things have no definitions nothing can be the key of one.
        assert (await subject.asked.ask(DEFINITIONS, provider=subject.name, keys=["x"])).codes == ["INVALID_INPUT"]
        return
    keys = [world.definition, world.unknown_definition, world.unheld, world.definition]
    answer = await subject.asked.ask(DEFINITIONS, provider=subject.name, keys=keys)
    found = answer.whole()["itemDefinitions"]
    assert [entry and entry["key"] for entry in found] == [world.definition, None, world.unheld, world.definition]


async def test_a_malformed_definition_fails_alone(subject: Subject) -> None:
    for bad in subject.world.malformed_definitions:
        known = [key for key in (subject.world.definition,) if key is not None]
        answer = await subject.asked.ask(DEFINITIONS, provider=subject.name, keys=[*known, bad])
        assert [bool(entry) for entry in answer.data["itemDefinitions"]] == [*(True for _ in known), False]
        assert [(error["path"], error["extensions"]["code"]) for error in answer.errors] == [
            (["itemDefinitions", len(known)], "INVALID_INPUT")
        ]


async def test_too_long_lists_are_refused(subject: Subject) -> None:
    answer = await subject.asked.ask(DEFINITIONS, provider=subject.name, keys=["item:1"] * 251)
    assert answer.body["data"] is None
    assert answer.codes == ["INVALID_INPUT"]


async def test_an_id_that_holds_me_is_none(subject: Subject) -> None:
    """It would mean another owner to each caller."""
    for kind in (OWNER, INVENTORY):
        bad = encode_id(kind, OwnerRef(subject.provider.key, "me"))
        answer = await subject.asked.ask("query($id: ID!) { node(id: $id) { id } }", id=bad)
        assert answer.data == {"node": None}
        assert answer.codes == ["INVALID_INPUT"]
