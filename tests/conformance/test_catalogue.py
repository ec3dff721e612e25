"""The catalogue: what an inventory could hold and what fits its slots, with how many the owner has."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.model.manifest import Capability
from tests.conformance.conftest import Subject, needs
from tests.gateways import header, mint, seed

pytestmark = needs(Capability.CATALOGUE)

CATALOGUE = """query($owner: OwnerInput!, $owned: Boolean, $first: Int, $after: String) { inventory(owner: $owner) {
  catalogue(onlyOwned: $owned, first: $first, after: $after) {
    edges { cursor quantity node { key name kind } } nodes { key } totalCount isComplete problems { code }
    pageInfo { hasNextPage hasPreviousPage endCursor } } } }"""
ACCEPTS = """query($owner: OwnerInput!, $key: String!, $owned: Boolean) { inventory(owner: $owner) {
  container(key: $key) { slots { key accepts(onlyOwned: $owned, first: 250) {
    edges { quantity node { key name } } totalCount isComplete } } }
  totals(first: 250) { edges { quantity node { key } } } } }"""


async def catalogue(subject: Subject, **variables: Any) -> Any:
    return (await subject.ask(CATALOGUE, **variables)).whole()["inventory"]["catalogue"]


async def test_pages_of_the_catalogue_cover_it_once(subject: Subject) -> None:
    for owned in (False, True):
        whole = await catalogue(subject, first=250, owned=owned)
        assert whole["totalCount"] == len(whole["edges"]) == len(whole["nodes"]) > 3
        assert whole["isComplete"] is True
        seen: list[Any] = []
        after = None
        while True:
            found = await catalogue(subject, first=3, after=after, owned=owned)
            seen += found["edges"]
            assert found["totalCount"] == whole["totalCount"]
            assert found["pageInfo"]["hasPreviousPage"] is (after is not None)
            after = found["pageInfo"]["endCursor"]
            if not found["pageInfo"]["hasNextPage"]:
                break
        assert seen == whole["edges"]


async def test_the_catalogue_tells_how_many_are_owned(subject: Subject) -> None:
    answer = await subject.ask(
        """query($owner: OwnerInput!) { inventory(owner: $owner) {
          totals(first: 250) { edges { quantity node { key } } } } }"""
    )
    totals = {edge["node"]["key"]: edge["quantity"] for edge in answer.whole()["inventory"]["totals"]["edges"]}
    every = (await catalogue(subject, first=250))["edges"]
    assert {edge["node"]["key"]: edge["quantity"] for edge in every if edge["quantity"] != "0"} == totals
    owned = (await catalogue(subject, first=250, owned=True))["edges"]
    assert owned == [edge for edge in every if edge["quantity"] != "0"]
    assert len(owned) < len(every)
    assert subject.world.unheld in [edge["node"]["key"] for edge in every]


@pytest.mark.parametrize("owned", [False, True])
async def test_owners_in_one_query_have_the_pages_that_each_has_alone(subject: Subject, owned: bool) -> None:
    query = """query($owners: [OwnerInput!]!, $owned: Boolean) { inventories(owners: $owners) { owner { key }
      catalogue(onlyOwned: $owned, first: 2) { totalCount edges { quantity cursor node { key } }
        pageInfo { hasNextPage endCursor } }
      containers { nodes { slots { accepts(onlyOwned: $owned, first: 1) { totalCount nodes { key }
        pageInfo { hasNextPage } } } } } } }"""
    owners = [subject.to(key) for key in (subject.world.owner, *subject.world.others)]
    together = (await subject.asked.ask(query, owners=owners, owned=owned)).whole()["inventories"]
    alone = [
        (await subject.asked.ask(query, owners=[owner], owned=owned)).whole()["inventories"][0] for owner in owners
    ]
    assert together == alone
    assert any(one["catalogue"]["pageInfo"]["hasNextPage"] for one in alone)


async def test_a_page_of_the_catalogue_that_cannot_be_is_invalid_input(subject: Subject) -> None:
    cases: list[dict[str, Any]] = [{"first": 0}, {"first": 251}, {"after": "no cursor"}]
    for variables in cases:
        answer = await subject.ask(CATALOGUE, **variables)
        assert answer.data == {"inventory": {"catalogue": None}}
        assert answer.codes == ["INVALID_INPUT"]


async def test_what_fits_a_slot_is_of_the_catalogue(subject: Subject) -> None:
    world = subject.world
    assert world.dressing is not None
    known = {edge["node"]["key"] for edge in (await catalogue(subject, first=250))["edges"]}
    every = (await subject.ask(ACCEPTS, key=world.slotted)).whole()["inventory"]
    owned = (await subject.ask(ACCEPTS, key=world.slotted, owned=True)).whole()["inventory"]
    totals = {edge["node"]["key"]: edge["quantity"] for edge in every["totals"]["edges"]}
    fits = {slot["key"]: slot["accepts"] for slot in every["container"]["slots"]}
    for slot in owned["container"]["slots"]:
        edges = fits[slot["key"]]["edges"]
        assert {edge["node"]["key"] for edge in edges} <= known
        assert [edge["quantity"] for edge in edges] == [totals.get(edge["node"]["key"], "0") for edge in edges]
        assert slot["accepts"]["edges"] == [edge for edge in edges if edge["quantity"] != "0"]
        assert slot["accepts"]["totalCount"] == len(slot["accepts"]["edges"])
    empty = [edge["node"]["key"] for edge in fits[world.dressing.empty]["edges"]]
    assert {world.dressing.fitting, world.dressing.unowned} <= set(empty)
    assert world.dressing.unfitting not in empty


async def test_what_fits_a_slot_is_told_to_others_for_its_owner(subject: Subject) -> None:
    """How many are owned is told of the container's owner, whoever asks."""
    gateway, world = subject.dialect.gateway, subject.world
    await seed(gateway, subject.provider, world.other_documents)
    headers = {header(subject.provider): await mint(gateway, subject.provider, world.other_owner)}
    may_read = subject.provider.rules.may_read(subject.holder(world.other_owner), world.owner)
    for owned in (False, True):
        mine = (await subject.ask(ACCEPTS, key=world.slotted, owned=owned)).whole()
        theirs = (await subject.ask(ACCEPTS, key=world.slotted, owned=owned, headers=headers)).whole()
        assert theirs == (mine if may_read else {"inventory": None})
