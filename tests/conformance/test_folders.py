"""Folders written to: made, changed, moved, copied, removed; whole or not at all, repeated, conditional, simulated."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.model.ids import CONTAINER, ITEM, ContainerRef, ItemRef, encode_id
from gateway.model.manifest import Capability
from tests.conformance.conftest import Subject, needs
from tests.conformance.worlds import Folders

CHANGES = """changes { createdIds updatedIds movedIds removedIds versions { container version } isSimulated isReplayed
  created { nodes { id } totalCount } }
  errors { __typename code message path provider providerCode retryable
    ... on PreconditionFailedError { currentVersions { container version } } }"""
SHOWN = {
    "container": "container { id name version }",
    "containers": "containers { id name version parent { id } }",
    "items": "items { id name container { id } }",
    "": "",
}
SHOWS = {
    "createContents": "container",
    "ensureSpecialContainer": "container",
    "updateContainers": "containers",
    "updateItems": "items",
    "moveContainers": "containers",
    "moveItems": "items",
    "copyContainers": "containers",
    "copyItems": "items",
    "deleteContainers": "",
    "deleteItems": "",
    "clearContainer": "container",
    "copyContents": "container",
    "moveContents": "container",
    "replaceContents": "container",
}
TREE = """query($owner: OwnerInput!) { inventory(owner: $owner) {
  containers { nodes { id name version descendants(first: 250) { nodes { id name version parent { id }
    items(first: 250) { nodes { id name kind } } } } } }
  items(first: 250) { nodes { id name container { id } } } } }"""


def folders(subject: Subject) -> Folders:
    """Give what can be written to."""
    assert subject.world.folders is not None
    return subject.world.folders


def folder_id(subject: Subject, key: str, owner: str | None = None) -> str:
    return encode_id(CONTAINER, ContainerRef(subject.provider.key, owner or subject.world.owner, key))


def item_id(subject: Subject, key: str) -> str:
    return encode_id(ITEM, ItemRef(subject.provider.key, subject.world.owner, key))


async def do(subject: Subject, verb: str, **given: Any) -> Any:
    taken = verb[0].upper() + verb[1:] + "Input"
    query = f"mutation($input: {taken}!) {{ {verb}(input: $input) {{ {SHOWN[SHOWS[verb]]} {CHANGES} }} }}"
    return (await subject.asked.ask(query, input=given)).whole()[verb]


async def tree(subject: Subject) -> Any:
    return (await subject.ask(TREE)).whole()["inventory"]


async def version(subject: Subject, key: str) -> int:
    query = "query($id: ID!) { node(id: $id) { ... on Container { version } } }"
    answer = await subject.asked.ask(query, id=folder_id(subject, key))
    return int(answer.whole()["node"]["version"])


def codes(payload: Any) -> list[tuple[str, list[str] | None]]:
    return [(error["code"], error["path"]) for error in payload["errors"]]


def versions(payload: Any) -> dict[str, int]:
    return {one["container"]: int(one["version"]) for one in payload["changes"]["versions"]}


@needs(Capability.CREATE_CONTENTS)
async def test_what_is_created_is_there_and_shown(subject: Subject) -> None:
    given = folders(subject)
    before = await version(subject, given.folder)
    payload = await do(
        subject,
        "createContents",
        container=folder_id(subject, given.folder),
        containers=[{"name": "Under"}],
        links=[{"name": "To it", "description": "@1", "target": item_id(subject, given.linked)}],
    )
    assert payload["errors"] == []
    here = folder_id(subject, given.folder)
    assert payload["container"]["version"] == str(before + 1)
    assert versions(payload) == {here: before + 1}
    assert payload["changes"]["created"]["totalCount"] == 2
    assert {one["id"] for one in payload["changes"]["created"]["nodes"]} == {*payload["changes"]["createdIds"]}
    found = await subject.asked.ask(
        """query($ids: [ID!]!) { nodes(ids: $ids) { id ... on Container { label: name version parent { id } }
          ... on Item { name kind container { id } } } }""",
        ids=payload["changes"]["createdIds"],
    )
    nodes = found.whole()["nodes"]
    assert [one.get("label") or one["name"] for one in nodes] == ["Under", "To it"]
    assert {(one.get("parent") or one.get("container"))["id"] for one in nodes} == {here}
    assert await version(subject, given.folder) == before + 1


@needs(Capability.CREATE_CONTENTS)
async def test_one_bad_entry_creates_nothing_and_has_its_path(subject: Subject) -> None:
    given = folders(subject)
    before = await tree(subject)
    here = folder_id(subject, given.folder)
    payload = await do(
        subject,
        "createContents",
        container=here,
        containers=[{"name": "Good"}],
        links=[
            {"name": "x", "target": item_id(subject, given.linked)},
            {"name": "x", "target": item_id(subject, given.unknown)},
        ],
    )
    (error,) = payload["errors"]
    assert error["code"] == "INVALID_INPUT"
    if subject.declares(Capability.ATOMIC_LISTS):
        assert error["path"][:2] == ["links", "1"]
    assert payload["changes"] is None
    missing = await do(
        subject, "createContents", container=folder_id(subject, given.unknown), containers=[{"name": "x"}]
    )
    assert [code for code, _ in codes(missing)] == ["NOT_FOUND"]
    item_in_place = await do(subject, "createContents", container=item_id(subject, given.linked), containers=[])
    assert codes(item_in_place) == [("INVALID_INPUT", ["container"])]
    assert await tree(subject) == before


@needs(Capability.ENSURE_SPECIAL_CONTAINER)
async def test_a_special_container_is_made_once(subject: Subject) -> None:
    given = folders(subject)
    stands = await do(subject, "ensureSpecialContainer", owner=subject.owner, key=given.special)
    assert stands["errors"] == []
    assert stands["changes"]["createdIds"] == stands["changes"]["versions"] == []
    made = await do(subject, "ensureSpecialContainer", owner=subject.to(subject.world.me), key=given.missing)
    assert made["changes"]["createdIds"] == [made["container"]["id"]]
    assert made["container"]["version"] == "1"
    again = await do(subject, "ensureSpecialContainer", owner=subject.owner, key=given.missing)
    assert again["container"] == made["container"]
    bad = await do(subject, "ensureSpecialContainer", owner=subject.owner, key="no such name")
    assert [code for code, _ in codes(bad)] == ["INVALID_INPUT"]


@needs(Capability.UPDATE_CONTAINERS)
async def test_a_container_is_renamed_and_its_versions_rise_once(subject: Subject) -> None:
    given = folders(subject)
    before = await version(subject, given.child)
    here = folder_id(subject, given.child)
    payload = await do(subject, "updateContainers", containers=[{"id": here, "name": "Renamed"}])
    assert payload["errors"] == []
    (shown,) = payload["containers"]
    assert (shown["id"], shown["name"], shown["version"]) == (here, "Renamed", str(before + 1))
    assert payload["changes"]["updatedIds"] == [here]
    nothing = await do(subject, "updateContainers", containers=[{"id": here, "name": "Renamed"}])
    assert nothing["errors"] == []
    assert nothing["changes"]["updatedIds"] == []
    guarded = await do(
        subject, "updateContainers", containers=[{"id": folder_id(subject, given.guarded), "name": "Mine"}]
    )
    assert [code for code, _ in codes(guarded)] == ["FORBIDDEN"]


@needs(Capability.UPDATE_ITEMS)
async def test_items_are_changed_in_place_and_absence_leaves(subject: Subject) -> None:
    given = folders(subject)
    before = await version(subject, given.folder)
    here = item_id(subject, given.linked)
    payload = await do(subject, "updateItems", items=[{"id": here, "name": "Renamed"}])
    assert payload["errors"] == []
    assert payload["items"] == [{"id": here, "name": "Renamed", "container": {"id": folder_id(subject, given.folder)}}]
    assert versions(payload) == {folder_id(subject, given.folder): before + 1}
    mixed = await do(
        subject,
        "updateItems",
        items=[{"id": here, "name": "Again"}, {"id": item_id(subject, given.unknown), "name": "x"}],
    )
    assert codes(mixed) == [("NOT_FOUND", ["items", "1"])]
    shown = await subject.asked.ask("query($id: ID!) { node(id: $id) { ... on Item { name } } }", id=here)
    if subject.declares(Capability.ATOMIC_LISTS):
        assert mixed["changes"] is None
        assert shown.whole()["node"]["name"] == "Renamed"
    else:
        assert mixed["changes"]["updatedIds"] == [here]
        assert shown.whole()["node"]["name"] == "Again"


@needs(Capability.MOVE_CONTAINERS, Capability.MOVE_ITEMS)
async def test_what_is_moved_lies_elsewhere_and_both_versions_rise(subject: Subject) -> None:
    given = folders(subject)
    to, here = folder_id(subject, given.empty), folder_id(subject, given.folder)
    before = await version(subject, given.folder)
    payload = await do(subject, "moveContainers", ids=[folder_id(subject, given.child)], to=to)
    assert payload["errors"] == []
    assert payload["containers"][0]["parent"]["id"] == to
    assert versions(payload) == {here: before + 1, to: 2}
    things = await do(subject, "moveItems", ids=[item_id(subject, key) for key in given.items], to=to)
    assert {one["container"]["id"] for one in things["items"]} == {to}
    assert versions(things) == {here: before + 2, to: 3}
    assert sorted(things["changes"]["movedIds"]) == sorted(item_id(subject, key) for key in given.items)
    inside = await do(subject, "moveContainers", ids=[to], to=folder_id(subject, given.child))
    assert [code for code, _ in codes(inside)] == ["INVALID_INPUT"]
    still = await do(subject, "moveItems", ids=[item_id(subject, given.items[0])], to=to)
    assert still["errors"] == []
    assert still["changes"]["movedIds"] == still["changes"]["versions"] == []
    nowhere = await do(
        subject, "moveItems", ids=[item_id(subject, given.items[0])], to=folder_id(subject, given.unknown)
    )
    assert codes(nowhere) == [("NOT_FOUND", ["to"])]
    guarded = await do(subject, "moveContainers", ids=[folder_id(subject, given.guarded)], to=to)
    assert codes(guarded) == [("FORBIDDEN", ["ids", "0"])]


@needs(Capability.MOVE_CONTAINERS)
async def test_crossing_moves_never_make_a_circle(subject: Subject) -> None:
    given = folders(subject)
    one, other = folder_id(subject, given.folder), folder_id(subject, given.empty)
    results = await asyncio.gather(
        do(subject, "moveContainers", ids=[one], to=other), do(subject, "moveContainers", ids=[other], to=one)
    )
    assert sorted(len(payload["errors"]) for payload in results) == [0, 1]
    found = await tree(subject)
    assert {one, other} <= {node["id"] for node in found["containers"]["nodes"][0]["descendants"]["nodes"]}


@needs(Capability.COPY_CONTAINERS)
async def test_a_copy_is_new_and_whole(subject: Subject) -> None:
    given = folders(subject)
    to = folder_id(subject, given.empty)
    payload = await do(subject, "copyContainers", ids=[folder_id(subject, given.folder)], to=to)
    assert payload["errors"] == []
    (copy,) = payload["containers"]
    assert copy["parent"]["id"] == to
    # What cannot be copied is moved.
    assert payload["changes"]["movedIds"] == [item_id(subject, given.fixed)]
    assert len(payload["changes"]["createdIds"]) == 4
    shallow = await do(subject, "copyContainers", ids=[copy["id"]], to=to, depth=0)
    assert shallow["errors"] == []
    assert len(shallow["containers"]) == 1
    inside = await do(subject, "copyContainers", ids=[to], to=copy["id"])
    assert inside["errors"] == []
    gone = await do(subject, "copyContainers", ids=[folder_id(subject, given.unknown)], to=to)
    assert codes(gone) == [("GONE", ["ids", "0"])]


@needs(Capability.COPY_CONTAINERS, Capability.ATOMIC_LISTS)
async def test_what_is_shared_is_copied_out_and_nothing_into_it(subject: Subject) -> None:
    given = folders(subject)
    owner, key = given.library
    source, to = folder_id(subject, key, owner), folder_id(subject, given.empty)
    payload = await do(subject, "copyContainers", ids=[source], to=to)
    assert payload["errors"] == []
    assert payload["containers"][0]["parent"]["id"] == to
    assert payload["changes"]["movedIds"] == []
    back = await do(subject, "copyContainers", ids=[to], to=source)
    assert [code for code, _ in codes(back)] == ["FORBIDDEN"]
    renamed = await do(subject, "updateContainers", containers=[{"id": source, "name": "Mine"}])
    assert [code for code, _ in codes(renamed)] == ["FORBIDDEN"]


@needs(Capability.COPY_ITEMS)
async def test_items_are_copied_unless_they_may_not_be(subject: Subject) -> None:
    given = folders(subject)
    to = folder_id(subject, given.empty)
    payload = await do(subject, "copyItems", ids=[item_id(subject, given.linked), item_id(subject, given.link)], to=to)
    assert payload["errors"] == []
    assert {one["container"]["id"] for one in payload["items"]} == {to}
    before = await tree(subject)
    refused = await do(subject, "copyItems", ids=[item_id(subject, given.linked), item_id(subject, given.fixed)], to=to)
    assert [code for code, _ in codes(refused)] == ["FORBIDDEN"]
    assert await tree(subject) == before


@needs(Capability.DELETE_CONTAINERS, Capability.DELETE_ITEMS)
async def test_what_is_removed_takes_what_lies_in_it_and_what_points_at_it(subject: Subject) -> None:
    given = folders(subject)
    links = await version(subject, given.links)
    payload = await do(subject, "deleteContainers", ids=[folder_id(subject, given.folder)])
    assert payload["errors"] == []
    removed = payload["changes"]["removedIds"]
    assert {folder_id(subject, given.folder), folder_id(subject, given.child)} <= {*removed}
    assert {item_id(subject, key) for key in (*given.items, given.link)} <= {*removed}
    assert versions(payload)[folder_id(subject, given.links)] == links + 1
    answer = await subject.asked.ask("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=removed)
    assert answer.whole()["nodes"] == [None] * len(removed)
    again = await do(subject, "deleteContainers", ids=[folder_id(subject, given.folder)])
    assert codes(again) == [("GONE", ["ids", "0"])]
    gone = await do(subject, "deleteItems", ids=[item_id(subject, given.linked)])
    assert codes(gone) == [("GONE", ["ids", "0"])]
    guarded = await do(subject, "deleteContainers", ids=[folder_id(subject, given.guarded)])
    assert [code for code, _ in codes(guarded)] == ["FORBIDDEN"]


@needs(Capability.CLEAR_CONTAINER)
@pytest.mark.parametrize(("what", "left"), [("ALL", 0), ("ITEMS", 1), ("LINKS", 3), ("CONTAINERS", 2)])
async def test_a_part_of_a_container_is_cleared(subject: Subject, what: str, left: int) -> None:
    given = folders(subject)
    here = folder_id(subject, given.folder)
    before = await version(subject, given.folder)
    payload = await do(subject, "clearContainer", container=here, what=what)
    assert payload["errors"] == []
    answer = await subject.asked.ask(
        """query($id: ID!) { node(id: $id) { ... on Container {
          version containers { totalCount } items { totalCount } } } }""",
        id=here,
    )
    node = answer.whole()["node"]
    assert node["containers"]["totalCount"] + node["items"]["totalCount"] == left
    assert int(node["version"]) == before + (what != "LINKS")


@needs(Capability.MOVE_CONTENTS, Capability.COPY_CONTENTS)
async def test_the_contents_of_a_container_are_copied_and_moved(subject: Subject) -> None:
    given = folders(subject)
    here, to = folder_id(subject, given.folder), folder_id(subject, given.empty)
    copied = await do(subject, "copyContents", container=here, what="CONTAINERS", to=to)
    assert copied["errors"] == []
    assert copied["container"]["id"] == to
    assert len(copied["changes"]["createdIds"]) == 2
    kept = await do(subject, "copyContents", container=here, what="ITEMS", to=to)
    assert [code for code, _ in codes(kept)] == ["FORBIDDEN"]
    everything = await do(subject, "copyContents", container=here, what="ALL", to=to, depth=0)
    assert everything["changes"]["movedIds"] == [item_id(subject, given.fixed)]
    moved = await do(subject, "moveContents", container=here, what="ALL", to=to)
    assert moved["errors"] == []
    assert len(moved["changes"]["movedIds"]) == 2
    inside = await do(subject, "moveContents", container=to, what="ALL", to=folder_id(subject, given.child))
    assert [code for code, _ in codes(inside)] == ["INVALID_INPUT"]


@needs(Capability.REPLACE_CONTENTS)
async def test_links_are_replaced_in_one_step(subject: Subject) -> None:
    given = folders(subject)
    here = folder_id(subject, given.links)
    before = await version(subject, given.links)
    links = [{"name": "One", "description": "@1", "target": item_id(subject, given.linked)}]
    payload = await do(subject, "replaceContents", container=here, what="LINKS", links=links)
    assert payload["errors"] == []
    assert versions(payload) == {here: before + 1}
    assert item_id(subject, given.link) in payload["changes"]["removedIds"]
    answer = await subject.asked.ask(
        "query($id: ID!) { node(id: $id) { ... on Container { items { nodes { id name } } } } }", id=here
    )
    assert answer.whole()["node"]["items"]["nodes"] == [{"id": payload["changes"]["createdIds"][0], "name": "One"}]
    bad = await do(
        subject,
        "replaceContents",
        container=here,
        what="LINKS",
        links=[*links, {"name": "x", "target": item_id(subject, given.unknown)}],
    )
    assert [code for code, _ in codes(bad)] == ["INVALID_INPUT"]
    assert await version(subject, given.links) == before + 1
    other = await do(subject, "replaceContents", container=here, what="LINKS", containers=[{"name": "x"}])
    assert len(other["errors"]) == 1


@needs(Capability.CREATE_CONTENTS, Capability.TRANSACTIONS)
async def test_a_repeat_answers_the_first_result(subject: Subject) -> None:
    given = folders(subject)
    call = {"container": folder_id(subject, given.folder), "containers": [{"name": "Once"}], "transactionId": "once"}
    first = await do(subject, "createContents", **call)
    again = await do(subject, "createContents", **call)
    assert again["changes"] == {**first["changes"], "isReplayed": True}
    assert again["container"] == first["container"]
    other = await do(subject, "createContents", **{**call, "containers": [{"name": "Twice"}]})
    assert codes(other) == [("DUPLICATE_TRANSACTION", ["transactionId"])]
    elsewhere = await do(subject, "deleteItems", ids=[item_id(subject, given.linked)], transactionId="once")
    assert codes(elsewhere) == [("DUPLICATE_TRANSACTION", ["transactionId"])]


@needs(Capability.UPDATE_CONTAINERS, Capability.CONDITIONAL_WRITES)
async def test_a_write_is_held_to_versions(subject: Subject) -> None:
    given = folders(subject)
    here = folder_id(subject, given.folder)
    before = await version(subject, given.folder)
    change = [{"id": folder_id(subject, given.child), "name": "Renamed"}]
    stale = await do(
        subject, "updateContainers", containers=change, ifMatch=[{"container": here, "version": str(before - 1)}]
    )
    (error,) = stale["errors"]
    assert (error["__typename"], error["code"]) == ("PreconditionFailedError", "PRECONDITION_FAILED")
    assert error["currentVersions"] == [{"container": here, "version": str(before)}]
    good = await do(
        subject, "updateContainers", containers=change, ifMatch=[{"container": here, "version": str(before)}]
    )
    assert good["errors"] == []


@needs(Capability.CREATE_CONTENTS, Capability.SIMULATE)
async def test_simulation_tells_the_same_and_writes_nothing(subject: Subject) -> None:
    given = folders(subject)
    before = await tree(subject)
    here, to = folder_id(subject, given.folder), folder_id(subject, given.empty)
    for verb, call in (
        ("createContents", {"container": here, "containers": [{"name": "New"}]}),
        ("updateContainers", {"containers": [{"id": folder_id(subject, given.child), "name": "Renamed"}]}),
        ("updateItems", {"items": [{"id": item_id(subject, given.linked), "name": "Renamed"}]}),
        ("copyContainers", {"ids": [here], "to": to}),
        ("deleteContainers", {"ids": [here]}),
    ):
        simulated = await do(subject, verb, **call, simulate=True)
        assert simulated["errors"] == []
        assert simulated["changes"]["isSimulated"] is True
        assert await tree(subject) == before
        created = simulated["changes"]["created"]
        assert [one["id"] for one in created["nodes"]] == simulated["changes"]["createdIds"]
    real = await do(subject, "deleteContainers", ids=[here])
    assert real["changes"] == {**simulated["changes"], "isSimulated": False}


@needs(Capability.DELETE_CONTAINERS, Capability.DELETE_ITEMS)
async def test_a_list_that_is_empty_repeats_or_is_too_long_is_refused(subject: Subject) -> None:
    given = folders(subject)
    before = await tree(subject)
    one = item_id(subject, given.linked)
    for ids in (
        [],
        [one, one],
        [item_id(subject, f"{number:08}-0000-4000-8000-000000000000") for number in range(251)],
    ):
        refused = await subject.asked.ask(
            "mutation($ids: [ID!]!) { deleteItems(input: { ids: $ids }) { errors { code } } }", ids=ids
        )
        found = refused.codes or [error["code"] for error in refused.data["deleteItems"]["errors"]]
        assert found == ["INVALID_INPUT"]
    assert await tree(subject) == before
