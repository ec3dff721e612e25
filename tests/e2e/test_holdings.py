"""Over sockets an upstream lists holdings as the local store does: filters, orders, pages and sums."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import PAGE, WORLD, Pair, of_inventory, owner

ITEM = """id key name kind quantity acquiredAt container { key name } slot { key index }
definition { key name rarity kind icon description }
... on GuildWars2Item { binding boundTo charges skinId upgradeIds infusionIds dyeIds upgradeSlotIndices
  skin { key name } upgrades { key name } infusions { key name } dyes { key name cloth { rgb } }
  stats { id attributes { key amount } definition { name attributes { key multiplier value } } } }"""

ITEM_LISTS = [
    f"items {{ {PAGE} nodes {{ {ITEM} }} }}",
    f"items(first: 3) {{ {PAGE} nodes {{ key }} }}",
    f"items(last: 3) {{ {PAGE} nodes {{ key }} }}",
    *(
        f"items(orderBy: {order}) {{ {PAGE} edges {{ cursor node {{ key name quantity }} }} }}"
        for order in ("NATURAL", "NAME", "QUANTITY_DESC", "ACQUIRED_DESC", "SERIAL_ASC")
    ),
    *(
        f"items(filter: {{ {given} }}) {{ {PAGE} nodes {{ key name quantity }} }}"
        for given in (
            'kinds: ["CraftingMaterial", "Bag"]',
            "kinds: []",
            'kinds: ["Nothing"]',
            'rarities: ["Exotic", "Ascended"]',
            "isCollectible: true",
            "isCollectible: false",
            f'definitionKeys: ["{WORLD.definition}"]',
            f'definitionKeys: ["{WORLD.unheld}", "{WORLD.unknown_definition}", "x"]',
            "definitionKeys: []",
            "minQuantity: 0",
            "minQuantity: 5",
            "minQuantity: -1",
            f'text: "{WORLD.text}"',
            f'text: "{WORLD.text.upper()}"',
            'text: ""',
            'text: "%"',
            'text: "â"',
            f'text: "{WORLD.text}", minQuantity: 2, kinds: ["CraftingMaterial"]',
        )
    ),
    *(f"items({wrong}) {{ totalCount }}" for wrong in ("first: 0", "first: 251", "last: 0", "first: 1, last: 1")),
    'items(after: "x") { totalCount }',
    f"totals {{ {PAGE} edges {{ quantity node {{ key name }} }} }}",
    f"totals(first: 4) {{ {PAGE} edges {{ cursor quantity node {{ key }} }} }}",
    "totals(filter: { minQuantity: 0 }) { edges { quantity node { key } } }",
    'totals(filter: { kinds: ["CraftingMaterial"] }) { edges { quantity node { key } } }',
    "totals(first: 0) { totalCount }",
    "catalogue { totalCount }",
    "collectibles { totalCount }",
]


@pytest.mark.parametrize("selected", ITEM_LISTS)
def test_every_list_of_holdings_is_answered_alike(pair: Pair, selected: str) -> None:
    pair.ask(of_inventory(selected), owner=owner())
