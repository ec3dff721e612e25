"""What statuses and headers mean."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.model.errors import (
    Forbidden,
    GatewayError,
    RateLimited,
    Unauthenticated,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from gateway.transport.errors import MAX_RETRY_AFTER, decoded, judge_status, retry_after


def with_retry_after(value: str) -> httpx.Response:
    return httpx.Response(429, headers=[(b"Retry-After", value.encode())])


@pytest.mark.parametrize("status", [200, 201, 204, 206, 299, 304, 404])
def test_answers_that_the_caller_reads_are_no_failures(status: int) -> None:
    assert judge_status(httpx.Response(status)) is None


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, Unauthenticated),
        (403, Forbidden),
        (408, UpstreamTimeout),
        (504, UpstreamTimeout),
        (429, RateLimited),
        (500, UpstreamUnavailable),
        (502, UpstreamUnavailable),
        (503, UpstreamUnavailable),
        (599, UpstreamUnavailable),
        (400, UpstreamInvalid),
        (418, UpstreamInvalid),
        (101, UpstreamInvalid),
        (300, UpstreamInvalid),
        (301, UpstreamInvalid),
        (307, UpstreamInvalid),
    ],
)
def test_a_status_is_one_of_our_errors(status: int, expected: type[GatewayError]) -> None:
    error = judge_status(httpx.Response(status))
    assert error is not None
    assert type(error) is expected
    assert error.provider_code == str(status)


@pytest.mark.parametrize("status", [408, 429, 503, 504])
def test_the_time_to_wait_is_handed_on(status: int) -> None:
    error = judge_status(httpx.Response(status, headers={"Retry-After": "7"}))
    assert error is not None
    assert error.retry_after == 7


@given(st.integers(0, 10**9))
def test_seconds_to_wait_are_read_and_bounded(seconds: int) -> None:
    assert retry_after(with_retry_after(str(seconds))) == min(seconds, MAX_RETRY_AFTER)


@given(st.integers(-(10**6), 10**6))
def test_a_date_to_wait_for_is_read_and_bounded(seconds: int) -> None:
    date = datetime.now(UTC) + timedelta(seconds=seconds)
    got = retry_after(with_retry_after(format_datetime(date, usegmt=True)))
    assert got is not None
    assert got == pytest.approx(min(max(seconds, 0), MAX_RETRY_AFTER), abs=2)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF)))
@example("nan")
@example("inf")
@example("-inf")
@example("-1")
@example("1e400")
@example("Mon, 99 Foo 99999 99:99:99 GMT")
@example("Fri, 31 Dec 9999 23:59:59 -2359")
@example("Sat, 01 Jan 0001 00:00:00 +2359")
@example("Wed, 21 Oct 2015 07:28:00")
@example("Wed, 21 Oct 2015 07:28:00 -0000")
def test_whatever_a_service_asks_for_is_a_sensible_wait_or_none(value: str) -> None:
    got = retry_after(with_retry_after(value))
    assert got is None or 0 <= got <= MAX_RETRY_AFTER


def test_no_header_asks_for_no_wait() -> None:
    assert retry_after(httpx.Response(429)) is None


def test_json_is_decoded() -> None:
    assert decoded(httpx.Response(200, content=b'{"a": [1, null, "\xc3\xa9"]}')) == {"a": [1, None, "é"]}


@pytest.mark.parametrize("content", [b"", b"<html>SeCrEt</html>", b'{"SeCrEt": ', b"\xff", b"[" * 100_000])
def test_what_is_not_json_is_invalid_and_not_shown(content: bytes) -> None:
    with pytest.raises(UpstreamInvalid) as caught:
        decoded(httpx.Response(200, content=content))
    assert "SeCrEt" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None
