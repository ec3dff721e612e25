"""What a Roblox inventory is and can do."""

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

_BOTH = frozenset(
    {
        Capability.ADD_TO_COLLECTION,
        Capability.REMOVE_FROM_COLLECTION,
        Capability.COLLECTIBLES,
        Capability.OWNERSHIP_CHECK,
        Capability.NESTED_CONTAINERS,
    }
)

COOKIE, KEY, TOKEN = "cookie", "key", "token"
"""The parts of a credential."""

READ = "user.inventory-item:read"
"""The scope that opens a private inventory: "Inventory: Read" of an API key."""

MANIFEST = Manifest(
    provider=ProviderKey.ROBLOX,
    title="Roblox",
    capabilities={
        BackendKind.LOCAL: _BOTH
        | {
            Capability.TRANSACTIONS,
            Capability.CONDITIONAL_WRITES,
            Capability.SIMULATE,
            Capability.ATOMIC_LISTS,
            Capability.DELETE_ITEMS,
        },
        # The service adds and removes one thing a call, on no condition.
        BackendKind.UPSTREAM: _BOTH,
    },
    # Of the cloud, by the owner of the API key.
    limits=Limits(
        page_size=100,
        batch_size=50,
        stack_size=1,
        budget=CallBudget(burst=100, per_minute=100, scope=BudgetScope.CREDENTIAL),
        watch_interval=120,
    ),
    credential_parts=(
        CredentialPart(key=COOKIE, title="session cookie"),
        CredentialPart(key=KEY, title="API key"),
        CredentialPart(key=TOKEN, title="access token"),
    ),
    scopes=(READ,),
    base_urls={
        "inventory": "https://inventory.roblox.com",
        "cloud": "https://apis.roblox.com",
        "users": "https://users.roblox.com",
    },
    credential_hosts=(),
    kinds=(
        Kind(key="Asset", title="Assets"),
        Kind(key="Badge", title="Badges"),
        Kind(key="GamePass", title="Passes"),
        Kind(key="Bundle", title="Bundles"),
        Kind(key="Place", title="Places"),
        Kind(key="PrivateServer", title="Private servers"),
    ),
)

TOKEN_BUDGET = CallBudget(burst=20, per_minute=20, scope=BudgetScope.CREDENTIAL)
"""How often one access token may call the cloud."""

WEB_BUDGET = CallBudget(burst=1_000, per_minute=1_000, scope=BudgetScope.CREDENTIAL)
"""How often v1 is called at most; its real limits differ by call and change: what it says is obeyed."""
