"""Principal: who is asking the gateway, and whose inventories it may read and change."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, Self, TypeAlias

_PATTERN = re.compile(r"\*|[a-z0-9]+/(\*|[^*\s\x00-\x1f\x7f]([^*\x00-\x1f\x7f]*[^*\s\x00-\x1f\x7f])?)")

Scope: TypeAlias = Literal["read", "write", "link"]
"""What a token may be good for: to read, to change (and so to read), to link accounts."""

SCOPES: tuple[Scope, ...] = ("read", "write", "link")
"""All of them."""


@dataclass(frozen=True, slots=True)
class Owners:
    """A set of owners, of whole providers, or of everyone."""

    everyone: bool
    providers: frozenset[str]
    named: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, patterns: Iterable[str]) -> Self:
        """Read `*`, `<provider>/*` and `<provider>/<owner key>`; raises ValueError for anything else."""
        given = list(patterns)
        for pattern in given:
            if not _PATTERN.fullmatch(pattern):
                raise ValueError(f"`{pattern}` names no owners: it is `*`, `PROVIDER/*` or `PROVIDER/OWNER`")
        pairs = [tuple(pattern.split("/", 1)) for pattern in given if pattern != "*"]
        return cls(
            everyone="*" in given,
            providers=frozenset(provider for provider, owner in pairs if owner == "*"),
            named=frozenset((provider, owner) for provider, owner in pairs if owner != "*"),
        )

    def has(self, provider: str, owner: str) -> bool:
        """Say whether an owner is among them."""
        return self.everyone or provider in self.providers or (provider, owner) in self.named


ALL, NONE = Owners.of(("*",)), Owners.of(())
"""Everyone, and nobody."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking: a name, for people, and what it may read and change; who may change may read."""

    name: str
    reads: Owners
    writes: Owners
    scopes: frozenset[Scope] = frozenset(SCOPES)
    subject: str | None = None
    """What tells it from all others, for as long as there is one of that name; None where it is nobody in particular:
    many may hold one token."""
    expires_at: float | None = field(default=None, compare=False)
    """When it ends to be one, in seconds since 1970; None for never."""

    @classmethod
    def of(
        cls,
        name: str,
        reads: Iterable[str],
        writes: Iterable[str],
        *,
        scopes: Iterable[Scope] = SCOPES,
        subject: str | None = None,
        expires_at: float | None = None,
    ) -> Self:
        """Make it from patterns of owners; raises ValueError."""
        return cls(name, Owners.of(reads), Owners.of(writes), frozenset(scopes), subject, expires_at)

    def with_own(self) -> Self:
        """Give it in the use of a credential of its own, which is good for whatever it is good for at the service."""
        # Who may change may read.
        return self if self.writes.everyone else dataclasses.replace(self, writes=ALL)

    def time_left(self) -> float | None:
        """Seconds until it ends; None for never."""
        return None if self.expires_at is None else max(0.0, self.expires_at - time.time())

    @property
    def is_everyone(self) -> bool:
        """Whether there is no inventory that it may not change."""
        return self.writes.everyone and "write" in self.scopes

    def may_read(self, provider: str, owner: str) -> bool:
        """Say whether it may know of an owner."""
        if not self.scopes & {"read", "write"}:
            return False
        return self.reads.has(provider, owner) or self.writes.has(provider, owner)

    def may_read_any(self, provider: str) -> bool:
        """Say whether there is anyone at a provider whom it may know of."""
        known = (self.reads, self.writes)
        whole = any(one.everyone or provider in one.providers for one in known)
        return bool(self.scopes & {"read", "write"}) and (whole or bool(self.named(provider)))

    def may_write(self, provider: str, owner: str) -> bool:
        """Say whether it may change an owner's inventory."""
        return "write" in self.scopes and self.writes.has(provider, owner)

    @property
    def may_link(self) -> bool:
        """Whether it may keep credentials of its own here."""
        return self.subject is not None and "link" in self.scopes

    def named(self, provider: str) -> list[str]:
        """List the owners of a provider that it is told of one by one, and may read."""
        named = sorted(owner for key, owner in self.reads.named | self.writes.named if key == provider)
        return [owner for owner in named if self.may_read(provider, owner)]


EVERYONE = Principal("everyone", NONE, ALL)
"""One who is let in to everything: by open access, or the settings' one token."""

NOBODY = Principal("nobody", NONE, NONE, frozenset())
"""One who may do nothing."""
