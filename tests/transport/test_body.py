"""Bodies come out as zlib would have them, and never longer than allowed."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.errors import UpstreamInvalid
from gateway.transport.body import MAX_MEMBERS, Body


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


Compressed = tuple[str, Callable[[bytes], bytes]]

COMPRESSED: list[Compressed] = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
]


def decode(encoding: str | None, data: bytes, *, chunk: int = 1 << 16, limit: int = 1 << 20) -> bytes:
    body = Body(encoding, limit)
    for start in range(0, len(data), chunk):
        body.feed(data[start : start + chunk])
    return body.finish()


@given(st.binary(max_size=5000), st.integers(1, 40), st.sampled_from(COMPRESSED), st.integers(1, 50))
def test_what_was_compressed_comes_out_whatever_the_chunks(
    data: bytes, times: int, how: Compressed, chunk: int
) -> None:
    encoding, compress = how
    whole = data * times
    assert decode(encoding, compress(whole), chunk=chunk) == whole


@given(st.binary(max_size=2000), st.integers(1, 20), st.sampled_from(COMPRESSED), st.integers(0, 3000))
def test_the_limit_holds_to_the_byte(data: bytes, times: int, how: Compressed, limit: int) -> None:
    encoding, compress = how
    whole = data * times
    compressed = compress(whole)
    if max(len(whole), len(compressed)) <= limit:
        assert decode(encoding, compressed, limit=limit) == whole
    else:
        with pytest.raises(UpstreamInvalid, match="too long"):
            decode(encoding, compressed, limit=limit)


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate"]), st.integers(1, 50))
def test_bytes_of_any_kind_give_a_body_or_our_error(data: bytes, encoding: str, chunk: int) -> None:
    error: UpstreamInvalid | None = None
    try:
        decode(encoding, data, chunk=chunk)
    except UpstreamInvalid as raised:
        error = raised
    assert error is None or error.__cause__ is error.__context__ is None


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5), st.integers(1, 50))
def test_gzip_members_in_a_row_are_one_body(parts: list[bytes], chunk: int) -> None:
    assert decode("gzip", b"".join(map(gzip.compress, parts)), chunk=chunk) == b"".join(parts)


@given(st.binary(min_size=1, max_size=500), st.sampled_from(COMPRESSED), st.data())
def test_a_compressed_body_that_ends_early_is_not_taken_for_whole(
    content: bytes, how: Compressed, data: st.DataObject
) -> None:
    encoding, compress = how
    compressed = compress(content)
    cut = data.draw(st.integers(1, len(compressed) - 1))
    with pytest.raises(UpstreamInvalid):
        decode(encoding, compressed[:cut])


def test_a_bomb_is_not_expanded_past_the_limit() -> None:
    compressor = zlib.compressobj(9, wbits=31)
    zeros = bytes(1 << 20)
    bomb = b"".join(compressor.compress(zeros) for _ in range(200)) + compressor.flush()
    limit = 4 << 20
    tracemalloc.start()
    try:
        with pytest.raises(UpstreamInvalid, match="too long"):
            decode("gzip", bomb, limit=limit)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # zlib doubles its buffer as it fills, so twice the limit may stand for a moment.
    assert peak < 3 * limit


def test_a_body_of_nothing_but_empty_members_is_refused_in_time() -> None:
    with pytest.raises(UpstreamInvalid, match="too many pieces"):
        decode("gzip", gzip.compress(b"") * (MAX_MEMBERS + 1))


@pytest.mark.parametrize("compress", [zlib.compress, raw_deflate])
def test_nothing_may_follow_a_deflated_body(compress: Callable[[bytes], bytes]) -> None:
    whole = compress(b"{}")
    with pytest.raises(UpstreamInvalid, match="after its end"):
        decode("deflate", whole + b"more")


@pytest.mark.parametrize("encoding", [None, "", "identity"])
def test_a_body_without_an_encoding_is_as_it_came(encoding: str | None) -> None:
    assert decode(encoding, b"abc", chunk=1) == b"abc"
