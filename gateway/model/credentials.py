"""What a caller proves itself with to a provider, and the partition that its answers belong to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeVar

import structlog

from gateway.model.errors import FAULT, Internal
from gateway.model.principal import EVERYONE, Principal
from gateway.telemetry import Figure

V = TypeVar("V")

_log = structlog.get_logger("gateway.model")

ANONYMOUS, STRANGER = "anonymous", "stranger"
"""The partitions of those without a credential: who is trusted for it, and who is not."""


class Credential:
    """The parts of one caller's credential for one provider, such as `{"key": "..."}`; empty means none.

    `partition` names the credential without revealing it (a BLAKE2b digest): the key of every cache entry, loader,
    budget and shared flight holds it, so that what one credential has read is never served to another.
    Neither `repr` nor `str` shows a part.
    """

    __slots__ = ("_newer", "_parts", "is_stranger", "partition", "principal", "provider")

    def __init__(
        self,
        provider: str,
        parts: Mapping[str, str] | None = None,
        *,
        is_stranger: bool = False,
        principal: Principal = EVERYONE,
    ) -> None:
        """A stranger has no credential and is not trusted for it: it sees what anyone may see.

        The `principal` is whom the gateway lets use it: one's own credential may be used for all that it is good for.
        """
        self.principal = principal
        self.provider = provider
        self.is_stranger = is_stranger
        self._parts = dict(parts or {})
        self._newer: dict[str, str] = {}
        self.partition = STRANGER if is_stranger else ANONYMOUS
        if self._parts:
            digest = hashlib.blake2b(digest_size=16)
            for name, secret in sorted(self._parts.items()):
                digest.update(f"{len(name)}:{name}{len(secret)}:{secret}".encode())
            self.partition = digest.hexdigest()

    def used_by(self, principal: Principal) -> Credential:
        """Give the same credential in the hands of a principal, who may not do all that it is good for."""
        return Credential(self.provider, self._parts, is_stranger=self.is_stranger, principal=principal)

    def reveal(self) -> dict[str, str]:
        """Give all secret parts, for those who encrypt them."""
        return dict(self._parts)

    def part(self, name: str) -> str | None:
        """Give one secret part, None where the caller has none."""
        return self._parts.get(name)

    def note_newer(self, name: str, secret: str) -> None:
        """Note that the service has accepted a newer secret, which it gave itself, in the place of a part.

        It is for those who keep the credential: this one, and its partition, stay what they are.
        """
        self._newer[name] = secret

    def newer(self) -> Credential | None:
        """Give the credential that the service goes on with; None where that is this one."""
        if not self._newer:
            return None
        parts = {**self._parts, **self._newer}
        return Credential(self.provider, parts, is_stranger=self.is_stranger, principal=self.principal)

    def __bool__(self) -> bool:
        return bool(self._parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Credential) and self.provider == other.provider and self.partition == other.partition

    def __hash__(self) -> int:
        return hash((self.provider, self.partition))

    def __repr__(self) -> str:
        return f"<Credential {self.provider} {self.partition[:8]}>"


class Mixed(Internal):
    """What one credential was told was about to be told to another: a fault of ours, which ends the answer."""


class Confidential(NamedTuple, Generic[V]):
    """What one credential was told, and whose that is: it is shown to nobody else, wherever it was kept."""

    partition: str
    value: V

    def __repr__(self) -> str:
        return f"<Confidential {self.partition[:8]}>"

    def shown_to(self, credential: Credential) -> V:
        """Give it to the one whose it is; raises Mixed for anybody else."""
        check_partition(self.partition, credential)
        return self.value


class _Mixing:
    """How often something was about to be mixed, in this process."""

    count = 0


MIXING = _Mixing()

MIXED = Figure(
    name="gateway_partitions_mixed",
    description="Answers that were stopped as they were another credential's: it should stay at 0.",
    read=lambda: MIXING.count,
    counts=True,
)


def check_partition(partition: str, reader: Credential) -> None:
    """Raise Mixed, count it and log it, where what is of one partition is about to reach a reader of another.

    No key of a cache is relied on for this: it is what finds out that one is wrong.
    """
    if partition != reader.partition:
        MIXING.count += 1
        _log.error("partitions_mixed", provider=reader.provider)
        raise Mixed(FAULT, provider=reader.provider)


class Caller(NamedTuple):
    """Who asks: with which credentials of their own, by provider, and which of the gateway's they are lent.

    `lent` has one for every provider, empty where the gateway has none.
    """

    principal: Principal
    brought: Mapping[str, Credential]
    lent: Mapping[str, Credential]
