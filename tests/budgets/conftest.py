"""Accounts of a known size, so that what a query costs can be pinned and seen not to grow with it."""

from __future__ import annotations

from typing import Any

from tests.providers.guildwars2.service import entry

OWNER = {"provider": "GUILD_WARS_2", "key": "Budget.1234"}


def account(*, characters: int, items: int) -> dict[str, Any]:
    """Give the documents of an account: each character has two bags, each bag so many items, no two alike."""
    names = [f"Hero {number:02}" for number in range(characters)]
    documents: dict[str, Any] = {
        "/v2/account": {"id": "00000000-0000-0000-0000-000000000001", "name": OWNER["key"]},
        "/v2/characters": names,
    }
    used: set[int] = set()
    for place, name in enumerate(names):
        bags: list[Any] = []
        for bag in range(2):
            ids = [1_000 + (place * 2 + bag) * items + index for index in range(items)]
            used.update(ids)
            slots = [
                {
                    "id": number,
                    "count": 1,
                    "skin": 5_000 + number % 7,
                    "upgrades": [900 + number % 3],
                    "stats": {"id": 161},
                    "dyes": [6, None],
                }
                for number in ids
            ]
            bags.append({"id": 100 + bag, "size": items + 2, "inventory": [*slots, None, None]})
        documents[f"/v2/characters/{name}/inventory"] = {"bags": bags}
    documents["/v2/account/bank"] = [{"id": 900, "count": 3}, None]
    documents["/v2/account/inventory"] = [None]
    documents["/v2/account/materials"] = [{"id": 901, "category": 5, "count": 7}]
    documents["/v2/items"] = [
        {**entry(number), "icon": f"https://render.guildwars2.com/file/{number}.png"}
        for number in sorted({*used, 100, 101, 900, 901, 902})
    ]
    documents["/v2/skins"] = [
        {"id": 5_000 + number, "name": f"Skin {number}", "type": "Back", "flags": [], "restrictions": []}
        for number in range(7)
    ]
    documents["/v2/itemstats"] = [{"id": 161, "name": "Berserker's", "attributes": []}]
    dye = {"brightness": 1, "contrast": 1, "hue": 1, "saturation": 1, "lightness": 1, "rgb": [1, 2, 3]}
    documents["/v2/colors"] = [
        {"id": 6, "name": "Sky", "base_rgb": [1, 2, 3], "cloth": dye, "leather": dye, "metal": dye, "categories": []}
    ]
    documents["/v2/materials"] = [{"id": 5, "name": "Cooking Materials", "items": [901], "order": 1}]
    return documents
