"""What a community's inventory is and can do."""

from __future__ import annotations

from gateway.model.manifest import BackendKind, Capability, CredentialPart, Limits, Manifest, ProviderKey

_BOTH = frozenset(
    {
        Capability.ALLOCATE_SLOTS,
        Capability.MINT_AVATAR,
        Capability.ATOMIC_LISTS,
        Capability.SLOTS,
        Capability.COLLECTIBLES,
        Capability.CATALOGUE,
        Capability.OWNERSHIP_CHECK,
    }
)

MANIFEST = Manifest(
    provider=ProviderKey.COMMUNITY,
    title="Community",
    capabilities={
        BackendKind.LOCAL: _BOTH | {Capability.TRANSACTIONS, Capability.CONDITIONAL_WRITES, Capability.SIMULATE},
        # The service takes none of these, and pretending them would not make them hold.
        BackendKind.UPSTREAM: _BOTH,
    },
    limits=Limits(page_size=100, batch_size=100, stack_size=None, budget=None, watch_interval=30),
    credential_parts=(
        CredentialPart(key="session", title="session token"),
        CredentialPart(key="refresh", title="refresh token"),
    ),
    scopes=(),
    # Its document leaves the host blank: it must be set.
    base_urls={"default": ""},
    credential_hosts=(),
    kinds=(),
)
