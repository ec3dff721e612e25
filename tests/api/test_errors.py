"""Errors as clients see them: what is theirs is told, what is ours is masked."""

from __future__ import annotations

from typing import Any

import pytest
import strawberry
from structlog.testing import capture_logs

from gateway.api.errors import formatted
from gateway.model.errors import RateLimited


@strawberry.type
class Query:
    """Fields that go wrong."""

    @strawberry.field
    def large(self) -> int | None:
        return 3_000_000_000

    @strawberry.field
    def missing(self) -> int:
        return None  # type: ignore[return-value] -- the fault that is tested

    @strawberry.field
    def broken(self) -> int | None:
        raise ZeroDivisionError("secret")

    @strawberry.field
    def limited(self) -> int | None:
        raise RateLimited("Wait.", provider="guildwars2", provider_code="too many requests", retry_after=2.5)

    @strawberry.field
    def number(self, value: int) -> int:
        return value


SCHEMA = strawberry.Schema(Query)


async def told(query: str, **variables: Any) -> dict[str, Any]:
    result = await SCHEMA.execute(query, variable_values=variables)
    assert result.errors
    return formatted(result.errors[0])


@pytest.mark.parametrize("field", ["large", "missing", "broken"])
async def test_a_fault_of_ours_is_masked_and_logged(field: str) -> None:
    with capture_logs() as logs:
        error = await told(f"{{ {field} }}")
    assert error["extensions"] == {"code": "INTERNAL", "retryable": False}
    assert error["path"] == [field]
    assert "secret" not in str(error)
    assert "3000000000" not in str(error)
    assert logs[0]["event"] == "resolver_failed"


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("{ nothing }", {}),
        ("{ number }", {}),
        ("{ number(value: 3000000000) }", {}),
        ("query($v: Int!) { number(value: $v) }", {}),
        ("query($v: Int!) { number(value: $v) }", {"v": "x"}),
        ("query($v: Int = 1) { number(value: $v) }", {"v": None}),
        ("{ large", {}),
    ],
)
async def test_a_fault_of_the_request_is_told(query: str, variables: dict[str, Any]) -> None:
    with capture_logs() as logs:
        error = await told(query, **variables)
    assert error["extensions"] == {"code": "INVALID_INPUT"}
    assert error["message"]
    assert not logs


async def test_a_known_error_tells_whose_it_is_and_when_to_come_back() -> None:
    error = await told("{ limited }")
    assert error["message"] == "Wait."
    assert error["extensions"] == {
        "code": "RATE_LIMITED",
        "provider": "GUILD_WARS_2",
        "providerCode": "too many requests",
        "retryable": True,
        "retryAfter": 2.5,
    }
