"""From coerced argument values to ours: input objects become the classes that were declared for them.

Strawberry does the same each time by looking at the types again; here they are looked at once for each operation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Any, cast

from graphql import GraphQLField, GraphQLInputObjectType, GraphQLList, GraphQLNonNull
from strawberry.types.base import StrawberryMaybe

from gateway.execution.selections import Refused

Convert = Callable[[Any], Any]

DEFINITION = "strawberry-definition"
"""Where Strawberry leaves its own definition of a part of the schema."""


def arguments_of(field: GraphQLField) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Give the function that makes a field's arguments, by their names in Python, from values by name in the graph.

    Raises Refused for what only Strawberry can convert.
    """
    return _named({name: (_declared(part), _convert(cast("Any", part).type)) for name, part in field.args.items()})


def _declared(part: Any) -> Any:
    return part.extensions[DEFINITION]


def _named(parts: Mapping[str, tuple[Any, Convert | None]]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    plan = [(name, declared.python_name, convert) for name, (declared, convert) in parts.items()]

    def named(values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            python_name: values[name] if convert is None or values[name] is None else convert(values[name])
            for name, python_name, convert in plan
            if name in values
        }

    return named


def _convert(type_: Any) -> Convert | None:
    """Give the function that converts a value that is not null; None where it stays as it is."""
    if isinstance(type_, GraphQLNonNull):
        return _convert(cast("Any", type_).of_type)
    if isinstance(type_, GraphQLList):
        element = _convert(cast("Any", type_).of_type)
        # A copy in any case: a default is the same list for every request.
        return list if element is None else lambda values: [None if one is None else element(one) for one in values]
    if isinstance(type_, GraphQLInputObjectType):
        return _input(type_)
    return None


def _input(type_: GraphQLInputObjectType) -> Convert:
    declared = _declared(type_)
    if declared.from_input is not None or any(isinstance(field.type, StrawberryMaybe) for field in declared.fields):
        raise Refused("an input that only Strawberry can make")
    absent = {
        field.python_name: None
        for field in declared.fields
        if field.default_value is MISSING and field.default_factory is MISSING
    }
    named = _named({name: (_declared(part), _convert(part.type)) for name, part in type_.fields.items()})
    return lambda value: declared.origin(**{**absent, **named(value)})
