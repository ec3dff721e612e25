"""What both dialects share: sessions, who is asking, signatures, quotas, answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.model.credentials import Credential
from gateway.model.errors import GatewayError, InvalidInput
from gateway.model.ids import DefinitionRef, FactRef, OwnerRef
from gateway.model.item import Item
from gateway.model.loader import one
from gateway.model.ports import Backend, Clock, Session
from gateway.providers.roblox import rules
from gateway.providers.roblox.cursors import Signer
from gateway.providers.roblox.keys import PROVIDER, SECRET
from gateway.providers.roblox.quotas import Quota, Quotas
from gateway.providers.roblox.settings import RobloxOptions
from gateway.providers.roblox.types import RobloxDefinition, RobloxSecret

K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class Answer:
    """A body, its status and headers."""

    body: object
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])


class Refused(Exception):
    """An answer other than success."""

    def __init__(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.answer = Answer(body, status, dict(headers or {}))


def answered(request: Request, made: Answer) -> Response:
    """Write an answer; what is told about inventories is for the one who asked alone."""
    content = b"" if request.method == "HEAD" else orjson.dumps(made.body)
    headers = {"cache-control": "private, no-store", **made.headers}
    return Response(content, made.status, headers, media_type="application/json")


class Dialect:
    """A backend, as both dialects ask it."""

    def __init__(self, backend: Backend, clock: Clock, options: RobloxOptions, *, is_limited: bool) -> None:
        self.backend = backend
        self.clock = clock
        self.options = options
        self._quotas = Quotas(clock) if is_limited else None
        self._signer: Signer | None = None

    def session(self, **parts: str) -> Session:
        """Open a session with parts of a credential; without any, that of a stranger."""
        return self.backend.session(Credential(PROVIDER, parts, is_stranger=not parts))

    async def signer(self, session: Session) -> Signer:
        """Give what signs cursors; the secret is the store's, and read once."""
        if self._signer is None:
            found = await one(session.facts_by_key, FactRef(PROVIDER, "", SECRET, ""))
            if not isinstance(found, RobloxSecret):
                raise TypeError("the backend has no secret to sign with")
            self._signer = Signer(found.text)
        return self._signer

    def count(self, name: str, caller: str, limit: int | None) -> Quota | None:
        """Count a request against a quota; None where callers are not held back."""
        return None if self._quotas is None or limit is None else self._quotas.take(name, caller, limit)


async def definitions(session: Session, keys: Sequence[str]) -> dict[str, RobloxDefinition]:
    """Give catalogue entries by key; those that there are."""
    unique = list(dict.fromkeys(keys))
    found = await session.definitions_by_key([DefinitionRef(PROVIDER, key) for key in unique])
    fault = next((entry for entry in found.values() if isinstance(entry, GatewayError)), None)
    if fault is not None and not isinstance(fault, InvalidInput):
        raise fault
    return {ref.key: entry for ref, entry in found.items() if isinstance(entry, RobloxDefinition)}


async def is_user(session: Session, user: str) -> bool:
    """Say whether there is such a user; what cannot be an id is nobody's."""
    try:
        rules.check_owner(user)
    except GatewayError:
        return False
    return await one(session.owners_by_key, OwnerRef(PROVIDER, user)) is not None


def name_of(item: Item, known: Mapping[str, RobloxDefinition]) -> str | None:
    """Give the name of what an item is a copy of, where that is known."""
    entry = known.get(item.definition_key or "")
    return None if entry is None else entry.name
