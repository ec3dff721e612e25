"""The contract's numbered behaviours, and the quirks of the README: each has a test that names it."""

from __future__ import annotations

from pathlib import Path

from gateway.providers import secondlife
from tests.providers.contract import behaviours, check_readme

HERE = Path(__file__).parent
BEHAVIOURS = {
    1: "a second use of a transaction id is 409, and writes nothing",
    2: "only what was committed consumes an id, and of two at once one commits",
    3: "a repeat is told before a condition",
    4: "a condition that does not hold is 412, with the current tags",
    5: "an answer that has not changed is 304",
    6: "tags differ by form, depth and resource",
    7: "simulation answers alike and writes nothing",
    8: "depths and ids are what they must be",
    9: "the comma of viewers",
    10: "the label of a body counts only where there is one",
    11: "the form of answers, errors too",
    12: "so many generations are expanded",
    13: "keys are ids, links are no items",
    14: "what is made is embedded and listed",
    15: "one version for each folder and request",
    16: "the map of versions lists nothing that is gone",
    17: "a removal is told in a map, never in silence",
    18: "what is gone is 410 to remove, 404 to read",
    19: "a removed folder is told whole, with the links to it",
    20: "a special folder is made once",
    21: "links are replaced in one step",
    22: "a whole item is taken, and what cannot change is ignored",
    23: "values in every form that clients send",
    24: "masks that do not contradict each other",
    25: "a change of the parent moves, or is refused in strict mode",
    26: "no folder lies in itself",
    27: "where from and where to",
    28: "system folders stay",
    29: "what may not be copied is moved",
    30: "the library is only read and copied from",
    31: "another agent's things are not there",
    32: "errors tell nothing that is taken for an object",
    33: "the links of the current outfit",
    34: "none clears, absence leaves",
    35: "a link is pointed elsewhere",
    36: "all is made, or nothing",
    37: "what is too large is refused, never cut",
    38: "what lies nowhere is an orphan",
    39: "a free id may be chosen",
    40: "Location and Content-Location",
}


def test_every_behaviour_of_the_contract_has_a_test_that_names_it() -> None:
    assert sorted(behaviours(HERE)) == sorted(BEHAVIOURS)
    assert set(BEHAVIOURS) == set(range(1, 41))


def test_the_readme_names_tests_and_places_that_exist() -> None:
    check_readme(secondlife, HERE, least=30)
