"""Over sockets an upstream lists containers, and what lies in them, as the local store does."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import CONTAINER, PAGE, WORLD, Pair, of_inventory, owner


@pytest.mark.parametrize(
    "selected",
    [
        f"containers {{ {PAGE} nodes {{ {CONTAINER} }} }}",
        f"containers(first: 2) {{ {PAGE} edges {{ cursor node {{ key }} }} }}",
        *(
            f"containers(kind: {kind}) {{ {PAGE} nodes {{ key }} }}"
            for kind in ("FOLDER", "CHARACTER", "BAG", "STORAGE", "COLLECTION", "VIEW", "AVATAR")
        ),
        "containers(first: 0) { totalCount }",
        f"containers {{ nodes {{ key items {{ {PAGE} nodes {{ key name quantity definition {{ key }} }} }} }} }}",
        """containers { nodes { key slots { id index key name isRequired allocatedAt
            item { key name quantity definition { key } } } } }""",
        f"containers {{ nodes {{ key containers {{ {PAGE} nodes {{ {CONTAINER} parent {{ key }} }} }} }} }}",
        f"containers {{ nodes {{ key descendants {{ {PAGE} nodes {{ {CONTAINER} slots {{ key }} }} }} }} }}",
        "containers { nodes { key descendants(maxDepth: 0) { nodes { key } } } }",
        "containers { nodes { key descendants(maxDepth: 1, first: 1) { totalCount nodes { key } } } }",
        "containers { nodes { slots { accepts { totalCount } } } }",
        """containers { nodes { ... on GuildWars2Character { bagSlots { index bag { key size definition { name } } }
            summary { race gender profession level guild
            age created deaths title crafting { discipline rating active } } }
            ... on GuildWars2Storage { category { name order itemIds } } } }""",
        f'container(key: "{WORLD.slotted}") {{ {CONTAINER} slots {{ key item {{ key }} }} items {{ {PAGE} }} }}',
        f'container(key: "{WORLD.nested}") {{ {CONTAINER} parent {{ key }} containers(first: 1) {{ {PAGE} }} }}',
        f'container(key: "{WORLD.unknown_container}") {{ key }}',
        *(f'container(key: "{key}") {{ key }}' for key in WORLD.malformed_containers),
    ],
)
def test_every_list_of_containers_is_answered_alike(pair: Pair, selected: str) -> None:
    answer = pair.ask(of_inventory(selected), owner=owner())
    assert "inventory" in answer.data
