"""InventoryProvider: what the schema shows of a provider's manifest."""

from __future__ import annotations

from gateway.model.manifest import BackendKind, Capability, Manifest, ProviderKey
from gateway.model.relations import attribute, graph_type


@graph_type
class ItemKind:
    """A word that `Item.kind` may show at this provider."""

    key: str = attribute("The word.")
    title: str = attribute("What people call it.")


@graph_type
class ProviderLimits:
    """The provider's own limits; null where it states none."""

    page_size: int | None = attribute("The most entries of one page of its own.")
    batch_size: int | None = attribute("The most ids of one bulk call.")
    stack_size: int | None = attribute("The most units in one holding.")
    requests_per_minute: int | None = attribute("How often it may be called.")


@graph_type
class InventoryProvider:
    """A service whose inventories this gateway shows, and what its backend in use can do."""

    key: ProviderKey = attribute("The provider.")
    title: str = attribute("What people call it.")
    backend: BackendKind = attribute("Where its inventories come from.")
    capabilities: list[Capability] = attribute("What the backend in use can do.")
    limits: ProviderLimits = attribute("The provider's own limits.")
    kinds: list[ItemKind] = attribute("The kinds of item that it is known to have; it may grow others.")


def shown(manifest: Manifest, backend: BackendKind) -> InventoryProvider:
    """Show a manifest as the schema does."""
    limits = manifest.limits
    return InventoryProvider(
        key=manifest.provider,
        title=manifest.title,
        backend=backend,
        capabilities=[capability for capability in Capability if capability in manifest.capabilities[backend]],
        limits=ProviderLimits(
            page_size=limits.page_size,
            batch_size=limits.batch_size,
            stack_size=limits.stack_size,
            requests_per_minute=limits.budget.per_minute if limits.budget else None,
        ),
        kinds=[ItemKind(key=kind.key, title=kind.title) for kind in manifest.kinds],
    )
