"""Accept: which media type an answer has."""

from __future__ import annotations

import gzip

import pytest

from gateway.http.accept import EVENTS, GRAPHQL_JSON, JSON, accepted
from tests.http.doors import OWNER_AND_DEFINITIONS, TYPENAME, Door


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("text/html, */*;q=0.1", JSON),
        (JSON, JSON),
        (GRAPHQL_JSON, GRAPHQL_JSON),
        (f"{JSON}, {GRAPHQL_JSON}", JSON),
        (f"{GRAPHQL_JSON}, {JSON};q=0.9", GRAPHQL_JSON),
        (f"{JSON};q=0.5, {GRAPHQL_JSON}", GRAPHQL_JSON),
        (f"{GRAPHQL_JSON};q=0, {JSON}", JSON),
        (f"{GRAPHQL_JSON.upper()}; Q=1.0", GRAPHQL_JSON),
        (f"{JSON};q=nan, {GRAPHQL_JSON};q=0.1", GRAPHQL_JSON),
        (f"{JSON};q=2", None),
        ("text/html", None),
        ("image/png, text/plain", None),
        (f"{JSON};q=0", None),
        (f"{JSON};q=0, */*", None),
        (EVENTS, None),
        (",,;", None),
    ],
)
async def test_an_answer_has_the_type_that_is_wanted_most(header: str, chosen: str | None) -> None:
    assert accepted(header).json == chosen
    response = await Door().post(TYPENAME, accept=header)
    if header == EVENTS:
        assert response.headers["content-type"] == EVENTS
    elif chosen is None:
        # What cannot be given as it is wanted is told in a form that anything can read.
        assert response.status_code == 406
        assert response.headers["content-type"].startswith(JSON)
        assert response.json()["errors"][0]["extensions"]["code"] == "UNSUPPORTED"
    else:
        assert response.status_code == 200
        assert response.headers["content-type"] == f"{chosen}; charset=utf-8"


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "multipart/mixed; boundary=x",
        "application/graphql",
        "application/json; charset=utf-16",
        "application/jsonx",
        "",
    ],
)
async def test_a_body_of_another_type_is_refused(content_type: str) -> None:
    door = Door()
    response = await door.client.post("/graphql", content=b"--x\r\n", headers={"content-type": content_type})
    assert response.status_code == 415
    assert response.json()["errors"][0]["extensions"]["code"] == "UNSUPPORTED"
    assert await door.serves()


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [("gzip", True), ("br, gzip;q=0.5", True), ("*", True), ("gzip;q=0", False), ("identity", False), ("br", False)],
)
async def test_a_long_answer_is_packed_for_those_who_take_that(encoding: str, packed: bool) -> None:
    door = Door()
    long = {"query": "{ " + " ".join(f"a{n}: inventoryProviders {{ key title }}" for n in range(20)) + " }"}
    async with door.client.stream("POST", "/graphql", json=long, headers={"accept-encoding": encoding}) as response:
        raw = b"".join([chunk async for chunk in response.aiter_raw()])
    assert response.headers.get("content-encoding") == ("gzip" if packed else None)
    assert "Accept-Encoding" in response.headers["vary"]
    assert int(response.headers["content-length"]) == len(raw)
    assert b'"data"' in (gzip.decompress(raw) if packed else raw)


async def test_a_short_answer_is_not_packed_and_the_setting_packs_none() -> None:
    short = await Door().post(TYPENAME, accept_encoding="gzip")
    assert "content-encoding" not in short.headers
    long = await Door(compression=False).post({"query": OWNER_AND_DEFINITIONS}, accept_encoding="gzip")
    assert "content-encoding" not in long.headers
