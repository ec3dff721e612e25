"""Pages of other origins: what they can send without asking is not done, and what they may ask the settings say."""

from __future__ import annotations

import pytest

from tests.http.doors import TYPENAME, Door

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/150.0"
PAGE = {"user-agent": BROWSER, "accept": "*/*"}
FRIEND = "https://friend.example"


async def status(door: Door, **headers: str) -> int:
    given = {**PAGE, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return (await door.client.get("/graphql", params=TYPENAME, headers=given)).status_code


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"},
        {"accept": "image/avif,image/webp,*/*"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site", "accept": "application/json"},
        {"origin": "https://evil.example"},
        {"accept": "application/json"},
        {"accept": "application/graphql-response+json, */*;q=0.1"},
        {"content_type": "text/plain"},
        {"user_agent": ""},
    ],
    ids=str,
)
async def test_what_a_foreign_page_can_send_is_not_done(headers: dict[str, str]) -> None:
    assert await status(Door(), **headers) in (400, 403)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
        {"content_type": "application/json"},
        {"graphql_require_preflight": "1"},
        {"x_apollo_operation_name": "Named"},
        {"apollo_require_preflight": "1"},
        {"user_agent": "curl/8.9"},
    ],
    ids=str,
)
async def test_what_it_cannot_send_is_done(headers: dict[str, str]) -> None:
    assert await status(Door(), **headers) == 200


async def test_no_origin_may_ask_unless_the_settings_name_it() -> None:
    for door, origin, allowed in (
        (Door(), FRIEND, None),
        (Door(cors_origins=(FRIEND,)), FRIEND, FRIEND),
        (Door(cors_origins=(FRIEND,)), "https://evil.example", None),
        (Door(cors_origins=("*",)), "https://anybody.example", "*"),
    ):
        preflight = await door.client.options(
            "/graphql",
            headers={
                "origin": origin,
                "access-control-request-method": "POST",
                "access-control-request-headers": "content-type,authorization,x-credential-roblox-key",
            },
        )
        assert preflight.headers.get("access-control-allow-origin") == allowed
        if allowed:
            assert preflight.status_code == 200
            assert "x-credential-roblox-key" in preflight.headers["access-control-allow-headers"]
            assert "access-control-allow-credentials" not in preflight.headers
        answer = await door.post(TYPENAME, origin=origin)
        assert answer.headers.get("access-control-allow-origin") == allowed


async def test_a_page_of_the_settings_may_ask_by_get() -> None:
    door = Door(cors_origins=(FRIEND,))
    assert await status(door, origin=FRIEND, sec_fetch_site="cross-site") == 200
    assert await status(door, origin="https://evil.example", sec_fetch_site="cross-site") == 403


@pytest.mark.parametrize(
    "origin",
    [
        "friend.example",
        "https://friend.example/",
        "ftp://friend.example",
        "https://",
        "https://Friend.example",
        "https://friend.example:443",
        "http://friend.example:80",
    ],
)
def test_an_origin_that_is_none_is_refused_at_the_start(origin: str) -> None:
    with pytest.raises(ValueError, match=r"no origin|https://"):
        Door(cors_origins=(origin,))
