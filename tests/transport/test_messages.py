"""Requests and answers of ours are httpx's to whoever looks, and cost nothing of it where nobody does."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.transport.client import Client
from gateway.transport.messages import Answer, Get, taken_apart
from gateway.transport.pool import Pool

from .loopback import answer, loopback, says

ORIGINS = [
    "http://service.test",
    "https://a.b-c.test:8443",
    "http://a:80",
    "http://Host",
    "http://[::1]:81",
    "gopher://x",
]


def get(url: str, **headers: str) -> Get:
    return Get(url, headers=headers, extensions={"partition": "p"})


def arrives_as_written(url: str) -> bool:
    """Whether httpx leaves all that follows the host as it is."""
    try:
        path = httpx.URL(url).raw_path.decode("ascii")
    except httpx.InvalidURL:
        return False
    start = url.find("/", url.find("://") + 3)
    return path == (url[start:] if start > 0 else "/")


@given(st.sampled_from(ORIGINS), st.text("/.?#%&=aZ09~-_:@!$'()*+,;[]{}|\\^`\"<> \n\r\té", max_size=20))
@example("http://service.test", "/" + "a" * 65_536)
@example("http://service.test", "/a/..")
@example("http://service.test", "/a/.b/c?../d")
def test_a_url_is_refused_or_sent_exactly_as_httpx_would_judge(origin: str, rest: str) -> None:
    url = origin + rest
    try:
        request = get(url)
    except (ValueError, httpx.InvalidURL):
        assert not arrives_as_written(url)
        return
    assert arrives_as_written(url)
    address, target, _ = taken_apart(request)
    start = url.find("/", len(origin))
    assert target.decode("ascii") == (url[start:] if start > 0 else "/")
    assert httpx.URL(address).netloc.lower() == httpx.URL(url).netloc.lower()
    assert request.url == httpx.URL(url)


def test_who_looks_into_a_get_finds_httpxs_own() -> None:
    url, headers = "http://service.test:81/a%2Cb?c=~", {"X-One": "1"}
    extensions: dict[str, object] = {"partition": "p"}
    request, like = Get(url, headers=headers, extensions=extensions), httpx.Request("GET", url, headers=headers)
    assert request.extensions is extensions
    assert (request.method, request.url, request.headers) == (like.method, like.url, like.headers)
    assert (request.content, repr(request)) == (like.content, repr(like).replace("Request", "Get"))
    assert request.extensions is extensions
    assert taken_apart(request) == taken_apart(like)
    with pytest.raises(AttributeError, match="colour"):
        _ = request.colour


def test_who_looks_into_an_answer_finds_httpxs_own() -> None:
    request = get("http://service.test/")
    sent = [(b"X-One", b"1"), (b"X-One", b"2"), (b"Content-Encoding", b"gzip"), (b"Content-Length", b"99")]
    found = Answer(404, sent, b'{"a": 1}', request)
    assert (found.status_code, found.is_client_error, found.is_closed, found.content) == (404, True, True, b'{"a": 1}')
    assert found.headers.raw == sent[:2]
    assert (found.json(), found.text, found.content) == ({"a": 1}, '{"a": 1}', b'{"a": 1}')
    assert (found.status_code, found.is_closed, found.reason_phrase) == (404, True, "Not Found")
    assert found.request is request
    with pytest.raises(AttributeError, match="colour"):
        _ = found.colour


async def test_a_call_that_nobody_looks_into_makes_nothing_of_httpxs(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dear(*_: object, **__: object) -> None:
        raise AssertionError("this was to be made only where somebody asks for it")

    async with loopback(says(answer(b"[1]", "X-One: 1"))) as server:
        for kind in (httpx.Request, httpx.Response, httpx.URL, httpx.Headers):
            monkeypatch.setattr(kind, "__init__", dear)
        client = Client("games", pool=pool, timeout=2.0)
        found = await client.get(f"{server.origin}/a?b=c", headers={"X-Key": "k"}, partition="p")
        assert (found.status_code, found.is_success, found.content) == (200, True, b"[1]")
    assert server.targets == ["/a?b=c"]
