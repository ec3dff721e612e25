"""Operations that are hard to answer right, kept as files: each is answered as graphql-core answers it.

Beside each `.graphql` file stands a `.json` file: what the case is about (`says`), the variables of each request,
the plan of the data and how many seeds of it are tried, and what must come of it at least, so that the case stays
hard: error codes, or the data. `apart` tells why its reads may be in more parts than graphql-core's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from graphql import parse, validate

from tests.execution.both import compare, more_batches
from tests.execution.data import Plan
from tests.execution.graph import WIDE, graph_of

FOLDER = Path(__file__).parent / "corpus"
NAMES = sorted(path.stem for path in FOLDER.glob("*.graphql"))


@pytest.mark.parametrize("name", NAMES)
async def test_hard_operations_are_answered_the_same(name: str) -> None:
    text = (FOLDER / f"{name}.graphql").read_text()
    case: Any = orjson.loads((FOLDER / f"{name}.json").read_bytes())
    assert case["says"].endswith(".")
    assert name.startswith("invalid_") or not validate(graph_of(WIDE), parse(text))
    codes: set[str] = set()
    for variables in case.get("requests", [{}]):
        for seed in range(case.get("seeds", 6)):
            plan = Plan(seed=seed, slow=seed % 2 == 1, **case.get("plan", {}))
            ours, theirs, found = await compare(WIDE, plan, text, variables, case.get("name"))
            codes |= {orjson.loads(error[3])["code"] for error in theirs.errors if error[3] != "null"}
            assert not found, f"{variables} {plan}\n" + "\n".join(found)
            assert case.get("data", ours.data) == ours.data
    assert codes >= set(case.get("codes", ()))


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("invalid_")])
async def test_hard_operations_are_read_for_in_no_more_parts(name: str) -> None:
    text = (FOLDER / f"{name}.graphql").read_text()
    case: Any = orjson.loads((FOLDER / f"{name}.json").read_bytes())
    for variables in case.get("requests", [{}]):
        for seed in range(2, 4):
            ours, theirs, _ = await compare(WIDE, Plan(seed=seed), text, variables, case.get("name"))
            assert "apart" in case or not more_batches(ours, theirs), f"{variables} {seed}"


def test_every_case_has_both_files() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(NAMES)
    assert len(NAMES) >= 40
