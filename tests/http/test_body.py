"""Bodies: what is malformed, too large or too slow is refused with a 4xx, and the next request is served."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncGenerator

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.body import Refused, parse_json
from tests.http.doors import TYPENAME, ByHand, Door

GOOD = b'{"query":"{ __typename }"}'


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b" \n", id="blank"),
        pytest.param(b"null", id="null"),
        pytest.param(b"true", id="boolean"),
        pytest.param(b'"{ __typename }"', id="string"),
        pytest.param(b"7", id="number"),
        pytest.param(b"[" + GOOD + b"]", id="batch"),
        pytest.param(b"[" * 100_000, id="brackets"),
        pytest.param(b'{"query":' * 10_000, id="braces"),
        pytest.param(b'{"query":"{a}","variables":{"a":' + b"1" * 5_000 + b"}}", id="digits"),
        pytest.param(b'{"query":"{ __typename \xff}"}', id="not-utf-8"),
        pytest.param('{"query":"{ __typename }"}'.encode("utf-16"), id="utf-16"),
        pytest.param(b"\xef\xbb\xbf" + GOOD, id="bom"),
        pytest.param(b'{"query":NaN}', id="nan"),
        pytest.param(b'{"query":"{ __typename }","variables":{"a":NaN}}', id="nan-variable"),
        pytest.param(b'{"query":"{ __typename }","variables":{"a":Infinity}}', id="infinity"),
        pytest.param(b'{"query":"\\ud800"}', id="half-surrogate"),
        pytest.param(GOOD[:-1], id="cut"),
        pytest.param(GOOD + b"x", id="trailing"),
        pytest.param(b'{"query":"{ __typename }",}', id="comma"),
        pytest.param(b"query={__typename}", id="form"),
    ],
)
async def test_a_malformed_body_is_refused_and_the_next_is_served(body: bytes) -> None:
    door = Door()
    response = await door.post(body)
    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert error["extensions"] == {"code": "INVALID_INPUT"}
    assert await door.serves()


@given(st.binary(max_size=200))
def test_any_bytes_are_json_or_refused(data: bytes) -> None:
    with contextlib.suppress(Refused):
        orjson.dumps(parse_json(data))


async def test_a_body_announced_as_too_large_is_refused_unread() -> None:
    door = Door(max_body_bytes=1_024)
    for length in ("1025", "9" * 40):
        request = ByHand(content_length=length)
        await request.begin(door)
        assert request.status == 413
        assert not request.received


async def test_a_body_of_the_largest_size_is_read() -> None:
    door = Door(max_body_bytes=1_024)
    assert (await door.post(GOOD.ljust(1_024))).status_code == 200
    refused = await door.post(GOOD.ljust(1_025))
    assert refused.status_code == 413
    assert refused.json()["errors"][0]["extensions"] == {"code": "LIMIT_EXCEEDED"}


@pytest.mark.parametrize("length", [None, "10", "0", "-5", "+7", "1e3", "\u0663"], ids=ascii)
async def test_chunks_over_the_limit_are_refused_whatever_was_announced(length: str | None) -> None:
    request = ByHand(**({} if length is None else {"content_length": length}))
    for _ in range(20):
        request.body(b" " * 100, more=True)
    await request.begin(Door(max_body_bytes=1_024))
    assert request.status == 413
    # What is past the limit is not even taken in.
    assert request.received == 11


async def test_chunks_are_joined() -> None:
    async def chunks() -> AsyncGenerator[bytes]:
        for place in range(len(GOOD)):
            yield GOOD[place : place + 1]

    response = await Door().client.post("/graphql", content=chunks(), headers={"content-type": "application/json"})
    assert response.json() == {"data": {"__typename": "Query"}}


async def test_a_body_that_does_not_come_is_not_waited_for_for_ever() -> None:
    request = ByHand()
    request.body(GOOD[:10], more=True)
    await asyncio.wait_for(request.begin(Door(timeout=0.05)), 2)
    assert request.status == 408


async def test_a_client_that_leaves_within_its_body_is_answered_nothing() -> None:
    request = ByHand()
    request.body(GOOD[:10], more=True)
    request.leave()
    await request.begin(Door())
    assert request.sent == []


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json; charset=utf8; profile=x",
        "application/json ; profile=x",
    ],
)
async def test_json_in_utf_8_is_read(content_type: str) -> None:
    assert (await Door().post(TYPENAME, content_type=content_type)).status_code == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "text/plain; application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/jsonp",
        "application/json, text/plain",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
    ],
)
async def test_other_types_are_refused_so_that_no_page_can_post_without_asking(content_type: str) -> None:
    door = Door()
    response = await door.post(TYPENAME, content_type=content_type)
    assert response.status_code == 415
    assert not [name for name in response.headers if name.startswith("access-control")]
    assert await door.serves()


async def test_a_body_without_a_type_is_refused() -> None:
    response = await Door().client.post("/graphql", content=GOOD)
    assert response.status_code == 415


@pytest.mark.parametrize("encoding", ["gzip", "br", "gzip, identity", "x"])
async def test_compressed_bodies_are_refused(encoding: str) -> None:
    response = await Door().post(gzip.compress(GOOD), content_encoding=encoding)
    assert response.status_code == 415
    assert "compressed" in response.text


async def test_a_body_that_says_it_is_not_compressed_is_read() -> None:
    assert (await Door().post(TYPENAME, content_encoding="identity")).status_code == 200
