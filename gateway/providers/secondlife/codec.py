"""The two forms of a document of Second Life, LLSD in XML and JSON, as bytes and back; nothing else is read."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any
from xml.parsers import expat

import llsd
import orjson

from gateway.files import Format, Malformed

LLSD, JSON = "application/llsd+xml", "application/json"
"""The media types."""


# The library has no types of its own.
_LLSD: Any = llsd
_PARSE: Callable[[bytes], Any] = _LLSD.parse_xml
_FORMAT: Callable[[Any], bytes] = _LLSD.format_xml
_FORMAT_PRETTY: Callable[[Any], bytes] = _LLSD.format_pretty_xml


class _Doctype(Exception):
    """A document type is declared, by which a short document may become an endless one."""


def _refuse_doctype(*_: object) -> None:
    raise _Doctype


def parse_llsd(data: bytes) -> Any:
    """Read LLSD XML; Malformed for anything else, and for a document that declares a type, and with it entities."""
    # Before the library's parser, which would put entities in; this one stops where the declaration begins.
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_doctype
    fault: str | None = None
    try:
        parser.Parse(data, True)
        return _PARSE(data)
    except _Doctype:
        fault = "a document type is declared in it"
    except expat.ExpatError as error:
        fault = f"it is no XML: {expat.ErrorString(error.code)}"
    except RecursionError:
        fault = "it is nested too deep"
    # What the library raises for uuids, numbers, dates and tags that are none.
    except (llsd.LLSDParseError, ValueError, LookupError, TypeError, OverflowError, AttributeError):
        fault = "it is no LLSD"
    # Out here, as those errors carry the document.
    raise Malformed(f"This is not LLSD XML: {fault}.")


def parse_json(data: bytes) -> Any:
    """Read JSON; Malformed for anything else."""
    fault: str | None = None
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        fault = error.msg
    raise Malformed(f"This is not JSON: {fault}.")


def write_llsd(value: Any) -> bytes:
    """Write LLSD XML."""
    return _FORMAT(value)


def write_pretty(value: Any) -> bytes:
    """Write LLSD XML for people."""
    return _FORMAT_PRETTY(value)


def write_json(value: Any) -> bytes:
    """Write JSON: ids, addresses and times as texts, bytes in base64."""
    return orjson.dumps(value, default=lambda found: b64encode(found).decode())


READERS: Mapping[str, Callable[[bytes], Any]] = MappingProxyType({LLSD: parse_llsd, JSON: parse_json})
WRITERS: Mapping[str, Callable[[Any], bytes]] = MappingProxyType({LLSD: write_llsd, JSON: write_json})
"""By media type."""

FORMAT = Format(opens=b"<", read=parse_llsd, write=write_pretty)
"""LLSD in files."""
