"""Capabilities: what is not declared is refused, in the graph and at the seam; what is, is not."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.model.credentials import Credential
from gateway.model.errors import Unsupported
from gateway.model.ids import CONTAINER, ITEM, ContainerRef, ItemRef, OwnerRef, encode_id
from gateway.model.manifest import VERBS, Capability
from tests.conformance.conftest import Subject, needs


def inputs(subject: Subject) -> dict[Capability, dict[str, Any]]:
    """Give a well-formed input of each verb."""
    key, world = subject.provider.key, subject.world
    here = encode_id(CONTAINER, ContainerRef(key, world.owner, world.nested or world.slotted))
    there = encode_id(CONTAINER, ContainerRef(key, world.owner, world.slotted))
    item = encode_id(ITEM, ItemRef(key, world.owner, f"{world.slotted}/0"))
    return {
        Capability.CREATE_CONTENTS: {"container": here, "containers": [{"name": "New"}]},
        Capability.ENSURE_SPECIAL_CONTAINER: {"owner": subject.owner, "key": "trash"},
        Capability.UPDATE_CONTAINERS: {"containers": [{"id": here, "name": "New"}]},
        Capability.UPDATE_ITEMS: {"items": [{"id": item, "name": "New"}]},
        Capability.MOVE_CONTAINERS: {"ids": [there], "to": here},
        Capability.MOVE_ITEMS: {"ids": [item], "to": here},
        Capability.COPY_CONTAINERS: {"ids": [there], "to": here},
        Capability.COPY_ITEMS: {"ids": [item], "to": here},
        Capability.DELETE_CONTAINERS: {"ids": [there]},
        Capability.DELETE_ITEMS: {"ids": [item]},
        Capability.CLEAR_CONTAINER: {"container": here, "what": "ALL"},
        Capability.COPY_CONTENTS: {"container": there, "what": "ITEMS", "to": here},
        Capability.MOVE_CONTENTS: {"container": there, "what": "ITEMS", "to": here},
        Capability.REPLACE_CONTENTS: {"container": here, "what": "LINKS", "items": []},
        Capability.ADD_TO_COLLECTION: {"owner": subject.owner, "definitionKeys": [world.definition or "x"]},
        Capability.REMOVE_FROM_COLLECTION: {"owner": subject.owner, "definitionKeys": [world.definition or "x"]},
        Capability.ALLOCATE_SLOTS: {"container": there, "slots": [{"slot": "0", "definitionKey": None}]},
        Capability.MINT_AVATAR: {"container": there, "blockchain": "sui"},
    }


async def mutate(subject: Subject, verb: Capability, given: dict[str, Any]) -> Any:
    name = verb.value
    taken = name[0].upper() + name[1:] + "Input"
    answer = await subject.asked.ask(
        f"""mutation($input: {taken}!) {{ {name}(input: $input) {{
          __typename clientMutationId changes {{ createdIds }}
          errors {{ code message path provider retryable }} }} }}""",
        input=given,
    )
    return answer.whole()[name]


async def test_an_undeclared_verb_is_refused_and_names_the_provider(subject: Subject) -> None:
    # First those that are refused: what the others do shall not matter to them.
    for verb in sorted(VERBS, key=subject.declares):
        payload = await mutate(subject, verb, {**inputs(subject)[verb], "clientMutationId": "mark"})
        codes = [(error["code"], error["provider"]) for error in payload["errors"]]
        if subject.declares(verb):
            assert ("UNSUPPORTED", subject.name) not in codes, verb
            continue
        assert codes == [("UNSUPPORTED", subject.name)], verb
        assert payload["changes"] is None
        assert payload["clientMutationId"] == "mark"


async def test_an_undeclared_verb_is_refused_at_the_seam(subject: Subject) -> None:
    session = subject.asked.gateway.backends[subject.provider.key].session(Credential(subject.provider.key))
    for verb in inputs(subject):
        if not subject.declares(verb):
            with pytest.raises(Unsupported) as refused:
                await session.write(verb, OwnerRef(subject.provider.key, subject.world.owner), None)
            assert refused.value.provider == subject.provider.key
    await session.aclose()


async def test_malformed_ids_are_refused_as_data(subject: Subject) -> None:
    given = inputs(subject)[Capability.MOVE_ITEMS]
    wrong_kind = await mutate(subject, Capability.MOVE_ITEMS, {"ids": [given["to"]], "to": given["to"]})
    assert [error["code"] for error in wrong_kind["errors"]] == ["INVALID_INPUT"]
    other = encode_id(CONTAINER, ContainerRef(subject.provider.key, subject.world.unknown_owner, subject.world.slotted))
    mixed = await mutate(subject, Capability.MOVE_ITEMS, {"ids": given["ids"], "to": other})
    assert [error["code"] for error in mixed["errors"]] == ["INVALID_INPUT"]


async def test_a_catalogue_is_null_where_none_is_declared(subject: Subject) -> None:
    answer = await subject.ask(
        "query($owner: OwnerInput!) { inventory(owner: $owner) { catalogue { nodes { key } } } }"
    )
    if subject.declares(Capability.CATALOGUE):
        assert answer.whole()["inventory"]["catalogue"]["nodes"]
    else:
        assert answer.whole() == {"inventory": {"catalogue": None}}


@needs(Capability.SLOTS)
async def test_what_fits_a_slot_is_null_where_none_is_declared(subject: Subject) -> None:
    answer = await subject.ask(
        """query($owner: OwnerInput!, $key: String!) { inventory(owner: $owner) { container(key: $key) {
          slots { accepts { nodes { key } } } } } }""",
        key=subject.world.slotted,
    )
    accepted = {str(slot["accepts"]) for slot in answer.whole()["inventory"]["container"]["slots"]}
    assert (accepted != {"None"}) is subject.declares(Capability.CATALOGUE)


async def test_collectibles_are_refused_where_none_are_declared(subject: Subject) -> None:
    answer = await subject.ask(
        "query($owner: OwnerInput!) { inventory(owner: $owner) { collectibles { nodes { key } isComplete } } }"
    )
    if subject.declares(Capability.COLLECTIBLES):
        assert answer.whole()["inventory"]["collectibles"]["isComplete"]
    else:
        assert answer.data == {"inventory": {"collectibles": None}}
        assert answer.codes == ["UNSUPPORTED"]
