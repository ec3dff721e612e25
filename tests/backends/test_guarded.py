"""Guarded: nothing undeclared, no foreign keys, no foreign exceptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from gateway.backends.guarded import Guarded
from gateway.model.arguments import CatalogueArguments
from gateway.model.credentials import Credential
from gateway.model.errors import Forbidden, GatewayError, Internal, InvalidInput, Unsupported, UpstreamUnavailable
from gateway.model.ids import ContainerRef, DefinitionRef, ItemRef, OwnerRef, OwnershipRef, SlotRef
from gateway.model.manifest import BackendKind, Capability
from gateway.model.relations import Asked
from gateway.registry import PROVIDERS

PROVIDER = PROVIDERS["guildwars2"]
KEY = PROVIDER.key
OWNER = OwnerRef(KEY, "Tester.1234")
GOOD = DefinitionRef(KEY, "item:1")


class Scripted:
    """A backend and session whose every read answers what the test says."""

    kind = BackendKind.LOCAL

    def __init__(self, answer: Any, capabilities: frozenset[Capability] | None = None) -> None:
        declared = capabilities if capabilities is not None else PROVIDER.manifest.capabilities[self.kind]
        self.manifest = replace(PROVIDER.manifest, capabilities={self.kind: declared})
        self.answer = answer
        self.asked: list[Any] = []

    def session(self, _credential: Credential) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        async def read(*keys: Any) -> Any:
            self.asked.append((name, *keys))
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer(keys[0]) if callable(self.answer) else self.answer

        return read


def guarded(scripted: Scripted) -> Any:
    return Guarded(cast("Any", scripted), PROVIDER.rules).session(Credential(KEY))


@pytest.mark.parametrize(
    ("read", "key"),
    [
        ("owners_by_key", OwnerRef(KEY, "nobody")),
        ("containers_by_key", ContainerRef(KEY, OWNER.owner, "nowhere")),
        ("containers_by_key", ContainerRef(KEY, "nobody", "bank")),
        ("contents_by_container", ContainerRef(KEY, OWNER.owner, "bank/1")),
        ("items_by_key", ItemRef(KEY, OWNER.owner, "bank")),
        ("definitions_by_key", DefinitionRef(KEY, "sword")),
        ("ownership_by_key", OwnershipRef(KEY, OWNER.owner, "sword")),
        ("definitions_by_slot", Asked(KEY, SlotRef(KEY, OWNER.owner, "nowhere", "0"), CatalogueArguments())),
    ],
)
async def test_a_key_that_cannot_be_never_reaches_the_backend(read: str, key: Any) -> None:
    scripted = Scripted({}, frozenset(Capability))
    found = await getattr(guarded(scripted), read)([key])
    assert isinstance(found[key], InvalidInput)
    assert found[key].provider == KEY
    assert scripted.asked == []


async def test_a_bad_key_leaves_the_good_ones_alone() -> None:
    def answer(keys: Sequence[Any]) -> Mapping[Any, Any]:
        return {key: key.key for key in keys}

    scripted = Scripted(answer)
    bad = DefinitionRef(KEY, "sword")
    found = await guarded(scripted).definitions_by_key([bad, GOOD])
    assert found[GOOD] == "item:1"
    assert isinstance(found[bad], InvalidInput)
    assert scripted.asked == [("definitions_by_key", [GOOD])]


async def test_what_is_not_declared_is_refused_or_null() -> None:
    scripted = Scripted({}, frozenset())
    session = guarded(scripted)
    with pytest.raises(Unsupported) as refused:
        await session.ownership_by_key([OwnershipRef(*OWNER, "item:1")])
    assert refused.value.provider == KEY
    assert await session.catalogue_by_owner([Asked(KEY, OWNER, CatalogueArguments())]) == {}
    for verb in Capability:
        with pytest.raises(Unsupported):
            await session.write(verb, OWNER, None)
    assert scripted.asked == []


async def test_what_is_declared_reaches_the_backend() -> None:
    scripted = Scripted({}, frozenset(Capability))
    session = guarded(scripted)
    await session.catalogue_by_owner([Asked(KEY, OWNER, CatalogueArguments())])
    await session.write(Capability.MOVE_ITEMS, OWNER, "input")
    assert [name for name, *_ in scripted.asked] == ["catalogue_by_owner", "write"]


@pytest.mark.parametrize("error", [Forbidden("no"), UpstreamUnavailable("no")])
async def test_errors_are_given_their_providers_name(error: GatewayError) -> None:
    session = guarded(Scripted(error))
    with pytest.raises(type(error)) as raised:
        await session.definitions_by_key([GOOD])
    assert raised.value.provider == KEY
    error.provider = None
    found = await guarded(Scripted({GOOD: error})).definitions_by_key([GOOD])
    assert found[GOOD].provider == KEY


async def test_a_foreign_exception_is_told_as_a_fault_of_ours_and_logged() -> None:
    session = guarded(Scripted(ZeroDivisionError("secret detail")))
    with capture_logs() as logs, pytest.raises(Internal) as raised:
        await session.definitions_by_key([GOOD])
    assert "secret" not in raised.value.message
    assert logs[0]["event"] == "backend_failed"


async def test_a_fault_of_ours_is_logged_for_one_key_too() -> None:
    with capture_logs() as logs:
        found = await guarded(Scripted({GOOD: Internal("The store failed.")})).definitions_by_key([GOOD])
    assert isinstance(found[GOOD], Internal)
    assert logs[0]["event"] == "backend_failed"


async def test_what_a_change_asks_for_beside_its_verb_must_be_declared_too() -> None:
    session = guarded(Scripted({}, frozenset({Capability.MOVE_ITEMS, Capability.SIMULATE})))
    await session.write(Capability.MOVE_ITEMS, OWNER, SimpleNamespace(simulate=True, transaction_id=None))
    for asked in ({"transaction_id": "a"}, {"if_match": ["a"]}):
        with pytest.raises(Unsupported):
            await session.write(Capability.MOVE_ITEMS, OWNER, SimpleNamespace(**asked))
