"""The contract's numbered behaviours, and the quirks of the README: each has a test that names it."""

from __future__ import annotations

from pathlib import Path

from gateway.providers import community
from tests.providers.contract import behaviours, check_readme

HERE = Path(__file__).parent
BEHAVIOURS = {
    1: "a bad request is told in two fixed words",
    2: "the three names of a 401 are told apart, whatever their case",
    3: "a write's empty answer breaks nothing",
    4: "a write is answered 201, without a byte",
    5: "slots and avatar need a user",
    6: "onlyOwned is told in words",
    7: "the word false is not true",
    8: "what of a slot's items is owned, is owned by the session's user",
    9: "what of all items is owned, is owned by the user that is named",
    10: "pages and limits",
    11: "one bad entry, and nothing is changed",
    12: "empty text and null clear, an absent key refuses",
    13: "two slots are swapped in one call",
    14: "one copy lies in one slot",
    15: "what does not exist comes before what does not fit",
    16: "a slot twice, an empty list, no list",
    17: "the same again changes nothing",
    18: "many at once lose no slot",
    19: "who never allocated is at version 0, who is unknown is not found",
    20: "a mint is made once for a version and a blockchain",
    21: "an unknown chain, an empty avatar and no wallet are refused",
    22: "a mint that failed is tried again",
    23: "an unknown community, and the slot of another one",
    24: "one renewal for all who wait, and a write is sent once more",
    25: "an expired refresh token ends it",
    26: "a failing read is tried again, a failing write never",
    27: "what is unknown survives, wrapped lists are lists",
    28: "the kit is the same for all",
    29: "a lost item empties its slot, and the version rises once",
    30: "our client against our server gives the store's graph",
}


def test_every_behaviour_of_the_contract_has_a_test_that_names_it() -> None:
    assert sorted(behaviours(HERE)) == sorted(BEHAVIOURS)
    assert set(BEHAVIOURS) == set(range(1, 31))


def test_the_readme_names_tests_and_places_that_exist() -> None:
    check_readme(community, HERE, least=40)
