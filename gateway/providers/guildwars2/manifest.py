"""What Guild Wars 2 is and can do."""

from __future__ import annotations

from gateway.model.manifest import (
    BackendKind,
    BudgetScope,
    CallBudget,
    Capability,
    CredentialPart,
    Kind,
    Limits,
    Manifest,
    ProviderKey,
)

_READS = frozenset({Capability.SLOTS, Capability.NESTED_CONTAINERS, Capability.OWNERSHIP_CHECK})

# The service is read-only, so neither backend declares a verb.
MANIFEST = Manifest(
    provider=ProviderKey.GUILD_WARS_2,
    title="Guild Wars 2",
    capabilities={BackendKind.LOCAL: _READS, BackendKind.UPSTREAM: _READS},
    limits=Limits(
        page_size=200,
        batch_size=200,
        stack_size=250,
        # The service counts by IP address, with or without a key.
        budget=CallBudget(burst=300, per_minute=300, scope=BudgetScope.ADDRESS),
        # It answers about an account from a cache of its own, for five minutes.
        watch_interval=300,
    ),
    credential_parts=(CredentialPart(key="key", title="API key"),),
    scopes=(
        "account",
        "builds",
        "characters",
        "guilds",
        "inventories",
        "progression",
        "pvp",
        "tradingpost",
        "unlocks",
        "wallet",
        "wvw",
    ),
    base_urls={"default": "https://api.guildwars2.com"},
    credential_hosts=(),
    kinds=tuple(
        Kind(key=key, title=title)
        for key, title in (
            ("Armor", "Armor"),
            ("Back", "Back item"),
            ("Bag", "Bag"),
            ("Consumable", "Consumable"),
            ("Container", "Container"),
            ("CraftingMaterial", "Crafting material"),
            ("Gathering", "Gathering tool"),
            ("Gizmo", "Gizmo"),
            ("JadeTechModule", "Jade bot module"),
            ("Key", "Key"),
            ("MiniPet", "Miniature"),
            ("PowerCore", "Power core"),
            ("Relic", "Relic"),
            ("Tool", "Tool"),
            ("Trait", "Trait guide"),
            ("Trinket", "Trinket"),
            ("Trophy", "Trophy"),
            ("UpgradeComponent", "Upgrade component"),
            ("Weapon", "Weapon"),
        )
    ),
)
