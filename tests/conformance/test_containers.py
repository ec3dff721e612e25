"""Containers and slots: the tree, its positions, and how they hang together."""

from __future__ import annotations

from typing import Any

from gateway.model.manifest import Capability
from tests.conformance.conftest import Subject, needs

CONTAINER = """query($owner: OwnerInput!, $key: String!) { inventory(owner: $owner) { container(key: $key) {
  __typename id key name kind capacity freeSlots version parent { id key } inventory { id }
  slots { id index key isRequired container { id } item { id key slot { id } container { id } } }
  items(first: 250) { nodes { id key slot { id index } container { id } } totalCount isComplete }
  containers { nodes { id key parent { id } } totalCount }
  descendants { nodes { id key } } } } }"""


async def container(subject: Subject, key: str) -> Any:
    return (await subject.ask(CONTAINER, key=key)).whole()["inventory"]["container"]


@needs(Capability.SLOTS)
async def test_slots_are_in_order_and_agree_with_capacity(subject: Subject) -> None:
    found = await container(subject, subject.world.slotted)
    assert [slot["index"] for slot in found["slots"]] == list(range(found["capacity"]))
    empty = [slot for slot in found["slots"] if slot["item"] is None]
    assert empty
    assert len(empty) == found["freeSlots"]


@needs(Capability.SLOTS)
async def test_links_between_containers_slots_and_items_agree(subject: Subject) -> None:
    found = await container(subject, subject.world.slotted)
    filled = [slot for slot in found["slots"] if slot["item"] is not None]
    for slot in found["slots"]:
        assert slot["container"]["id"] == found["id"]
    for slot in filled:
        assert slot["item"]["slot"]["id"] == slot["id"]
        assert slot["item"]["container"]["id"] == found["id"]
    # The same items by the list as by the slots.
    assert [item["id"] for item in found["items"]["nodes"]] == [slot["item"]["id"] for slot in filled]
    assert [item["slot"]["id"] for item in found["items"]["nodes"]] == [slot["id"] for slot in filled]
    assert found["items"]["totalCount"] == len(filled)


async def test_children_know_their_parent(subject: Subject) -> None:
    assert subject.declares(Capability.NESTED_CONTAINERS) is (subject.world.nested is not None)
    if subject.world.nested is None:
        found = await container(subject, subject.world.slotted)
        assert found["containers"] == {"nodes": [], "totalCount": 0}
        assert found["descendants"] == {"nodes": []}
        return
    found = await container(subject, subject.world.nested)
    children = found["containers"]["nodes"]
    assert children
    assert found["containers"]["totalCount"] == len(children)
    assert {child["parent"]["id"] for child in children} == {found["id"]}
    assert {child["id"] for child in children} <= {below["id"] for below in found["descendants"]["nodes"]}


async def test_an_unknown_container_is_null_without_error(subject: Subject) -> None:
    assert await container(subject, subject.world.unknown_container) is None


async def test_a_malformed_container_is_invalid_input(subject: Subject) -> None:
    for key in subject.world.malformed_containers:
        answer = await subject.ask(CONTAINER, key=key)
        assert answer.data == {"inventory": {"container": None}}, key
        assert answer.codes == ["INVALID_INPUT"], key


async def test_the_top_level_has_no_parents_and_is_complete(subject: Subject) -> None:
    answer = await subject.ask(
        """query($owner: OwnerInput!) { inventory(owner: $owner) {
          containers { nodes { id key parent { id } } totalCount isComplete problems { code } } } }"""
    )
    top = answer.whole()["inventory"]["containers"]
    assert top["nodes"]
    assert top["totalCount"] == len(top["nodes"])
    assert top["isComplete"] is True
    assert top["problems"] == []
    assert {entry["parent"] for entry in top["nodes"]} == {None}


async def test_a_kind_narrows_the_top_level(subject: Subject) -> None:
    query = """query($owner: OwnerInput!, $kind: ContainerKind) { inventory(owner: $owner) {
      containers(kind: $kind) { nodes { id kind } } } }"""
    every = (await subject.ask(query)).whole()["inventory"]["containers"]["nodes"]
    kinds = {entry["kind"] for entry in every}
    assert kinds
    for kind in kinds:
        found = (await subject.ask(query, kind=kind)).whole()["inventory"]["containers"]["nodes"]
        assert found == [entry for entry in every if entry["kind"] == kind]
    # Views are listed only when they are asked for.
    assert "VIEW" not in kinds
    views = (await subject.ask(query, kind="VIEW")).whole()["inventory"]["containers"]["nodes"]
    assert {entry["kind"] for entry in views} <= {"VIEW"}


async def test_depth_bounds_the_tree(subject: Subject) -> None:
    query = """query($owner: OwnerInput!, $key: String!, $depth: Int) { inventory(owner: $owner) {
      container(key: $key) { containers { nodes { id } } descendants(maxDepth: $depth) { nodes { id } } } } }"""
    key = subject.world.nested or subject.world.slotted
    found = (await subject.ask(query, key=key, depth=1)).whole()["inventory"]["container"]
    assert found["descendants"]["nodes"] == found["containers"]["nodes"]
    answer = await subject.ask(query, key=key, depth=0)
    assert answer.codes == ["INVALID_INPUT"]


@needs(Capability.SLOTS)
async def test_the_version_changes_with_the_content(subject: Subject) -> None:
    found = await container(subject, subject.world.slotted)
    before, lying = found["version"], found["items"]["nodes"][0]["key"]
    assert before == (await container(subject, subject.world.slotted))["version"]
    items = (await subject.dialect.gateway.store.owned(_ref(subject))).items  # type: ignore[union-attr] -- seeded
    moved = next(item for item in items if item.key == lying)
    moved.quantity = type(moved.quantity)(moved.quantity - 1)
    async with subject.dialect.gateway.store.writing(_ref(subject)) as writer:
        await writer.put_items([moved])
    assert (await container(subject, subject.world.slotted))["version"] != before


def _ref(subject: Subject) -> Any:
    from gateway.model.ids import OwnerRef

    return OwnerRef(subject.provider.key, subject.world.owner)
