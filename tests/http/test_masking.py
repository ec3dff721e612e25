"""Errors: coded, and without anything of ours: no text of a fault, no trace, address, statement or secret."""

from __future__ import annotations

import re
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.api.context import Context
from gateway.backends.guarded import Guarded
from gateway.model.errors import Forbidden, GatewayError, Internal, RateLimited, Unauthenticated, UpstreamInvalid
from tests.http.doors import (
    NAME,
    OWNER,
    OWNER_AND_DEFINITIONS,
    PROVIDER,
    TYPENAME,
    Door,
    Told,
    each,
    failing,
    known,
)

SECRET = "secret-of-ours https://user:geheim@db.internal/x SELECT * FROM owners"
OURS = re.compile(r"secret-of-ours|geheim|https?://|SELECT|Traceback|\.py|ValueError|site-packages")
MASKED = "The gateway failed; the fault is in its log."

FAULTS = [ValueError(SECRET), KeyError(SECRET), RuntimeError(SECRET), OSError(5, SECRET), RecursionError(SECRET)]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("make", [failing, each])
async def test_a_fault_is_masked_and_logged(make: Any, fault: Exception) -> None:
    door = Door(Told(owners_by_key=make(fault)))
    with capture_logs() as logs:
        answer = await door.ask(OWNER)
    assert answer.status == 200
    assert answer.data == {"inventoryOwner": None}
    (error,) = answer.errors
    assert error["message"] == MASKED
    assert error["extensions"] == {"code": "INTERNAL", "retryable": False}
    assert error["path"] == ["inventoryOwner"]
    (logged,) = [entry for entry in logs if entry["log_level"] == "error"]
    assert logged["exc_info"] is fault
    assert await door.serves()


async def test_a_fault_in_a_guarded_backend_is_masked_and_logged_once() -> None:
    door = Door(Guarded(Told(owners_by_key=failing(ValueError(SECRET))), PROVIDER.rules))
    with capture_logs() as logs:
        answer = await door.ask(OWNER)
    (error,) = answer.errors
    assert error["message"] == MASKED
    assert error["extensions"] == {"code": "INTERNAL", "provider": NAME, "retryable": False}
    assert [entry["log_level"] for entry in logs] == ["error"]


@pytest.mark.parametrize(
    ("refusal", "extensions"),
    [
        (Unauthenticated("Who are you?"), {"code": "UNAUTHENTICATED", "retryable": False}),
        (Forbidden("Not you.", provider_code="7"), {"code": "FORBIDDEN", "providerCode": "7", "retryable": False}),
        (RateLimited("Wait.", retry_after=2.5), {"code": "RATE_LIMITED", "retryable": True, "retryAfter": 2.5}),
        (UpstreamInvalid("Odd."), {"code": "UPSTREAM_INVALID", "retryable": False}),
        (Internal("The store failed.", retryable=True), {"code": "INTERNAL", "retryable": True}),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_what_a_client_may_be_told_is_told_with_its_code(refusal: GatewayError, extensions: Any) -> None:
    with capture_logs() as logs:
        answer = await Door(Told(owners_by_key=failing(refusal))).ask(OWNER)
    (error,) = answer.errors
    assert error["message"] == refusal.message
    assert error["extensions"] == extensions
    assert not [entry for entry in logs if entry["log_level"] == "error"]


async def test_a_part_that_fails_leaves_the_others_whole() -> None:
    door = Door(Told(owners_by_key=known, definitions_by_key=failing(ValueError(SECRET))))
    with capture_logs():
        answer = await door.ask(OWNER_AND_DEFINITIONS)
    assert answer.data == {"inventoryOwner": {"key": "Some.1234"}, "itemDefinitions": [None]}
    assert [error["path"] for error in answer.errors] == [["itemDefinitions", 0]]


async def test_a_fault_of_the_door_is_a_500_without_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door()

    def broken(*_: object) -> None:
        raise ValueError(SECRET)

    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(Context, "__init__", broken)
        response = await door.post(TYPENAME)
    assert response.status_code == 500
    assert response.json() == {"errors": [{"message": MASKED, "extensions": {"code": "INTERNAL"}}]}
    assert [entry["event"] for entry in logs] == ["request_failed"]
    assert await door.serves()


@pytest.mark.parametrize(
    "query", [OWNER, OWNER_AND_DEFINITIONS, "{", "{ nothing }", '{ node(id: "x") { id } }', "subscription { a }"]
)
async def test_nothing_of_ours_is_in_any_body(query: str) -> None:
    fault = ValueError(SECRET)
    door = Door(Told(owners_by_key=failing(fault), definitions_by_key=each(fault)))
    with capture_logs():
        response = await door.post({"query": query})
    assert response.json()["errors"]
    assert not OURS.search(response.text)
    assert not [name for name in response.headers if name in ("server", "x-powered-by")]
