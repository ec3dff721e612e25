"""Reading the files that `gateway import` takes: JSON or JSON lines, gzip and BOM tolerated, one record at a time."""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import orjson

_CHUNK = 1 << 16
_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31
_MOST_LINE = 256 << 20

# What may be a NUL, or a number that 64 bits do not hold: no store takes either.
_SUSPECT = re.compile(rb"\\u0000|[0-9]{19}")
_BOUND = 1 << 63


class Unreadable(Exception):
    """A file that cannot be read at all."""


class Malformed(Exception):
    """A document that is not in its form; the message says why."""


class Format(NamedTuple):
    """A form beside JSON in which documents are written to files.

    `opens`: what such a file begins with, white space left out; `read` raises Malformed.
    """

    opens: bytes
    read: Callable[[bytes], object]
    write: Callable[[object], bytes]


@dataclass(frozen=True, slots=True)
class Line:
    """A document of a file: at which line it begins, and what it holds, or why it is no JSON.

    `suspect` says that there may be something in it that no store can hold; `misfit` tells.
    """

    number: int
    payload: object = None
    fault: str | None = None
    suspect: bool = False


def documents(
    path: Path, progress: Callable[[int], None] = lambda _: None, formats: Iterable[Format] = ()
) -> Iterator[Line]:
    """Give the documents of a file: the whole of it if it is one JSON document, else one a line.

    A file that opens as one of `formats` does is one document in that form. `progress` is told how many bytes of the
    file were read. Raises Unreadable.
    """
    lines = ((number, line) for number, line in _lines(path, progress) if line.strip())
    for number, line in lines:
        known = next((one for one in formats if line.lstrip().startswith(one.opens)), None)
        if known is not None:
            yield _read(known, number, b"\n".join([line, *(line for _, line in lines)]))
            return
        first = _parsed([(number, line)])
        if first.fault is None:
            yield first
            yield from (_parsed([line]) for line in lines)
        else:
            yield from _broken_first([(number, line), *lines])


def _read(known: Format, number: int, data: bytes) -> Line:
    """Read a document in another form; it may hold anything, as what it holds was not looked for."""
    try:
        return Line(number, known.read(data.lstrip()), suspect=True)
    except Malformed as error:
        return Line(number, fault=str(error))


def _broken_first(lines: list[tuple[int, bytes]]) -> Iterator[Line]:
    """Tell what a file is whose first line is no JSON: one document over many lines, or JSON lines with faults."""
    whole = _parsed(lines)
    if whole.fault is None:
        yield whole
        return
    each = [_parsed([line]) for line in lines]
    # A line that only opens a document is the first of one, whatever the others look like.
    opens = lines[0][1].strip() in (b"[", b"{")
    yield from each if not opens and any(isinstance(line.payload, dict) for line in each) else [whole]


def _parsed(lines: list[tuple[int, bytes]]) -> Line:
    data = b"\n".join(line for _, line in lines)
    try:
        return Line(lines[0][0], orjson.loads(data), suspect=_SUSPECT.search(data) is not None)
    except orjson.JSONDecodeError as error:
        # Empty lines are not among them.
        at = lines[min(error.lineno, len(lines)) - 1][0]
        return Line(at, fault=f"not JSON: {error.msg}")


def misfit(payload: Any) -> str | None:
    """Tell what in a document no store can hold, if anything."""
    waiting: list[Any] = [payload]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str) and "\0" in value:
            return "a text in it has a NUL character"
        if isinstance(value, int) and not -_BOUND <= value < _BOUND:
            return f"the number {value} is more than 64 bits hold"
        if isinstance(value, dict):
            waiting += [*cast("dict[str, Any]", value), *cast("dict[str, Any]", value).values()]
        elif isinstance(value, list):
            waiting += cast("list[Any]", value)
    return None


def _lines(path: Path, progress: Callable[[int], None]) -> Iterator[tuple[int, bytes]]:
    number = 1
    pieces: list[bytes] = []
    size = 0
    for chunk in _chunks(path, progress):
        first, *more = chunk.split(b"\n")
        pieces.append(first)
        size += len(first)
        for piece in more:
            yield number, _line(number, pieces)
            number, pieces, size = number + 1, [piece], len(piece)
        if size > _MOST_LINE:
            raise Unreadable(f"{path}: line {number} is longer than {_MOST_LINE} bytes")
    yield number, _line(number, pieces)


def _line(number: int, pieces: list[bytes]) -> bytes:
    line = b"".join(pieces)
    return line.removeprefix(codecs.BOM_UTF8) if number == 1 else line


def _chunks(path: Path, progress: Callable[[int], None]) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            first = file.read(len(_GZIP))
            file.seek(0)
            inflater = zlib.decompressobj(_GZIP_WINDOW) if first == _GZIP else None
            read = 0
            while chunk := file.read(_CHUNK):
                read += len(chunk)
                progress(read)
                if inflater is None:
                    yield chunk
                    continue
                yield inflater.decompress(chunk)
                while inflater.eof and inflater.unused_data[:2] == _GZIP:
                    # Several streams in one file are one after the other; anything else behind the last is padding.
                    more, inflater = inflater.unused_data, zlib.decompressobj(_GZIP_WINDOW)
                    yield inflater.decompress(more)
            if inflater is not None and not inflater.eof:
                raise Unreadable(f"{path}: the gzip stream ends too early")
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None
    except zlib.error as error:
        raise Unreadable(f"{path}: not a good gzip file ({error})") from None
