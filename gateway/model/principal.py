"""Principal: who is asking the gateway, and whose inventories it may read and change."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

_PATTERN = re.compile(r"\*|[a-z0-9]+/(\*|[^*\s\x00-\x1f\x7f]([^*\x00-\x1f\x7f]*[^*\s\x00-\x1f\x7f])?)")


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


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking: a name, for people, and what it may read and change; who may change may read."""

    name: str
    reads: Owners
    writes: Owners
    expires_at: float | None = field(default=None, compare=False)
    """When it ends to be one, in seconds since 1970; None for never."""

    @classmethod
    def of(cls, name: str, reads: Iterable[str], writes: Iterable[str], *, expires_at: float | None = None) -> Self:
        """Make it from patterns of owners; raises ValueError."""
        return cls(name, Owners.of(reads), Owners.of(writes), expires_at)

    def time_left(self) -> float | None:
        """Seconds until it ends; None for never."""
        return None if self.expires_at is None else max(0.0, self.expires_at - time.time())

    @property
    def is_everyone(self) -> bool:
        """Whether there is nothing that it may not do."""
        return self.writes.everyone

    def may_read(self, provider: str, owner: str) -> bool:
        """Say whether it may know of an owner."""
        return self.reads.has(provider, owner) or self.writes.has(provider, owner)

    def may_write(self, provider: str, owner: str) -> bool:
        """Say whether it may change an owner's inventory."""
        return self.writes.has(provider, owner)

    def named(self, provider: str) -> list[str]:
        """List the owners of a provider that it is told of one by one."""
        return sorted(owner for key, owner in self.reads.named | self.writes.named if key == provider)


EVERYONE = Principal.of("everyone", (), ("*",))
"""One who is let in to everything: by open access, or the settings' one token."""
