"""The account that everybody in the benchmark serves, in the service's own format, made by plain arithmetic."""

from __future__ import annotations

from typing import Any

ACCOUNT = "Bench.1234"
CHARACTERS = [f"Hero{number:02}" for number in range(1, 21)]
SIZES = (20, 200, 2_000, 20_000)
"""How many slots the characters have that are there to see what a slot costs."""

BAG_SIZE = 20
BAGS = 5
ITEMS = range(19_000, 19_300)
"""The ids of the catalogue."""

_RARITIES = ("Basic", "Fine", "Masterwork", "Rare", "Exotic", "Ascended")
_EMPTY_EVERY = 5


def sized(slots: int) -> str:
    """Name the character that has so many slots; it is not listed among the account's own."""
    return f"Slots{slots}"


def definition(number: int) -> dict[str, Any]:
    """Give an entry of the catalogue."""
    return {
        "id": number,
        "chat_link": f"[&AgE{number:X}AAA=]",
        "name": f"Relic of the {number}th Day",
        "icon": f"https://render.guildwars2.com/file/{number * 2_654_435_761 % 2**64:016X}/{number}.png",
        "type": "Trophy",
        "rarity": _RARITIES[number % len(_RARITIES)],
        "level": number % 81,
        "vendor_value": number % 500,
        "flags": ["AccountBound"] if number % 2 else [],
        "game_types": ["Pve"],
        "restrictions": [],
    }


def inventory(slots: int, seed: int) -> dict[str, Any]:
    """Give the bags of a character; every fifth slot is empty."""
    bags = [
        {
            "id": 8_900 + start // BAG_SIZE,
            "size": BAG_SIZE,
            "inventory": [_stack(place, seed) for place in range(start, start + BAG_SIZE)],
        }
        for start in range(0, slots, BAG_SIZE)
    ]
    return {"bags": bags}


def _stack(place: int, seed: int) -> dict[str, Any] | None:
    if place % _EMPTY_EVERY == _EMPTY_EVERY - 1:
        return None
    stack: dict[str, Any] = {
        "id": ITEMS[(place * 37 + seed * 101) % len(ITEMS)],
        "count": 1 + (place * 7 + seed) % 250,
    }
    if place % 3 == 1:
        stack["binding"] = "Account"
    elif place % 3 == 2:
        stack |= {"binding": "Character", "bound_to": CHARACTERS[seed % len(CHARACTERS)]}
    if place % 4 == 0:
        stack |= {"skin": 4_000 + place % 100, "charges": place % 10}
    return stack


def documents() -> dict[str, Any]:
    """Give the account and the catalogue by path: what the service answers, and what `gateway import` reads."""
    found: dict[str, Any] = {
        "/v2/account": {
            "id": "C0FFEE00-0000-4000-8000-000000000001",
            "name": ACCOUNT,
            "age": 1_000_000,
            "world": 1_001,
            "guilds": [],
            "created": "2015-01-01T00:00:00Z",
            "access": ["GuildWars2"],
        },
        "/v2/characters": CHARACTERS,
        "/v2/items": [definition(number) for number in ITEMS],
    }
    for seed, name in enumerate(CHARACTERS):
        found[f"/v2/characters/{name}/inventory"] = inventory(BAGS * BAG_SIZE, seed)
    return found
