"""Over sockets a part of the service that is broken costs that part of the answer, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.e2e.conftest import HEADER, Service, owner

QUERY = """query($owner: OwnerInput!) { inventory(owner: $owner) {
    bank: container(key: "bank") { slots { key item { key } } }
    shared: container(key: "shared") { slots { key item { key } } } } }"""


def says(body: bytes, status: int = 200, content_type: str = "application/json") -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(body, status, media_type=content_type)(scope, receive, send)

    return app


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        pytest.param(says(b""), "UPSTREAM_INVALID", id="empty"),
        pytest.param(says(b"<html>"), "UPSTREAM_INVALID", id="html"),
        pytest.param(says(b'[{"id": "x"}]'), "UPSTREAM_INVALID", id="wrong-type"),
        pytest.param(says(b'{"text": "?"}'), "UPSTREAM_INVALID", id="wrong-shape"),
        pytest.param(says(b"[" * 100_000), "UPSTREAM_INVALID", id="nested"),
        pytest.param(says(b"\xff\xfe"), "UPSTREAM_INVALID", id="not-utf-8"),
        pytest.param(says(b'{"text": "ErrInternal"}', 500), "UPSTREAM_UNAVAILABLE", id="in-trouble"),
        pytest.param(says(b"<h1>Bad Gateway</h1>", 502, "text/html"), "UPSTREAM_UNAVAILABLE", id="bad-gateway"),
        pytest.param(says(b'{"text": "API not active"}', 503), "UPSTREAM_UNAVAILABLE", id="switched-off"),
        pytest.param(says(b"", 302), "UPSTREAM_INVALID", id="redirect"),
    ],
)
def test_a_broken_part_is_null_with_its_error(service: Service, broken: Any, code: str) -> None:
    headers = {HEADER: service.mint()}
    whole = service.gateway.ask(QUERY, headers=headers, owner=owner()).whole()["inventory"]
    assert len(whole["bank"]["slots"]) == 30
    service.between.instead["/v2/account/bank"] = broken
    answer = service.gateway.ask(QUERY, headers=headers, owner=owner())
    assert answer.data["inventory"] == {"bank": {"slots": None}, "shared": whole["shared"]}
    (error,) = answer.errors
    assert (error["path"], error["extensions"]["code"]) == (["inventory", "bank", "slots"], code)
    for ours in ("http://", "localhost", str(service.server.port), headers[HEADER], "/v2/", "Traceback"):
        assert ours not in str(answer.body)
    service.between.instead.clear()
    assert service.gateway.ask(QUERY, headers=headers, owner=owner()).whole()["inventory"] == whole


def test_a_service_that_is_gone_is_unavailable(service: Service) -> None:
    headers = {HEADER: service.mint()}
    service.gateway.ask(QUERY, headers=headers, owner=owner()).whole()
    service.server.__exit__()
    answer = service.gateway.ask(QUERY, headers=headers, owner=owner())
    assert set(answer.codes) == {"UPSTREAM_UNAVAILABLE"}
    assert str(service.server.port) not in str(answer.body)
