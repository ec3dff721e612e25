"""Vault: the credentials that callers leave here for the services, encrypted at rest."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from datetime import datetime
from typing import Any

import orjson
import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from gateway.model.credentials import Credential
from gateway.model.errors import GatewayError, Internal
from gateway.model.ids import OwnerRef
from gateway.model.ports import Account, Clock, SealedAccounts
from gateway.model.principal import NOBODY, Principal
from gateway.settings import VaultSettings

_log = structlog.get_logger("gateway.backends")


class BadVault(Exception):
    """The settings of the vault cannot be used; the message says why, and shows no key."""


class Vault:
    """Keeps the accounts that principals link: of each provider one, which a later one replaces.

    With a credential is sealed whose it is and for which provider: one that was moved to another row of the store is
    no good there. The keys are those of cryptography's Fernet; the first seals.
    """

    def __init__(self, store: SealedAccounts, keys: Sequence[str], clock: Clock) -> None:
        """Raises BadVault."""
        self._store = store
        self._clock = clock
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise BadVault("vault.keys: a key is malformed; `gateway vault key` makes one.") from None

    async def linked(self, principal: Principal) -> list[Account]:
        """Give a principal's accounts; one statement of the store."""
        if principal.subject is None:
            return []
        own = principal.with_own()
        with _told():
            kept = await self._store.accounts_of(principal.subject)
        return [
            Account(*one[:2], self._opened(principal.subject, one.owner.provider, one.sealed, own), one.sealed)
            for one in kept
        ]

    async def link(self, principal: Principal, owner: OwnerRef, credential: Credential) -> Account:
        """Keep a credential, whose owner is known, until it is unlinked or replaced."""
        subject = _subject(principal)
        sealed = self._sealed(subject, credential)
        at = self._clock()
        with _told():
            await self._store.put_account(subject, owner, sealed, at)
        return Account(owner, at, credential, sealed)

    async def renew(self, principal: Principal, account: Account) -> bool:
        """Keep what the service goes on with for an account, unless that was unlinked or replaced meanwhile.

        Where the store cannot, that is logged: nobody waits for it, and whoever uses the account next tries again.
        """
        newer = account.credential.newer()
        if newer is None:
            return False
        subject, provider = _subject(principal), account.owner.provider
        try:
            return await self._store.replace_seal(subject, provider, account.sealed, self._sealed(subject, newer))
        except GatewayError as error:
            _log.error("vault_failed", exc_info=error)
            return False

    async def unlink(self, principal: Principal, provider: str) -> tuple[OwnerRef, datetime] | None:
        """Forget a credential, and tell whose it was and since when it was kept; None where there was none."""
        with _told():
            gone = await self._store.remove_account(_subject(principal), provider)
        return None if gone is None else gone[:2]

    async def rotate(self, *, drop: bool = False) -> int:
        """Seal every account with the first key, all or none, and count them.

        One that no key opens is dropped with `drop`; without, it is a BadVault, and nothing is changed.
        """

        def rotated(subject: str, provider: str, sealed: str) -> str | None:
            try:
                return self._fernet.rotate(sealed.encode()).decode()
            except InvalidToken:
                if drop:
                    return None
                whose = f"An account of {provider}, of the principal {subject},"
                raise BadVault(f"{whose} was sealed with none of vault.keys; nothing was changed.") from None

        return await self._store.reseal_accounts(rotated)

    def _sealed(self, subject: str, credential: Credential) -> str:
        return self._fernet.encrypt(orjson.dumps([subject, credential.provider, credential.reveal()])).decode()

    def _opened(self, subject: str, provider: str, sealed: str, principal: Principal) -> Credential:
        try:
            found: list[Any] = orjson.loads(self._fernet.decrypt(sealed.encode()))
        except InvalidToken:
            found = []
        if found[:2] != [subject, provider]:
            _log.error("account_not_opened", provider=provider)
            # Not as though none were linked: the gateway's own would then be used in its place.
            return Credential(provider, is_stranger=True, principal=NOBODY)
        return Credential(provider, found[2], principal=principal)


@contextlib.contextmanager
def _told() -> Generator[None]:
    """Have a fault of the store logged, since a client is told nothing of its cause."""
    try:
        yield
    except Internal as error:
        _log.error("vault_failed", exc_info=error)
        raise


def vault(settings: VaultSettings, store: SealedAccounts, clock: Clock) -> Vault | None:
    """Open the vault of the settings; None where they have no keys. Raises BadVault."""
    return Vault(store, [key.get_secret_value() for key in settings.keys], clock) if settings.keys else None


def new_key() -> str:
    """Make a key."""
    return Fernet.generate_key().decode()


def _subject(principal: Principal) -> str:
    if principal.subject is None:
        raise ValueError("a principal that is nobody in particular has no accounts")
    return principal.subject
