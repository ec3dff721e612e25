"""Which fields of a concrete type an operation selects: fragments spread, directives decided, equal keys merged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    is_abstract_type,
)

Selected = dict[str, list[FieldNode]]
"""By response key, in the order of the answer: the fields that are merged there."""


class Refused(Exception):
    """The operation is none that can be compiled; graphql-core runs it."""


class Selections:
    """The selection sets of one operation, with the values of the variables that its directives use."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, flags: Mapping[str, object]) -> None:
        self._schema = schema
        self._fragments = {
            part.name.value: part for part in document.definitions if isinstance(part, FragmentDefinitionNode)
        }
        self._flags = flags

    def of(self, runtime_type: GraphQLObjectType, sets: Iterable[SelectionSetNode | None]) -> Selected:
        """Collect the fields of some selection sets that are asked of one object together."""
        found: Selected = {}
        visited: set[str] = set()
        for selection_set in sets:
            if selection_set is not None:
                self._collect(runtime_type, selection_set, found, visited)
        return found

    def _collect(
        self, runtime_type: GraphQLObjectType, selection_set: SelectionSetNode, found: Selected, visited: set[str]
    ) -> None:
        for node in selection_set.selections:
            if not self._is_included(node.directives):
                continue
            if isinstance(node, FieldNode):
                found.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
                continue
            fragment: InlineFragmentNode | FragmentDefinitionNode
            if isinstance(node, InlineFragmentNode):
                fragment = node
            else:
                name = getattr(node, "name").value  # noqa: B009 -- the library's union of nodes hides the attribute
                if name in visited:
                    continue
                visited.add(name)
                fragment = self._fragments[name]
            if self._applies(fragment, runtime_type):
                self._collect(runtime_type, fragment.selection_set, found, visited)

    def _applies(self, fragment: InlineFragmentNode | FragmentDefinitionNode, runtime_type: GraphQLObjectType) -> bool:
        if fragment.type_condition is None:
            return True
        condition = self._schema.type_map[fragment.type_condition.name.value]
        if condition is runtime_type:
            return True
        return is_abstract_type(condition) and self._schema.is_sub_type(condition, runtime_type)

    def _is_included(self, directives: Iterable[DirectiveNode] | None) -> bool:
        if not directives:
            return True
        conditions = {directive.name.value: directive for directive in directives}
        # In graphql-core's order: where the first leaves the field out, a null in the second is no error.
        if (skip := conditions.get("skip")) is not None and self._decided(skip):
            return False
        return (include := conditions.get("include")) is None or self._decided(include)

    def _decided(self, directive: DirectiveNode) -> bool:
        value = directive.arguments[0].value if directive.arguments else None
        if isinstance(value, BooleanValueNode):
            return value.value
        if isinstance(value, VariableNode) and isinstance(flag := self._flags.get(value.name.value), bool):
            return flag
        # A null, which graphql-core has an error for.
        raise Refused("a condition has no value")


CONDITIONS = ("skip", "include")


def conditions(document: DocumentNode) -> tuple[str, ...]:
    """Name the variables that decide which fields are there: with other values, the operation is another."""
    names: dict[str, None] = {}

    def look(selection_set: SelectionSetNode | None) -> None:
        for node in selection_set.selections if selection_set is not None else ():
            for directive in node.directives or ():
                if directive.name.value in CONDITIONS:
                    for argument in directive.arguments or ():
                        if isinstance(argument.value, VariableNode):
                            names[argument.value.name.value] = None
            look(getattr(node, "selection_set", None))

    for part in document.definitions:
        if isinstance(part, (FragmentDefinitionNode, OperationDefinitionNode)):
            look(part.selection_set)
    return tuple(names)
