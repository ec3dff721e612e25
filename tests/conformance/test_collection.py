"""Collections added to and taken from: refused with paths, repeated, conditional, simulated, whole where declared."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.model.ids import CONTAINER, ContainerRef, encode_id
from gateway.model.manifest import Capability
from tests.conformance.conftest import Subject, needs
from tests.conformance.worlds import Collecting
from tests.gateways import header, mint, seed

PAYLOAD = """container { id key kind } definitions { key } clientMutationId
  changes { createdIds updatedIds removedIds versions { container version } isSimulated isReplayed }
  errors { code path provider providerCode ... on PreconditionFailedError { currentVersions { version } } }"""
VERBS = {"addToCollection": "AddToCollectionInput", "removeFromCollection": "RemoveFromCollectionInput"}


def collecting(subject: Subject) -> Collecting:
    assert subject.world.collecting is not None
    return subject.world.collecting


def collection_id(subject: Subject) -> str:
    return encode_id(CONTAINER, ContainerRef(subject.provider.key, subject.world.owner, "collection"))


async def change(subject: Subject, verb: str, *keys: str, headers: dict[str, str] | None = None, **more: Any) -> Any:
    query = f"mutation($input: {VERBS[verb]}!) {{ {verb}(input: $input) {{ {PAYLOAD} }} }}"
    given = {"owner": subject.owner, "definitionKeys": [*keys], **more}
    return (await subject.asked.ask(query, headers=headers, input=given)).whole()[verb]


async def shown(subject: Subject) -> Any:
    """Give what the collection shows, as the store that is behind it all tells it."""
    answer = await subject.dialect.ask(
        """query($owner: OwnerInput!) { inventory(owner: $owner) { container(key: "collection") {
          version freeSlots ... on RobloxCollection { entries { totalCount nodes { key } } } } } }""",
        headers=subject.asked.headers,
        owner=subject.owner,
    )
    return answer.whole()["inventory"]["container"]


def keys(found: Any) -> list[str]:
    return [node["key"] for node in found["entries"]["nodes"]]


def codes(payload: Any) -> list[tuple[str, list[str] | None]]:
    return [(error["code"], error["path"]) for error in payload["errors"]]


@needs(Capability.ADD_TO_COLLECTION, Capability.REMOVE_FROM_COLLECTION)
async def test_what_is_added_is_shown_and_what_is_removed_is_not(subject: Subject) -> None:
    given = collecting(subject)
    before = await shown(subject)
    done = await change(subject, "addToCollection", *given.held, clientMutationId="mark")
    assert done["errors"] == []
    assert (done["clientMutationId"], done["container"]["id"]) == ("mark", collection_id(subject))
    assert [one["key"] for one in done["definitions"]] == [*given.held]
    assert done["changes"]["updatedIds"] == [collection_id(subject)]
    after = await shown(subject)
    assert keys(after) == [*keys(before), *given.held]
    assert after["freeSlots"] == before["freeSlots"] - 2
    assert after["version"] != before["version"]
    gone = await change(subject, "removeFromCollection", *given.held)
    assert gone["errors"] == []
    assert keys(await shown(subject)) == keys(before)


@needs(Capability.ADD_TO_COLLECTION)
async def test_what_a_collection_does_not_take_is_told_with_its_path(subject: Subject) -> None:
    given = collecting(subject)
    before = await shown(subject)
    unknown = subject.world.unknown_definition
    refused = await change(subject, "addToCollection", given.unowned, given.collected, unknown)
    assert codes(refused) == [
        ("FORBIDDEN", ["definitionKeys", "0"]),
        ("CONFLICT", ["definitionKeys", "1"]),
        ("NOT_FOUND", ["definitionKeys", "2"]),
    ]
    assert {error["provider"] for error in refused["errors"]} == {subject.name}
    assert all(error["providerCode"] for error in refused["errors"])
    assert refused["changes"] is None
    for keys_, expected in (
        ([given.wrong], [("INVALID_INPUT", ["definitionKeys", "0"])]),
        (["x"], [("INVALID_INPUT", ["definitionKeys", "0"])]),
        ([], [("INVALID_INPUT", ["definitionKeys"])]),
    ):
        assert codes(await change(subject, "addToCollection", *keys_)) == expected
    missing = await change(subject, "removeFromCollection", given.held[0])
    assert codes(missing) == [("NOT_FOUND", ["definitionKeys", "0"])]
    assert await shown(subject) == before


@needs(Capability.ADD_TO_COLLECTION)
async def test_a_list_is_done_whole_where_that_is_promised_and_one_by_one_elsewhere(subject: Subject) -> None:
    given = collecting(subject)
    before = await shown(subject)
    done = await change(subject, "addToCollection", given.held[0], given.unowned, given.held[1])
    assert codes(done) == [("FORBIDDEN", ["definitionKeys", "1"])]
    if subject.declares(Capability.ATOMIC_LISTS):
        assert done["changes"] is None
        assert await shown(subject) == before
    else:
        assert [one["key"] for one in done["definitions"]] == [*given.held]
        assert keys(await shown(subject)) == [*keys(before), *given.held]


@needs(Capability.ADD_TO_COLLECTION)
async def test_another_owners_collection_is_not_for_the_caller_to_change(subject: Subject) -> None:
    given = collecting(subject)
    gateway, world = subject.dialect.gateway, subject.world
    await seed(gateway, subject.provider, world.other_documents)
    headers = {header(subject.provider): await mint(gateway, subject.provider, world.other_owner)}
    before = await shown(subject)
    refused = await change(subject, "addToCollection", given.held[0], headers=headers)
    assert codes(refused) == [("FORBIDDEN", ["owner"])]
    assert await shown(subject) == before


@needs(Capability.ADD_TO_COLLECTION)
async def test_writers_at_once_add_a_thing_to_a_collection_once(subject: Subject) -> None:
    given = collecting(subject)
    before = await shown(subject)
    done = await asyncio.gather(*(change(subject, "addToCollection", given.held[0]) for _ in range(4)))
    assert sorted(str(codes(one)) for one in done) == sorted(["[]", *["[('CONFLICT', ['definitionKeys', '0'])]"] * 3])
    assert keys(await shown(subject)) == [*keys(before), given.held[0]]


@needs(Capability.ADD_TO_COLLECTION)
@pytest.mark.parametrize(
    ("capability", "more"),
    [
        (Capability.TRANSACTIONS, {"transactionId": "t1"}),
        (Capability.SIMULATE, {"simulate": True}),
        (Capability.CONDITIONAL_WRITES, {"ifMatch": []}),
    ],
    ids=lambda part: getattr(part, "name", ""),
)
async def test_what_a_collection_cannot_promise_is_refused(
    subject: Subject, capability: Capability, more: dict[str, Any]
) -> None:
    given = collecting(subject)
    if capability is Capability.CONDITIONAL_WRITES:
        more = {"ifMatch": [{"container": collection_id(subject), "version": "0"}]}
    before = await shown(subject)
    done = await change(subject, "addToCollection", given.held[0], **more)
    if not subject.declares(capability):
        assert codes(done) == [("UNSUPPORTED", [*more])]
        assert await shown(subject) == before
    elif capability is Capability.TRANSACTIONS:
        again = await change(subject, "addToCollection", given.held[0], **more)
        assert again["errors"] == []
        assert again["changes"] == {**done["changes"], "isReplayed": True}
        other = await change(subject, "addToCollection", given.held[1], **more)
        assert codes(other) == [("DUPLICATE_TRANSACTION", ["transactionId"])]
    elif capability is Capability.SIMULATE:
        assert done["changes"]["isSimulated"] is True
        assert await shown(subject) == before
    else:
        assert codes(done) == [("PRECONDITION_FAILED", ["ifMatch"])]
        assert done["errors"][0]["currentVersions"] == [{"version": before["version"]}]
        current = [{"container": collection_id(subject), "version": before["version"]}]
        assert (await change(subject, "addToCollection", given.held[0], ifMatch=current))["errors"] == []


@needs(Capability.ADD_TO_COLLECTION, Capability.SIMULATE)
async def test_a_simulated_payload_shows_the_collection_as_it_would_be(subject: Subject) -> None:
    given = collecting(subject)
    before = await shown(subject)
    query = """mutation($input: AddToCollectionInput!) { addToCollection(input: $input) { container {
      version freeSlots ... on RobloxCollection { entries { totalCount nodes { key } } } } } }"""
    payloads: list[Any] = []
    for simulate in (True, False):
        asked = {"owner": subject.owner, "definitionKeys": [given.held[0]], "simulate": simulate}
        payloads.append((await subject.asked.ask(query, input=asked)).whole()["addToCollection"]["container"])
        if simulate:
            assert await shown(subject) == before
    assert payloads[0] == payloads[1] == await shown(subject)
