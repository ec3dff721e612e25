"""Slots filled and emptied, avatars minted: atomic, judged on the final state, repeated, conditional, simulated."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.model.ids import CONTAINER, ContainerRef, encode_id
from gateway.model.manifest import Capability
from tests.conformance.conftest import Subject, needs
from tests.conformance.worlds import Dressing
from tests.gateways import header, mint, seed

ALLOCATE = """mutation($input: AllocateSlotsInput!) { allocateSlots(input: $input) { clientMutationId
  container { id version freeSlots slots { key allocatedAt item { id definition { key } slot { key } } }
    items { totalCount nodes { id slot { key } } } }
  slots { key item { definition { key } } }
  changes { createdIds updatedIds movedIds removedIds versions { container version } isSimulated isReplayed }
  errors { __typename code message path provider providerCode retryable
    ... on PreconditionFailedError { currentVersions { container version } } } } }"""
SLOTS = """query($owner: OwnerInput!, $key: String!) { inventory(owner: $owner) { container(key: $key) {
  id version freeSlots slots { key allocatedAt item { id definition { key } slot { key } } }
  items { totalCount nodes { id slot { key } } } } } }"""
MINT = """mutation($input: MintAvatarInput!) { mintAvatar(input: $input) {
  container { id version } changes { updatedIds isSimulated isReplayed }
  errors { code path provider providerCode } } }"""


def dressing(subject: Subject) -> Dressing:
    """Give what can be put in the slots."""
    assert subject.world.dressing is not None
    return subject.world.dressing


def container_id(subject: Subject, owner: str | None = None) -> str:
    world = subject.world
    return encode_id(CONTAINER, ContainerRef(subject.provider.key, owner or world.owner, world.slotted))


async def allocate(subject: Subject, *slots: tuple[str, str | None], **more: Any) -> Any:
    entries = [{"slot": slot, "definitionKey": key} for slot, key in slots]
    given = {"container": container_id(subject), "slots": entries, **more}
    return (await subject.asked.ask(ALLOCATE, input=given)).whole()["allocateSlots"]


async def avatar(subject: Subject) -> Any:
    return (await subject.ask(SLOTS, key=subject.world.slotted)).whole()["inventory"]["container"]


def lying(shown: Any) -> dict[str, str | None]:
    return {slot["key"]: slot["item"] and slot["item"]["definition"]["key"] for slot in shown["slots"]}


def codes(payload: Any) -> list[tuple[str, list[str] | None]]:
    return [(error["code"], error["path"]) for error in payload["errors"]]


@needs(Capability.ALLOCATE_SLOTS)
async def test_a_slot_is_filled_and_the_payload_shows_the_new_state(subject: Subject) -> None:
    given = dressing(subject)
    before = await avatar(subject)
    payload = await allocate(subject, (given.empty, given.fitting), clientMutationId="mark")
    assert payload["errors"] == []
    assert payload["clientMutationId"] == "mark"
    assert payload["slots"] == [{"key": given.empty, "item": {"definition": {"key": given.fitting}}}]
    after = await avatar(subject)
    assert payload["container"] == after
    assert lying(after) == {**lying(before), given.empty: given.fitting}
    assert after["freeSlots"] == before["freeSlots"] - 1
    assert payload["changes"]["versions"] == [{"container": after["id"], "version": after["version"]}]
    assert int(after["version"]) == int(before["version"]) + 1
    kept = {slot["key"]: slot["allocatedAt"] for slot in before["slots"] if slot["key"] != given.empty}
    assert {slot["key"]: slot["allocatedAt"] for slot in after["slots"] if slot["key"] != given.empty} == kept


@needs(Capability.ALLOCATE_SLOTS)
async def test_clearing_and_filling_again_are_two_versions_and_doing_nothing_is_none(subject: Subject) -> None:
    given = dressing(subject)
    before = await avatar(subject)
    held = lying(before)[given.filled]
    cleared = await allocate(subject, (given.filled, None))
    assert lying(cleared["container"])[given.filled] is None
    again = await allocate(subject, (given.filled, None))
    assert again["changes"]["updatedIds"] == again["changes"]["versions"] == []
    assert again["container"]["version"] == cleared["container"]["version"]
    back = await allocate(subject, (given.filled, held))
    assert lying(back["container"]) == lying(before)
    assert int(back["container"]["version"]) == int(before["version"]) + 2


@needs(Capability.ALLOCATE_SLOTS)
async def test_nothing_is_done_where_one_entry_is_refused_and_every_fault_has_its_path(subject: Subject) -> None:
    given = dressing(subject)
    before = await avatar(subject)
    payload = await allocate(
        subject,
        (given.filled, None),
        (given.empty, given.unowned),
        ("no-such-slot", None),
        (given.empty, given.fitting),
    )
    assert codes(payload) == [
        ("CONFLICT", ["slots", "1", "definitionKey"]),
        ("NOT_FOUND", ["slots", "2", "slot"]),
        ("INVALID_INPUT", ["slots", "3", "slot"]),
    ]
    assert [error["providerCode"] for error in payload["errors"]] == ["not_owned", "unknown_slot", "duplicate_slot"]
    assert {error["provider"] for error in payload["errors"]} == {subject.name}
    assert payload["changes"] is None
    assert payload["container"] is None
    assert await avatar(subject) == before


@needs(Capability.ALLOCATE_SLOTS)
@pytest.mark.parametrize("which", ["unfitting", "unknown", "foreign", "empty", "long", "absent"])
async def test_an_entry_that_cannot_be_is_refused(subject: Subject, which: str) -> None:
    given = dressing(subject)
    before = await avatar(subject)
    unknown = subject.world.unknown_definition
    entries: dict[str, tuple[list[Any], list[tuple[str, list[str] | None]]]] = {
        "unfitting": (
            [{"slot": given.empty, "definitionKey": given.unfitting}],
            [("CONFLICT", ["slots", "0", "definitionKey"])],
        ),
        "unknown": (
            [{"slot": given.empty, "definitionKey": unknown}],
            [("NOT_FOUND", ["slots", "0", "definitionKey"])],
        ),
        "foreign": (
            [{"slot": given.empty, "definitionKey": "elsewhere/i_1"}],
            [("NOT_FOUND", ["slots", "0", "definitionKey"])],
        ),
        "empty": ([], [("INVALID_INPUT", ["slots"])]),
        "long": ([{"slot": f"s{at}", "definitionKey": None} for at in range(101)], [("LIMIT_EXCEEDED", ["slots"])]),
        "absent": ([{"slot": given.empty}], [("INVALID_INPUT", ["slots", "0", "definitionKey"])]),
    }
    slots, expected = entries[which]
    answer = await subject.asked.ask(ALLOCATE, input={"container": container_id(subject), "slots": slots})
    payload = answer.whole()["allocateSlots"]
    assert codes(payload) == expected
    assert payload["changes"] is None
    assert await avatar(subject) == before


@needs(Capability.ALLOCATE_SLOTS)
async def test_another_owners_slots_are_not_for_the_caller_to_fill(subject: Subject) -> None:
    given = dressing(subject)
    gateway, world = subject.dialect.gateway, subject.world
    before = await avatar(subject)
    await seed(gateway, subject.provider, world.other_documents)
    headers = {header(subject.provider): await mint(gateway, subject.provider, world.other_owner)}
    slots = [{"slot": given.empty, "definitionKey": given.fitting}]
    answer = await subject.asked.ask(
        ALLOCATE, headers=headers, input={"container": container_id(subject), "slots": slots}
    )
    assert codes(answer.whole()["allocateSlots"]) == [("FORBIDDEN", ["container"])]
    assert await avatar(subject) == before


@needs(Capability.ALLOCATE_SLOTS)
async def test_an_unknown_owners_slots_are_not_found(subject: Subject) -> None:
    given = dressing(subject)
    slots = [{"slot": given.empty, "definitionKey": given.fitting}]
    for owner in (subject.world.unknown_owner, subject.world.owner):
        wrong = encode_id(CONTAINER, ContainerRef(subject.provider.key, owner, subject.world.unknown_container))
        answer = await subject.asked.ask(ALLOCATE, input={"container": wrong, "slots": slots})
        payload = answer.whole()["allocateSlots"]
        assert payload["changes"] is None
        assert codes(payload)[0][0] in ("NOT_FOUND", "FORBIDDEN")


@needs(Capability.ALLOCATE_SLOTS)
async def test_writers_at_once_lose_nothing(subject: Subject) -> None:
    given = dressing(subject)
    before = await avatar(subject)
    held = lying(before)[given.filled]
    done = await asyncio.gather(
        allocate(subject, (given.empty, given.fitting)),
        allocate(subject, (given.filled, None)),
        allocate(subject, (given.empty, given.fitting)),
    )
    assert [payload["errors"] for payload in done] == [[], [], []]
    after = await avatar(subject)
    assert lying(after) == {**lying(before), given.empty: given.fitting, given.filled: None}
    assert int(after["version"]) == int(before["version"]) + 2
    assert held is not None


# --- what only some backends promise ----------------------------------------------------------------------------------


@needs(Capability.ALLOCATE_SLOTS)
@pytest.mark.parametrize(
    ("capability", "more"),
    [
        (Capability.TRANSACTIONS, {"transactionId": "t1"}),
        (Capability.CONDITIONAL_WRITES, {"ifMatch": []}),
        (Capability.SIMULATE, {"simulate": True}),
    ],
)
async def test_what_a_backend_cannot_promise_is_refused(
    subject: Subject, capability: Capability, more: dict[str, Any]
) -> None:
    given = dressing(subject)
    before = await avatar(subject)
    if capability is Capability.CONDITIONAL_WRITES:
        more = {"ifMatch": [{"container": before["id"], "version": before["version"]}]}
    payload = await allocate(subject, (given.empty, given.fitting), **more)
    if subject.declares(capability):
        assert payload["errors"] == []
    else:
        assert [(error["code"], error["provider"]) for error in payload["errors"]] == [("UNSUPPORTED", subject.name)]
        assert [error["path"] for error in payload["errors"]] == [[*more]]
        assert await avatar(subject) == before


@needs(Capability.ALLOCATE_SLOTS, Capability.TRANSACTIONS)
async def test_a_repeated_transaction_answers_the_first_result(subject: Subject) -> None:
    given = dressing(subject)
    first = await allocate(subject, (given.empty, given.fitting), transactionId="t1")
    await allocate(subject, (given.filled, None))
    again = await allocate(subject, (given.empty, given.fitting), transactionId="t1", clientMutationId="other")
    assert again["errors"] == []
    assert again["changes"] == {**first["changes"], "isReplayed": True}
    assert again["container"] == await avatar(subject)
    other = await allocate(subject, (given.empty, None), transactionId="t1")
    assert codes(other) == [("DUPLICATE_TRANSACTION", ["transactionId"])]
    assert lying(await avatar(subject))[given.empty] == given.fitting


@needs(Capability.ALLOCATE_SLOTS, Capability.TRANSACTIONS)
async def test_a_transaction_that_changed_nothing_or_was_refused(subject: Subject) -> None:
    given = dressing(subject)
    refused = await allocate(subject, (given.empty, given.unowned), transactionId="t1")
    assert refused["errors"]
    # One that was refused was never made.
    same = await allocate(subject, (given.empty, None), transactionId="t1")
    assert same["changes"]["isReplayed"] is False
    replayed = await allocate(subject, (given.empty, None), transactionId="t1")
    assert replayed["changes"]["isReplayed"] is True
    for bad in ("", "x" * 201, "a\x01"):
        payload = await allocate(subject, (given.empty, None), transactionId=bad)
        assert codes(payload) == [("INVALID_INPUT", ["transactionId"])]


@needs(Capability.ALLOCATE_SLOTS, Capability.CONDITIONAL_WRITES)
async def test_a_write_is_held_to_the_version_that_it_names(subject: Subject) -> None:
    given = dressing(subject)
    before = await avatar(subject)
    stale = [{"container": before["id"], "version": "0"}]
    refused = await allocate(subject, (given.empty, given.fitting), ifMatch=stale)
    assert codes(refused) == [("PRECONDITION_FAILED", ["ifMatch"])]
    assert refused["errors"][0]["currentVersions"] == [{"container": before["id"], "version": before["version"]}]
    assert await avatar(subject) == before
    current = [{"container": before["id"], "version": before["version"]}]
    done = await allocate(subject, (given.empty, given.fitting), ifMatch=current)
    assert done["errors"] == []
    twice = await allocate(subject, (given.empty, None), ifMatch=current * 2)
    assert codes(twice) == [("INVALID_INPUT", ["ifMatch"])]


@needs(Capability.ALLOCATE_SLOTS, Capability.CONDITIONAL_WRITES)
async def test_of_writers_that_name_one_version_one_wins(subject: Subject) -> None:
    given = dressing(subject)
    before = await avatar(subject)
    at = [{"container": before["id"], "version": before["version"]}]
    done = await asyncio.gather(
        *(allocate(subject, (given.empty, given.fitting), (given.filled, None), ifMatch=at) for _ in range(8))
    )
    assert sorted(len(payload["errors"]) for payload in done) == [0] + [1] * 7
    assert int((await avatar(subject))["version"]) == int(before["version"]) + 1


@needs(Capability.ALLOCATE_SLOTS, Capability.SIMULATE)
async def test_a_simulated_write_answers_the_same_and_writes_nothing(subject: Subject) -> None:
    given = dressing(subject)
    before = await avatar(subject)
    simulated = await allocate(subject, (given.empty, given.fitting), simulate=True, transactionId="t1")
    assert await avatar(subject) == before
    real = await allocate(subject, (given.empty, given.fitting), transactionId="t1")
    assert lying(real["container"])[given.empty] == given.fitting
    assert simulated["changes"] == {**real["changes"], "isSimulated": True}
    assert real["changes"]["isReplayed"] is False
    assert {**simulated, "changes": None} == {**real, "changes": None}
    two = await subject.asked.ask(
        """mutation($one: AllocateSlotsInput!, $other: AllocateSlotsInput!) {
          one: allocateSlots(input: $one) { container { slots { key item { definition { key } } } } }
          other: allocateSlots(input: $other) { container { slots { key item { definition { key } } } } } }""",
        one={
            "container": container_id(subject),
            "slots": [{"slot": given.filled, "definitionKey": None}],
            "simulate": True,
        },
        other={"container": container_id(subject), "slots": [{"slot": given.empty, "definitionKey": None}]},
    )
    # What one field only simulates, the next does not find.
    assert lying(two.whole()["one"]["container"])[given.filled] is None
    assert lying(two.whole()["other"]["container"])[given.filled] is not None
    refused = await allocate(subject, (given.empty, given.unowned), simulate=True)
    assert refused == await allocate(subject, (given.empty, given.unowned))


@needs(Capability.MINT_AVATAR)
async def test_an_avatar_is_minted_once(subject: Subject) -> None:
    given = dressing(subject)
    before = await avatar(subject)
    asked = {"container": container_id(subject), "blockchain": f" {given.blockchain.upper()} "}
    if subject.declares(Capability.SIMULATE):
        simulated = (await subject.asked.ask(MINT, input={**asked, "simulate": True})).whole()["mintAvatar"]
        assert simulated["changes"] == {"updatedIds": [before["id"]], "isSimulated": True, "isReplayed": False}
    first = (await subject.asked.ask(MINT, input=asked)).whole()["mintAvatar"]
    assert first["errors"] == []
    assert first["changes"]["updatedIds"] == [before["id"]]
    again = (await subject.asked.ask(MINT, input=asked)).whole()["mintAvatar"]
    assert again["errors"] == []
    assert again["changes"]["updatedIds"] == []
    assert again["container"] == {"id": before["id"], "version": before["version"]}
    refused = (await subject.asked.ask(MINT, input={**asked, "blockchain": "nowhere"})).whole()["mintAvatar"]
    assert codes(refused) == [("INVALID_INPUT", ["blockchain"])]
    assert refused["errors"][0]["providerCode"] == "unsupported_blockchain"
