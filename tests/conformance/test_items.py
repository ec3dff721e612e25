"""Items: flat lists, filters, orders, pages, totals and search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.conftest import Subject

FIELDS = "id key name kind quantity definition { key name kind rarity } collectible { serialNumber } acquiredAt"
ITEMS = f"""query($owner: OwnerInput!, $filter: ItemFilter, $order: ItemOrder, $first: Int, $after: String,
    $last: Int, $before: String) {{ inventory(owner: $owner) {{
  items(filter: $filter, orderBy: $order, first: $first, after: $after, last: $last, before: $before) {{
    edges {{ cursor node {{ {FIELDS} }} }} nodes {{ id }} totalCount isComplete problems {{ code }}
    pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }} }}"""
ORDERS = ("NATURAL", "NAME", "QUANTITY_DESC", "ACQUIRED_DESC", "SERIAL_ASC")
EVERYTHING = {"minQuantity": 0}


async def page(subject: Subject, **variables: Any) -> Any:
    return (await subject.ask(ITEMS, **variables)).whole()["inventory"]["items"]


async def everything(subject: Subject, **variables: Any) -> list[Any]:
    found = await page(subject, first=250, **variables)
    assert not found["pageInfo"]["hasNextPage"]
    assert found["totalCount"] == len(found["edges"])
    return [edge["node"] for edge in found["edges"]]


@pytest.mark.parametrize("order", ORDERS)
async def test_pages_cover_everything_once(subject: Subject, order: str) -> None:
    # Not all orders of one gateway: the limits of the services would be waited for.
    whole = await everything(subject, order=order, filter=EVERYTHING)
    for size in (1, 3):
        seen: list[Any] = []
        after = None
        while True:
            found = await page(subject, order=order, filter=EVERYTHING, first=size, after=after)
            seen += [edge["node"] for edge in found["edges"]]
            assert found["pageInfo"]["hasPreviousPage"] is (after is not None)
            after = found["pageInfo"]["endCursor"]
            if not found["pageInfo"]["hasNextPage"]:
                break
        assert seen == whole, size


async def test_pages_from_the_end_mirror_those_from_the_start(subject: Subject) -> None:
    for order in ORDERS:
        whole = await everything(subject, order=order, filter=EVERYTHING)
        seen: list[Any] = []
        before = None
        while True:
            found = await page(subject, order=order, filter=EVERYTHING, last=4, before=before)
            seen = [edge["node"] for edge in found["edges"]] + seen
            before = found["pageInfo"]["startCursor"]
            if not found["pageInfo"]["hasPreviousPage"]:
                break
        assert seen == whole, order


async def test_orders_order(subject: Subject) -> None:
    by_name = [(item["name"] or "").casefold() for item in await everything(subject, order="NAME")]
    assert by_name == sorted(by_name)
    amounts = [int(item["quantity"]) for item in await everything(subject, order="QUANTITY_DESC")]
    assert amounts == sorted(amounts, reverse=True)


async def test_empty_holdings_show_only_on_demand(subject: Subject) -> None:
    shown = await everything(subject)
    assert all(int(item["quantity"]) > 0 for item in shown)
    whole = await everything(subject, filter=EVERYTHING)
    assert [item for item in whole if int(item["quantity"]) > 0] == shown


async def test_filters_keep_what_fits_and_nothing_else(subject: Subject) -> None:
    whole = await everything(subject, filter=EVERYTHING)
    kinds = sorted({item["kind"] for item in whole if item["kind"]})[:2]
    definitions = [item["definition"] for item in whole if item["definition"]]
    rarities = sorted({entry["rarity"] for entry in definitions if entry["rarity"]})[:1]
    text = subject.world.text
    cases: list[tuple[dict[str, Any], Callable[[Any], Any]]] = [
        ({"kinds": kinds}, lambda item: item["kind"] in kinds),
        ({"kinds": []}, lambda _: False),
        ({"rarities": rarities}, lambda item: item["definition"] and item["definition"]["rarity"] in rarities),
        (
            {"definitionKeys": [subject.world.definition or "x"]},
            lambda item: item["definition"] and item["definition"]["key"] == subject.world.definition,
        ),
        ({"text": text.upper()}, lambda item: text.casefold() in (item["name"] or "").casefold()),
        ({"minQuantity": 100}, lambda item: int(item["quantity"]) >= 100),
        ({"isCollectible": False}, lambda item: item["collectible"] is None),
        ({"isCollectible": True}, lambda item: item["collectible"] is not None),
    ]
    for given, fits in cases:
        found = await everything(subject, filter={**EVERYTHING, **given})
        assert found == [item for item in whole if fits(item)], given
    assert 0 < len(await everything(subject, filter={"text": text})) < len(whole)


UNREADABLE: list[dict[str, Any]] = [
    {"first": 0},
    {"first": 251},
    {"last": 0},
    {"last": 251},
    {"first": 1, "last": 1},
    {"last": 1, "after": "x"},
    {"first": 1, "before": "x"},
    {"after": "not a cursor"},
    {"after": "e30"},
    {"after": "WyJuYXR1cmFsIiwwLCJ4Il0="},
    {"order": "NAME", "after": "WyJuYXR1cmFsIiwwLCJ4Il0"},
    {"filter": {"text": "x" * 201}},
    {"filter": {"kinds": ["x"] * 251}},
    {"filter": {"minQuantity": -1}},
]


async def test_a_page_that_cannot_be_is_invalid_input(subject: Subject) -> None:
    for variables in UNREADABLE:
        answer = await subject.ask(ITEMS, **variables)
        assert answer.data == {"inventory": {"items": None}}, variables
        assert answer.codes == ["INVALID_INPUT"], variables


async def test_cursors_stay_good_when_their_entry_is_gone(subject: Subject) -> None:
    whole = await page(subject, first=250, filter=EVERYTHING)
    gone = whole["edges"][3]
    store = subject.dialect.gateway.store
    from gateway.model.ids import ItemRef, OwnerRef

    owner = OwnerRef(subject.provider.key, subject.world.owner)
    async with store.writing(owner) as writer:
        await writer.delete_items([ItemRef(*owner, gone["node"]["key"])])
    rest = await page(subject, first=250, filter=EVERYTHING, after=gone["cursor"])
    assert [edge["node"]["id"] for edge in rest["edges"]] == [edge["node"]["id"] for edge in whole["edges"][4:]]


async def test_totals_sum_every_holding(subject: Subject) -> None:
    expected: Counter[str] = Counter()
    for item in await everything(subject):
        if item["definition"]:
            expected[item["definition"]["key"]] += int(item["quantity"])
    query = """query($owner: OwnerInput!, $after: String) { inventory(owner: $owner) {
      totals(first: 5, after: $after) { edges { quantity node { key } } totalCount
        pageInfo { hasNextPage endCursor } } } }"""
    found: Counter[str] = Counter()
    unknown = 0
    after = None
    while True:
        totals = (await subject.ask(query, after=after)).whole()["inventory"]["totals"]
        for edge in totals["edges"]:
            if edge["node"] is None:
                unknown += 1
            else:
                found[edge["node"]["key"]] += int(edge["quantity"])
        after = totals["pageInfo"]["endCursor"]
        if not totals["pageInfo"]["hasNextPage"]:
            break
    assert found == expected
    assert totals["totalCount"] == len(found) + unknown


async def test_search_finds_what_the_lists_hold(subject: Subject) -> None:
    query = f"""query($owners: [OwnerInput!]!, $order: ItemOrder, $after: String) {{
      searchItems(owners: $owners, orderBy: $order, first: 4, after: $after) {{
        edges {{ node {{ {FIELDS} }} }} isComplete pageInfo {{ hasNextPage endCursor }} }} }}"""
    for order in ("NATURAL", "NAME", "QUANTITY_DESC"):
        seen: list[Any] = []
        after = None
        while True:
            answer = await subject.asked.ask(query, owners=[subject.owner] * 2, order=order, after=after)
            found = answer.whole()["searchItems"]
            assert found["isComplete"] is True
            seen += [edge["node"] for edge in found["edges"]]
            after = found["pageInfo"]["endCursor"]
            if not found["pageInfo"]["hasNextPage"]:
                break
        assert seen == await everything(subject, order=order)


async def test_search_tells_which_owners_are_missing(subject: Subject) -> None:
    owners = [subject.to(subject.world.unknown_owner), subject.owner, subject.to(subject.world.malformed_owners[0])]
    answer = await subject.asked.ask(
        """query($owners: [OwnerInput!]!) { searchItems(owners: $owners, first: 250) {
          nodes { id } isComplete totalCount problems { code ownerKey } } }""",
        owners=owners,
    )
    found = answer.whole()["searchItems"]
    assert len(found["nodes"]) == len(await everything(subject))
    assert found["isComplete"] is False
    assert found["totalCount"] is None
    assert found["problems"] == [
        {"code": "NOT_FOUND", "ownerKey": owners[0]["key"]},
        {"code": "INVALID_INPUT", "ownerKey": owners[2]["key"]},
    ]


async def test_search_knows_me_for_the_owner_it_is(subject: Subject) -> None:
    query = """query($owners: [OwnerInput!]!, $after: String) { searchItems(owners: $owners, first: 3, after: $after) {
      nodes { id } pageInfo { endCursor } } }"""
    owners = [subject.to(subject.world.me), subject.owner]
    found = (await subject.asked.ask(query, owners=owners)).whole()["searchItems"]
    cursor = found["pageInfo"]["endCursor"]
    # The cursor is good however the owner is spelled.
    rest = (await subject.asked.ask(query, owners=[subject.owner], after=cursor)).whole()["searchItems"]
    whole = [item["id"] for item in await everything(subject)]
    assert [item["id"] for item in (*found["nodes"], *rest["nodes"])] == whole[:6]
