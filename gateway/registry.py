"""Every provider, by hand, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gateway.model.errors import InvalidInput
from gateway.providers.community import PROVIDER as COMMUNITY
from gateway.providers.guildwars2 import PROVIDER as GUILDWARS2
from gateway.providers.provider import Provider
from gateway.providers.roblox import PROVIDER as ROBLOX
from gateway.providers.secondlife import PROVIDER as SECONDLIFE

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {provider.key: provider for provider in (GUILDWARS2, COMMUNITY, SECONDLIFE, ROBLOX)}
)
"""The providers by key, in the order in which they are shown."""

MANIFESTS = tuple(provider.manifest for provider in PROVIDERS.values())
"""What each of them declares."""

STORED = tuple(kind for provider in PROVIDERS.values() for kind in (*provider.types, *provider.documents))
"""Every type that the store may hold."""


def is_owner(provider: str, owner: str) -> bool:
    """Say whether there is such a provider, and whether this can be an owner's key there; `*` stands for all."""
    found = PROVIDERS.get(provider)
    try:
        if found is not None and owner != "*":
            found.rules.check_owner(owner)
    except InvalidInput:
        return False
    return found is not None


def examples() -> Mapping[str, str]:
    """Read the example operations of each; only a page needs them."""
    return {key: provider.examples for key, provider in PROVIDERS.items()}
