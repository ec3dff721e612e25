"""The contract's numbered behaviours, and the quirks of the README: each has a test that names it."""

from __future__ import annotations

from pathlib import Path

from gateway.providers import guildwars2
from tests.providers.contract import behaviours, check_readme

HERE = Path(__file__).parent
BEHAVIOURS = {
    1: "an empty bag slot keeps its place, and is no capacity",
    2: "empty bag slots at the end are kept",
    3: "empty slots keep their index, and are free",
    4: "stacks of one item are stacks of their own, and sum up",
    5: "names are percent-encoded once",
    6: "a key in the header, a key in the query; the header wins",
    7: "the key is never told",
    8: "a key for names may list them, and is told which scope the inventory takes",
    9: "no key and a bad key are UNAUTHENTICATED, whatever the status",
    10: "a partial answer is a success",
    11: "a batch of unknown ids is empty, no failure",
    12: "two hundred ids a call, each once",
    13: "a batch is matched by id",
    14: "a call for each endpoint, however many stacks",
    15: "a stack of an unknown item has no definition",
    16: "attributes of any name come through",
    17: "upgrades fill the slots that are named",
    18: "null and colour 1 are undyed",
    19: "whom a stack is bound to counts only with `Character`",
    20: "unknown words pass through",
    21: "two keys never see each other's data",
    22: "what is kept is not asked for again until it is stale; of accounts nothing is kept unless told to",
    23: "a limit is waited for by all, within the deadline",
    24: "what is switched off is not tried again, HTML is",
    25: "pages and sizes out of range are refused, naming what there is",
    26: "pages tell where they stand",
    27: "the total is the endpoint's",
    28: "empty materials are listed, hidden until asked for; 750 is legal",
    29: "a character leaves its bags out without the scope",
    30: "a key has a type from a version on",
    31: "a subtoken is good for its paths",
    32: "what is served is read back, byte for byte",
}


def test_every_behaviour_of_the_contract_has_a_test_that_names_it() -> None:
    assert sorted(behaviours(HERE)) == sorted(BEHAVIOURS)
    assert set(BEHAVIOURS) == set(range(1, 33))


def test_the_readme_names_tests_and_places_that_exist() -> None:
    check_readme(guildwars2, HERE, least=31)
