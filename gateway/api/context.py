"""The context of one operation: its loaders."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Self

from gateway.api.loaders import DERIVED, Loaders
from gateway.model.credentials import Caller
from gateway.model.ports import Account, Backend, Vault
from gateway.model.relations import Keyed


class Context:
    """What resolvers reach through `info.context`; one per operation, so that nothing read is older than it."""

    def __init__(
        self,
        backends: Mapping[str, Backend],
        caller: Caller,
        vault: Vault | None = None,
        accounts: Sequence[Account] = (),
    ) -> None:
        """`accounts` are those that the caller has linked."""
        self.vault = vault
        self.loaders = Loaders(backends, caller, accounts)

    @classmethod
    async def opened(cls, backends: Mapping[str, Backend], vault: Vault | None, caller: Caller) -> Self:
        """Open the context of a caller, with the accounts that they have linked."""
        if vault is None or caller.principal.subject is None:
            return cls(backends, caller, vault)
        return cls(backends, caller, vault, await vault.linked(caller.principal))

    def load(self, loader: str, key: Keyed) -> Awaitable[Any]:
        """Give the value of one key of the loader of that name."""
        return self.loaders.load(loader, key)

    def load_many(
        self, loader: str, provider: str, keys: Sequence[Any], *, alone: bool = False
    ) -> Awaitable[Mapping[Any, Any]]:
        """Give the values, or errors, of unique keys of one provider; see `Loaders.load_many`."""
        return self.loaders.load_many(loader, provider, keys, alone=alone)

    def ask(self, loader: str, provider: str, keys: Sequence[Any]) -> None:
        """Ask for unique keys that `load_many` will be awaited for."""
        self.loaders.loader(loader, provider).ask(keys)

    def reads_alone(self, loader: str) -> bool:
        """Say whether a loader reads each key by itself."""
        return loader in DERIVED

    async def aclose(self) -> None:
        """End the operation: what is still being read for it is cancelled, and newer credentials are kept."""
        await self.loaders.aclose()
        if self.vault is not None:
            for account in self.loaders.used.values():
                await self.vault.renew(self.loaders.caller.principal, account)
