"""The cloud's filter: what is written is read back, whatever its spaces, its order and its case."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.errors import InvalidInput
from gateway.providers.roblox.filters import MOST_IDS, WHOLE, parse_filter, render_ids, render_shelves
from gateway.providers.roblox.keys import ASSET, BADGE, PASS, SERVER, key_of
from gateway.providers.roblox.vocabulary import CLOUD_ASSETS, SHELVES

LISTED = st.lists(st.sampled_from(WHOLE.shelves), unique=True, min_size=1)
KEYS = st.lists(
    st.builds(key_of, st.sampled_from((ASSET, BADGE, PASS, SERVER)), st.integers(1, 2**63 - 1)),
    unique=True,
    min_size=1,
    max_size=50,
)


@given(LISTED)
def test_shelves_are_read_back(shelves: list[str]) -> None:
    text = render_shelves(shelves)
    assert text is not None
    assert {*parse_filter(text).shelves} == {*shelves}


@given(KEYS)
def test_ids_are_read_back(keys: list[str]) -> None:
    found = parse_filter(render_ids(keys)).keys
    assert found is not None
    assert {*found} == {*keys}


def test_what_the_cloud_does_not_list_is_asked_for_by_no_filter() -> None:
    assert render_shelves([shelf for shelf in SHELVES if shelf not in WHOLE.shelves]) is None
    assert render_shelves(SHELVES) == ""
    assert render_shelves(CLOUD_ASSETS) == "inventoryItemAssetTypes=*"


SPACE = st.sampled_from(("", " ", "  "))


@given(st.permutations(["badges", "gamePasses", "privateServers"]), st.data())
def test_spaces_order_and_the_case_of_truth_do_not_matter(names: list[str], data: st.DataObject) -> None:
    clauses = [
        f"{data.draw(SPACE)}{name}{data.draw(SPACE)}={data.draw(SPACE)}"
        f"{data.draw(st.sampled_from(('true', 'True', 'TRUE')))}{data.draw(SPACE)}"
        for name in names
    ]
    end = data.draw(st.sampled_from(("", ";", " ; ")))
    assert {*parse_filter(";".join(clauses) + end).shelves} == {BADGE, PASS, SERVER}


@given(st.text(alphabet="abIds=;,*1 true\u00e9badges", max_size=60))
@settings(max_examples=300)
def test_no_text_breaks_it(text: str) -> None:
    try:
        parse_filter(text)
    except InvalidInput as error:
        assert error.message == "The provided filter is invalid."  # noqa: PT017 -- both are good


def test_the_number_of_ids_is_bounded_over_all_fields() -> None:
    most = ",".join(map(str, range(1, MOST_IDS)))
    assert parse_filter(f"assetIds={most};badgeIds=1").keys
    with pytest.raises(InvalidInput):
        parse_filter(f"assetIds={most};badgeIds=1,2")
