"""BigInt and DateTime."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from graphql import GraphQLError
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.scalars import SCALARS, BigInt, parse_time, render_time

PARSE: Any = SCALARS[BigInt].parse_value


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_big_int_is_exact_as_text_and_as_number(number: int) -> None:
    assert PARSE(str(number)) == number
    assert PARSE(number) == number


@pytest.mark.parametrize("bad", ["", "1.0", "1e3", " 1", "0x1", "01", "-", "9" * 5000, 2**63, True, 1.5, None, "١"])
def test_what_is_no_big_int_is_refused(bad: object) -> None:
    with pytest.raises(GraphQLError, match="BigInt"):
        PARSE(bad)


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_reads_back(moment: datetime) -> None:
    assert render_time(moment).endswith("Z")
    assert parse_time(render_time(moment)) == moment


@pytest.mark.parametrize("text", ["2026-01-01T00:00:00", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-01:00"])
def test_a_time_without_an_offset_or_beyond_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a time"):
        parse_time(text)
