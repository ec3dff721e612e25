"""What Second Life's inventory is and can do."""

from __future__ import annotations

from gateway.model.manifest import BackendKind, Capability, CredentialPart, Kind, Limits, Manifest, ProviderKey
from gateway.providers.secondlife.keys import ASSETS, INVENTORY_PART, LIBRARY_PART, SEED_PART

_BOTH = frozenset(
    {
        Capability.CREATE_CONTENTS,
        Capability.ENSURE_SPECIAL_CONTAINER,
        Capability.UPDATE_CONTAINERS,
        Capability.UPDATE_ITEMS,
        Capability.COPY_CONTAINERS,
        Capability.DELETE_CONTAINERS,
        Capability.DELETE_ITEMS,
        Capability.CLEAR_CONTAINER,
        Capability.REPLACE_CONTENTS,
        Capability.SIMULATE,
        Capability.NESTED_CONTAINERS,
    }
)

MANIFEST = Manifest(
    provider=ProviderKey.SECOND_LIFE,
    title="Second Life",
    capabilities={
        BackendKind.LOCAL: _BOTH
        | {
            Capability.MOVE_CONTAINERS,
            Capability.MOVE_ITEMS,
            Capability.COPY_ITEMS,
            Capability.COPY_CONTENTS,
            Capability.MOVE_CONTENTS,
            Capability.TRANSACTIONS,
            Capability.CONDITIONAL_WRITES,
            Capability.ATOMIC_LISTS,
        },
        # The service neither moves anything nor copies an item. It tells a repeat from the first time, but not what
        # came of that; and its conditions are on documents, not on versions.
        BackendKind.UPSTREAM: _BOTH,
    },
    limits=Limits(page_size=None, batch_size=20, stack_size=1, budget=None, watch_interval=30),
    credential_parts=(
        CredentialPart(key=INVENTORY_PART, title="inventory capability"),
        CredentialPart(key=LIBRARY_PART, title="library capability"),
        CredentialPart(key=SEED_PART, title="seed capability"),
    ),
    scopes=(),
    # A capability is an address, and different for everyone; where this is set, one may be given without its address.
    base_urls={"default": ""},
    credential_hosts=("agni.secondlife.io", "aditi.secondlife.io", "agni.lindenlab.com", "aditi.lindenlab.com"),
    kinds=tuple(Kind(key=word, title=word.replace("_", " ").capitalize()) for word in ASSETS.values()),
)
