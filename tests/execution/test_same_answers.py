"""Whatever is asked over whatever data: our execution answers as graphql-core does."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import pytest
from graphql import parse, validate
from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st

from tests.execution.both import compared, more_batches
from tests.execution.data import FAULTS, Plan
from tests.execution.graph import REAL, SCHEMAS, WIDE, graph_of
from tests.execution.operations import Operation, operations

EXAMPLES = int(os.environ.get("GATEWAY_TEST_EXAMPLES", "120"))
"""How many examples each test tries; thousands find more than hundreds, in minutes."""

OFTEN = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="GATEWAY_TEST_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)

GOOD = st.builds(
    Plan,
    seed=st.integers(0, 2**16),
    primed=st.sampled_from([0.2, 0.0, 1.0]),
    slow=st.booleans(),
)
BROKEN = st.builds(
    Plan,
    seed=st.integers(0, 2**16),
    primed=st.sampled_from([0.2, 0.0, 0.7]),
    slow=st.booleans(),
    guarded=st.integers(0, 4).map(lambda number: number == 4),
    rate=st.sampled_from([0.1, 0.02, 0.3]),
    faults=st.lists(st.sampled_from(FAULTS), min_size=1, max_size=4, unique=True).map(tuple),
)


def same(schema: Any, operation: Operation, plan: Plan) -> None:
    for variables in operation.requests:
        _, theirs, found = compared(schema, plan, operation.text, variables, operation.name)
        event("with errors" if theirs.errors else "without errors")
        event("null" if theirs.data is None else "data")
        note(f"{operation.text}\n{operation.name} {variables}\n{plan}")
        assert not found, "\n".join(found)


@pytest.mark.parametrize("graph", SCHEMAS)
@settings(parent=OFTEN, max_examples=min(EXAMPLES, 200))
@given(data=st.data())
def test_the_operations_tried_are_valid(graph: str, data: st.DataObject) -> None:
    schema = graph_of(SCHEMAS[graph])
    operation = data.draw(operations(schema))
    assert not validate(schema, parse(operation.text)), operation.text


@OFTEN
@given(operation=operations(graph_of(REAL)), plan=GOOD)
def test_good_data_is_answered_the_same(operation: Operation, plan: Plan) -> None:
    same(REAL, operation, plan)


@OFTEN
@given(operation=operations(graph_of(WIDE)), plan=GOOD)
def test_good_data_of_many_types_is_answered_the_same(operation: Operation, plan: Plan) -> None:
    same(WIDE, operation, plan)


@OFTEN
@given(operation=operations(graph_of(REAL)), plan=BROKEN)
def test_broken_data_is_answered_the_same(operation: Operation, plan: Plan) -> None:
    same(REAL, operation, plan)


@OFTEN
@given(operation=operations(graph_of(WIDE)), plan=BROKEN)
def test_broken_data_of_many_types_is_answered_the_same(operation: Operation, plan: Plan) -> None:
    same(WIDE, operation, plan)


@OFTEN
@given(operation=operations(graph_of(WIDE)), plan=GOOD)
def test_nothing_is_read_in_more_parts_than_graphql_core_reads_it_in(operation: Operation, plan: Plan) -> None:
    for variables in operation.requests:
        plan = dataclasses.replace(plan, slow=False)
        ours, theirs, _ = compared(WIDE, plan, operation.text, variables, operation.name)
        note(f"{operation.text}\n{operation.name} {variables}\n{plan}")
        assert not more_batches(ours, theirs)
