"""The contract's numbered behaviours, and the quirks of the README: each has a test that names it."""

from __future__ import annotations

from pathlib import Path

from gateway.providers import roblox
from tests.providers.contract import behaviours, check_readme

HERE = Path(__file__).parent
BEHAVIOURS = {
    1: "pages of ten, and of a hundred at most",
    2: "one details object, and no key with null",
    3: "ids are texts, serial numbers are numbers",
    4: "when it was added, but for passes",
    5: "collectible details only of collectibles",
    6: "any key reads a public inventory, and no key none",
    7: "a closed inventory opens to its owner's scoped key alone",
    8: "and to its owner's scoped token",
    9: "the keys of an owner share a quota",
    10: "a token has a quota of its own",
    11: "a quota that is used up is told",
    12: "ids and types do not mix",
    13: "only collectibles, which users did not make",
    14: "types unite",
    15: "ids that are not held are missing, copies are items",
    16: "filters raw and quoted",
    17: "truth in any case",
    18: "a page token is bound to its filter",
    19: "and to its user",
    20: "a changed token is refused",
    21: "pages of any size cover all once",
    22: "paths tell the copy and stay",
    23: "the last page has an empty token",
    24: "what needs consent is refused or left out",
    25: "bad questions have the cloud's envelope",
    26: "ends of v1 lists are null",
    27: "back leads to the page before",
    28: "an empty cursor is none",
    29: "sizes that are not allowed are refused",
    30: "by number, and in exact reverse",
    31: "hidden is told, and can be asked",
    32: "item types and their refusals",
    33: "not owned is empty, or false",
    34: "the instance's key is always there",
    35: "each copy is listed",
    36: "the handshake",
    37: "no session is unauthorized",
    38: "what a collection refuses",
    39: "what is removed from a collection",
    40: "writers at once",
    41: "errors have numbers",
    42: "tabs of places",
    43: "free places, and creators",
    44: "large ids survive",
    45: "both dialects tell of the same copies",
    46: "our client follows pages, and not for ever",
    47: "our client does the handshake once",
    48: "our client waits",
    49: "our client follows no redirect and tells no secret",
    50: "our client reads what it does not know",
}


def test_every_behaviour_of_the_contract_has_a_test_that_names_it() -> None:
    assert sorted(behaviours(HERE)) == sorted(BEHAVIOURS)
    assert set(BEHAVIOURS) == set(range(1, 51))


def test_the_readme_names_tests_and_places_that_exist() -> None:
    check_readme(roblox, HERE, least=30)
