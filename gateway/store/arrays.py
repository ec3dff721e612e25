"""Arrays: a whole list of keys as one parameter, so that the text of a statement never depends on how many there are.

The parameter is JSON text on both databases: `json_each` unpacks it on SQLite, `json_array_elements` on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from sqlalchemy import Column, Integer, Select, String, TableValuedAlias, bindparam, column, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement, GenericFunction

from gateway.store.rows import storable
from gateway.store.tables import TEXT


class _Unpacked(FunctionElement[Any]):
    """The rows of an array of arrays of up to three texts: their number from 0, and the texts as `a`, `b`, `c`."""

    name = "unpacked"
    inherit_cache = True


@compiles(_Unpacked, "sqlite")
def _on_sqlite(element: _Unpacked, compiler: SQLCompiler, **options: Any) -> str:
    array = compiler.process(element.clauses, **options)
    texts = ", ".join(f"json_extract(value, '$[{at}]') AS {name}" for at, name in enumerate("abc"))
    return f"(SELECT key AS n, {texts} FROM json_each({array}))"  # noqa: S608 -- the array is a bound parameter


@compiles(_Unpacked, "postgresql")
def _on_postgresql(element: _Unpacked, compiler: SQLCompiler, **options: Any) -> str:
    array = compiler.process(element.clauses, **options)
    texts = ", ".join(f"entry ->> {at} AS {name}" for at, name in enumerate("abc"))
    unpacked = f"json_array_elements(CAST({array} AS JSON)) WITH ORDINALITY AS entries (entry, place)"
    return f"(SELECT place - 1 AS n, {texts} FROM {unpacked})"  # noqa: S608 -- the array is a bound parameter


def unpacked(parameter: str, alias: str = "asked") -> TableValuedAlias:
    """Give the rows of the array that the parameter brings (see `packed`): `n`, then the texts `a`, `b`, `c`."""
    texts: list[Column[Any]] = [column(name, TEXT) for name in "abc"]  # type: ignore[misc]
    return _Unpacked(bindparam(parameter, type_=String())).table_valued(column("n", Integer), *texts, name=alias)


def one_of(parameter: str) -> Select[Any]:
    """Give the texts of the array that the parameter brings (see `packed_texts`), to look for a value among them."""
    return select(unpacked(parameter, parameter).c.a)


class _TextArray(GenericFunction[str]):
    """All texts of a column as one JSON array, in the order of the rows: far cheaper than so many rows."""

    name = "gateway_text_array"
    inherit_cache = True
    type = String()


@compiles(_TextArray, "sqlite")
def _text_array_on_sqlite(element: _TextArray, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_group_array({compiler.process(element.clauses, **options)})"


@compiles(_TextArray, "postgresql")
def _text_array_on_postgresql(element: _TextArray, compiler: SQLCompiler, **options: Any) -> str:
    return f"CAST(json_agg({compiler.process(element.clauses, **options)}) AS VARCHAR)"


def text_array(texts: Select[Any]) -> Select[Any]:
    """Give what a statement finds, one text a row, as one JSON array (`read_texts`)."""
    found = texts.subquery("found")
    return select(_TextArray(found.c[0])).select_from(found)


def read_texts(array: str | None) -> list[str]:
    """Read what `text_array` gives."""
    return [] if array is None else orjson.loads(array)


def packed(rows: Sequence[Sequence[str]]) -> str:
    """Write the parameter of `unpacked`."""
    return orjson.dumps(rows).decode()


def packed_texts(texts: Iterable[str]) -> str:
    """Write the parameter of `one_of`; texts that no database can hold are left out, as they match nothing."""
    return orjson.dumps([(text,) for text in texts if storable(text)]).decode()
