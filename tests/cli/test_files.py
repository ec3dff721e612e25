"""Files: the same documents come out wherever the chunks of a file, its compression or its line ends fall."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import files
from gateway.files import Line, Unreadable, documents, misfit

BOM = b"\xef\xbb\xbf"
ENDS = (b"\n", b"\r\n", b"\n\n", b" \r\n\t\n")

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab\n\u2028é", max_size=3), inner, max_size=4),
    max_leaves=8,
)
records: st.SearchStrategy[Any] = st.dictionaries(st.sampled_from("abc"), json_values, min_size=1, max_size=3)
each_time = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file"


def read(file: Path, data: bytes, chunk: int) -> list[Line]:
    file.write_bytes(data)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(files, "_CHUNK", chunk)
        return list(documents(file))


@each_time
@given(data=st.data(), chunk=st.integers(1, 40))
def test_lines_come_out_whole_wherever_chunks_end(file: Path, data: st.DataObject, chunk: int) -> None:
    given_records = data.draw(st.lists(records, max_size=6))
    ends = data.draw(st.lists(st.sampled_from(ENDS), min_size=len(given_records), max_size=len(given_records)))
    text = b"".join(orjson.dumps(record) + end for record, end in zip(given_records, ends, strict=True))
    written = data.draw(st.sampled_from([b"", BOM])) + data.draw(st.sampled_from([text, text.rstrip()]))
    written = data.draw(st.sampled_from([written, gzip.compress(written)]))
    found = read(file, written, chunk)
    assert [line.payload for line in found] == given_records
    assert not any(line.fault for line in found)
    starts = [sum(end.count(b"\n") for end in ends[:at]) + 1 for at in range(len(given_records))]
    assert [line.number for line in found] == starts


@each_time
@given(value=json_values, chunk=st.integers(1, 40), indented=st.booleans(), bom=st.booleans())
def test_a_document_comes_out_whole_wherever_chunks_end(
    file: Path, value: Any, chunk: int, indented: bool, bom: bool
) -> None:
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2 if indented else None)
    if indented:
        text = text.replace(b"\n", b"\r\n")
    (found,) = read(file, BOM + text if bom else text, chunk)
    assert (found.payload, found.fault) == (value, None)


@each_time
@given(
    parts=st.lists(st.lists(records, min_size=1, max_size=3), min_size=1, max_size=4),
    chunk=st.integers(1, 40),
    behind=st.sampled_from([b"", b"\0" * 100, b"garbage", b"\x1f"]),
)
def test_streams_of_gzip_come_out_as_one_whatever_is_behind(
    file: Path, parts: list[list[Any]], chunk: int, behind: bytes
) -> None:
    streams = [gzip.compress(b"".join(orjson.dumps(record) + b"\n" for record in part)) for part in parts]
    found = read(file, b"".join(streams) + behind, chunk)
    assert [line.payload for line in found] == [record for part in parts for record in part]


@each_time
@given(data=st.binary(max_size=200), chunk=st.integers(1, 40), compressed=st.booleans())
def test_any_bytes_are_documents_or_faults_or_unreadable(file: Path, data: bytes, chunk: int, compressed: bool) -> None:
    try:
        found = read(file, gzip.compress(data) if compressed else data, chunk)
    except Unreadable as error:
        assert str(error).startswith(str(file))  # noqa: PT017 -- not every time is it raised
        return
    lines = data.count(b"\n") + 1
    numbers = [line.number for line in found]
    assert numbers == sorted(set(numbers))
    assert all(1 <= number <= lines for number in numbers)


@each_time
@given(cut=st.integers(0, 10_000), chunk=st.integers(1, 40))
def test_a_gzip_that_is_cut_is_unreadable(file: Path, cut: int, chunk: int) -> None:
    whole = gzip.compress(b"".join(orjson.dumps({"number": number}) + b"\n" for number in range(50)))
    with pytest.raises(Unreadable, match="too early"):
        read(file, whole[: 2 + cut % (len(whole) - 2)], chunk)


def test_a_gzip_with_a_wrong_checksum_is_unreadable(file: Path) -> None:
    with pytest.raises(Unreadable, match="not a good gzip file"):
        read(file, gzip.compress(b"{}")[:-8] + zlib.crc32(b"[]").to_bytes(4, "little") + b"\2\0\0\0", 100)


def test_the_fault_of_a_document_over_many_lines_is_told_by_its_line(file: Path) -> None:
    (found,) = read(file, b'\n{\n\n  "a": 1,\n  "b": x\n}\n', 100)
    assert (found.number, (found.fault or "")[:8]) == (5, "not JSON")


def test_a_broken_document_is_not_taken_for_lines(file: Path) -> None:
    (found,) = read(file, b'[\n{"id": 1},\n{"id": 2}\n{"id": 3}\n]', 100)
    assert found.fault


def test_a_broken_first_line_is_a_fault_of_its_own(file: Path) -> None:
    assert [bool(line.fault) for line in read(file, b'x\n{"id": 1}\ny\n{"id": 2}', 100)] == [True, False, True, False]


def test_a_mark_of_byte_order_is_taken_at_the_start_alone(file: Path) -> None:
    assert [bool(line.fault) for line in read(file, BOM + b"{}\n" + BOM + b"{}\n", 2)] == [False, True]


def test_what_was_read_is_told(file: Path) -> None:
    file.write_bytes(orjson.dumps(list(range(100_000))))
    told: list[int] = []
    list(documents(file, told.append))
    assert told == sorted(told)
    assert told[-1] == file.stat().st_size
    assert len(told) > 5


def test_lines_are_read_as_they_are_asked_for(file: Path) -> None:
    file.write_bytes(b'{"id": 1}\n' * 100_000)
    told: list[int] = []
    found: Iterator[Line] = documents(file, told.append)
    next(found)
    assert len(told) == 1


def test_a_line_too_long_is_unreadable(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_MOST_LINE", 1_000)
    with pytest.raises(Unreadable, match="line 2 is longer than 1000 bytes"):
        read(file, b"{}\n" + b" " * 2_000, 100)


def test_a_long_line_is_read_in_time_that_grows_with_its_length(file: Path) -> None:
    text = orjson.dumps(["x" * 100] * 300_000)
    (found,) = read(file, text, 1_000)
    assert found.payload == orjson.loads(text)


def test_a_missing_file_is_unreadable(file: Path) -> None:
    with pytest.raises(Unreadable, match="No such file"):
        list(documents(file))


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("a\0", "NUL"),
        ({"a": [{"b\0": 1}]}, "NUL"),
        ([[["\0"]]], "NUL"),
        (1 << 63, "64 bits"),
        ({"a": -(1 << 63) - 1}, "64 bits"),
    ],
)
def test_what_no_store_can_hold_is_told(value: Any, word: str) -> None:
    assert word in (misfit(value) or "")


@given(json_values)
def test_what_a_store_can_hold_is_not(value: Any) -> None:
    assert (misfit(value) is None) == ("\\u0000" not in orjson.dumps(value).decode().replace("\\\\", ""))


@each_time
@given(value=json_values)
def test_what_may_be_a_misfit_is_suspect(file: Path, value: Any) -> None:
    (found,) = read(file, orjson.dumps({"value": value}), 1_000)
    if misfit(value) is not None:
        assert found.suspect
