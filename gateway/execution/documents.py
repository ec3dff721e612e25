"""The cache of documents: a text is parsed, guarded, validated and compiled once, however often it is asked."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Mapping, Sequence
from inspect import isawaitable
from typing import Any, Self, cast

import strawberry
from cachetools import LRUCache
from graphql import (
    REMOVE,
    DirectiveNode,
    DocumentNode,
    ExecutionResult,
    ExperimentalIncrementalExecutionResults,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    ValidationRule,
    Visitor,
    create_source_event_stream,  # pyright: ignore[reportUnknownVariableType]  # as below
    experimental_execute_incrementally,  # pyright: ignore[reportUnknownVariableType]  # parts of it are untyped
    get_variable_values,
    parse,
    specified_rules,
    validate,
    visit,
)
from graphql.execution import Executor
from graphql.execution.values import VariableValues
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from gateway.execution.compiler import Types
from gateway.execution.guard import Limits, Weight, check_together, weigh
from gateway.execution.plan import Plan
from gateway.execution.selections import Refused, conditions
from gateway.model.relations import Loading
from gateway.settings import ServerSettings
from gateway.telemetry import Figure

_RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)

_MOST_PLANS = 8
"""How many ways a document's conditions may be decided and compiled; further ways are left to graphql-core."""

_MOST_ERRORS = 5

_BYTES_A_TOKEN = 1_500
"""About what a document keeps in memory for each of its tokens: syntax tree, positions, plan. Measured."""

_PROBATION = 0.2
"""The part of the cache that texts seen only once may take."""


_INCREMENTAL = ("defer", "stream")


class NoIntrospection(ValidationRule):
    """Refuses what tells the schema: introspection, and the text that federation routers ask for."""

    def enter_field(self, node: FieldNode, *_args: object) -> None:
        """Look at a field."""
        if node.name.value in ("__schema", "__type", "_service"):
            self.report_error(GraphQLError("The schema is not told here.", node))


_NO_VARIABLES = VariableValues({}, {})


class Invalid(Exception):
    """A text that is no document, or does not tell which of its operations is meant."""

    def __init__(self, error: GraphQLError, tokens: int = 0) -> None:
        super().__init__(error.message)
        self.error = error
        self.tokens = tokens
        """How long it is, about."""


class NoOperation(Exception):
    """The document has no operation of the name that was asked for, or none at all."""


class Operation:
    """An operation of a document, ready to run as often as it is asked."""

    def __init__(self, document: _Document, syntax: DocumentNode, node: OperationDefinitionNode) -> None:
        self._document = document
        self._syntax = syntax
        self._node = node
        self._plans: dict[tuple[Any, ...], Plan | None] = {}

    @property
    def name(self) -> str | None:
        """What the document calls it."""
        return self._node.name.value if self._node.name else None

    @property
    def kind(self) -> OperationType:
        """Whether it is a query, a mutation or a subscription."""
        return self._node.operation

    @property
    def errors(self) -> list[GraphQLError]:
        """What is wrong with its document."""
        return self._document.errors

    @property
    def tokens(self) -> int:
        """How many tokens its document has."""
        return self._syntax.token_count

    @property
    def is_incremental(self) -> bool:
        """Whether parts of its answer may come later, for clients that take them so."""
        return self._document.is_incremental and self.kind is not OperationType.SUBSCRIPTION

    @property
    def weight(self) -> Weight:
        """What it amounts to, by the name of the limit."""
        return self._document.weights.get(id(self._node), {})

    @property
    def plans(self) -> list[Plan | None]:
        """The plans that there are so far, None for each way that only graphql-core can run."""
        return list(self._plans.values())

    def plan(self, variables: VariableValues) -> Plan | None:
        """Give the plan for some values of the variables; None where only graphql-core can run the operation."""
        if self.kind is not OperationType.QUERY:
            return None
        conditions = self._document.conditions
        flags = tuple(variables.coerced.get(name) for name in conditions)
        if flags not in self._plans:
            if len(self._plans) >= _MOST_PLANS:
                return None
            decided = dict(zip(conditions, flags, strict=True))
            try:
                self._plans[flags] = Plan(self._document.documents.types, self._syntax, self._node, decided)
            except Refused:
                self._plans[flags] = None
        return self._plans[flags]

    async def execute(self, variables: Mapping[str, Any] | None, context: Loading) -> ExecutionResult:
        """Run the operation: by its plan, or by graphql-core where there is none or a value does not fit its field.

        What the plan has loaded is not loaded again: the context's loaders still have it.
        """
        if self._document.errors:
            return ExecutionResult(None, self._document.errors)
        given = dict(variables or {})
        schema = self._document.documents.types.schema
        coerced = _NO_VARIABLES
        if self._node.variable_definitions:
            hidden = not self._document.documents.suggestions
            found = get_variable_values(schema, self._node.variable_definitions, given, hide_suggestions=hidden)
            if not isinstance(found, VariableValues):
                return ExecutionResult(None, found)
            coerced = found
        plan = self.plan(coerced)
        if plan is not None:
            try:
                return await plan.run(context, coerced)
            except Refused:
                # A class of values came that cannot be compiled: it would be so the next time as well.
                self._plans = {flags: None if kept is plan else kept for flags, kept in self._plans.items()}
            except Exception:
                # Whatever it was, graphql-core finds it again, and tells where.
                self._document.documents.replays += 1
        return await self._execute(given, context)

    async def _execute(self, given: dict[str, Any], context: Loading, event: object = None) -> ExecutionResult:
        # By the function that can do more: the other refuses any schema that has the directives of the former.
        return cast("ExecutionResult", await self._incrementally(self._document.at_once, given, context, event))

    async def _incrementally(
        self, syntax: DocumentNode, given: dict[str, Any], context: Loading, event: object = None
    ) -> ExecutionResult | ExperimentalIncrementalExecutionResults:
        result = experimental_execute_incrementally(
            self._document.documents.types.schema,
            syntax,
            root_value=event,
            context_value=context,
            variable_values=given,
            operation_name=self.name,
            hide_suggestions=not self._document.documents.suggestions,
        )
        return await result if isawaitable(result) else result

    async def deliver(
        self, variables: Mapping[str, Any] | None, context: Loading
    ) -> ExecutionResult | ExperimentalIncrementalExecutionResults:
        """Run the operation, and give parts of the answer later that it defers or streams."""
        if self._document.errors:
            return ExecutionResult(None, self._document.errors)
        return await self._incrementally(self._syntax, dict(variables or {}), context)

    async def source(
        self, variables: Mapping[str, Any] | None, context: Loading
    ) -> ExecutionResult | AsyncGenerator[Any]:
        """Open the stream of events of a subscription, each of which `answer` answers; or tell why it cannot be."""
        if self._document.errors:
            return ExecutionResult(None, self._document.errors)
        executor = cast("Any", Executor).build(
            self._document.documents.types.schema,
            self._document.at_once,
            context_value=context,
            raw_variable_values=dict(variables or {}),
            operation_name=self.name,
            hide_suggestions=not self._document.documents.suggestions,
        )
        if isinstance(executor, list):
            return ExecutionResult(None, cast("list[GraphQLError]", executor))
        stream = create_source_event_stream(executor)
        found: Any = await stream if isawaitable(stream) else stream
        return found

    async def answer(self, event: object, variables: Mapping[str, Any] | None, context: Loading) -> ExecutionResult:
        """Give the answer of a subscription for one event."""
        return await self._execute(dict(variables or {}), context, event)


class _Document:
    """One text: its operations by name, and what is wrong with it."""

    def __init__(self, documents: Documents, text: str, max_tokens: int) -> None:
        self.documents = documents
        self.errors: list[GraphQLError] = []
        self.weight = len(text) + _BYTES_A_TOKEN
        self.conditions: tuple[str, ...] = ()
        self.weights: dict[int, Weight] = {}
        self.is_incremental = False
        self._operations: list[Operation] = []
        try:
            syntax = parse(text, max_tokens=max_tokens)
        except GraphQLError as error:
            self.broken: GraphQLError | None = error
            # It was read up to somewhere.
            self.tokens = min(max_tokens, len(text))
            return
        self.broken = None
        _unchain(syntax)
        self.weight += _BYTES_A_TOKEN * syntax.token_count
        for node in syntax.definitions:
            if isinstance(node, OperationDefinitionNode):
                self._operations.append(Operation(self, syntax, node))
        if self._operations:
            refused, weights = weigh(syntax, documents.types.schema, documents.limits)
            # What it has to say grows with the errors, at up to a millisecond each.
            errors = [refused] if refused else documents.validate(syntax)
            self.errors = errors
            self.weights = {id(node): weight for node, weight in weights}
            self.conditions = () if errors else conditions(syntax)
            self.is_incremental = not errors and "@" in text and _defers(syntax)
        self._syntax = syntax
        self.tokens = syntax.token_count

    @functools.cached_property
    def at_once(self) -> DocumentNode:
        """The document with nothing that comes later: what it defers and streams is answered with all the rest."""
        return visit(self._syntax, _AtOnce()) if self.is_incremental else self._syntax

    def operation(self, name: str | None) -> Operation:
        if self.broken:
            raise Invalid(self.broken, self.tokens)
        named = [operation for operation in self._operations if not name or operation.name == name]
        if not named:
            raise NoOperation
        if not name and len(named) > 1:
            raise Invalid(GraphQLError("`operationName` must say which of the operations to run."), self.tokens)
        return named[0]


class Documents:
    """The documents of a schema by their text, within `max_bytes` of memory, as near as can be told.

    A text that was asked once may only drive out others that were: a flood of them leaves those in use alone.
    `hits`, `misses`, `replays` and `size` (in bytes) tell how it goes.
    """

    def __init__(
        self,
        schema: strawberry.Schema,
        *,
        max_tokens: int = 4_000,
        max_bytes: int = 64 * 2**20,
        limits: Limits | None = None,
        introspection: bool = True,
        suggestions: bool = True,
    ) -> None:
        self.types = Types(schema)
        self.limits = limits or Limits.within(max_tokens)
        self.suggestions = suggestions
        self._rules = _RULES if introspection else (*_RULES, NoIntrospection)
        self.hits = self.misses = self.replays = 0
        self._max_tokens = max_tokens
        new = int(max_bytes * _PROBATION)
        self._seen_once: LRUCache[str, _Document] = LRUCache(new, getsizeof=_weight)
        self._in_use: LRUCache[str, _Document] = LRUCache(max_bytes - new, getsizeof=_weight)

    @classmethod
    def of(cls, schema: strawberry.Schema, settings: ServerSettings) -> Self:
        """Make it as the settings want it."""
        return cls(
            schema,
            max_tokens=settings.max_tokens,
            introspection=settings.introspection,
            suggestions=settings.suggestions,
        )

    @property
    def size(self) -> int:
        """About how many bytes the documents take."""
        return int(self._seen_once.currsize + self._in_use.currsize)

    def __len__(self) -> int:
        return len(self._seen_once) + len(self._in_use)

    def validate(self, syntax: DocumentNode) -> list[GraphQLError]:
        """Tell what is wrong with a document that is within the limits."""
        hidden = not self.suggestions
        return validate(self.types.schema, syntax, self._rules, max_errors=_MOST_ERRORS, hide_suggestions=hidden)

    def faults(self, text: str) -> list[GraphQLError]:
        """Tell what is wrong with a document, which need not be one that is asked for now."""
        document = _Document(self, text, self._max_tokens)
        return [document.broken] if document.broken else document.errors

    def check_together(self, operations: Sequence[Operation]) -> GraphQLError | None:
        """Give an error where operations that come together are over the limits of one."""
        return check_together([operation.weight for operation in operations], self.limits)

    def figures(self) -> list[Figure]:
        """List what is to be watched of the cache."""
        return [
            Figure(
                name="gateway_documents_hits",
                description="Documents that were found in the cache.",
                read=lambda: self.hits,
                counts=True,
            ),
            Figure(
                name="gateway_documents_misses",
                description="Documents that had to be parsed.",
                read=lambda: self.misses,
                counts=True,
            ),
            Figure(name="gateway_documents", description="Documents in the cache.", read=lambda: len(self)),
            Figure(
                name="gateway_documents_bytes",
                description="About how much memory the cached documents take.",
                read=lambda: self.size,
            ),
            Figure(
                name="gateway_operations_replayed",
                description="Operations that graphql-core ran again, as a value did not fit its field.",
                read=lambda: self.replays,
                counts=True,
            ),
        ]

    def get(self, text: str, operation_name: str | None = None) -> Operation:
        """Give an operation; raises Invalid, or NoOperation where there is none of that name."""
        document = self._in_use.get(text)
        if document is None:
            document = self._seen_once.pop(text, None)
            if document is None:
                self.misses += 1
                document = _Document(self, text, self._max_tokens)
                _keep(self._seen_once, text, document)
                return document.operation(operation_name)
            _keep(self._in_use, text, document)
        self.hits += 1
        return document.operation(operation_name)


class _AtOnce(Visitor):
    """Takes away the directives by which parts of an answer come later."""

    def enter_directive(self, node: DirectiveNode, *_: object) -> Any:
        """Remove it, or leave it."""
        return REMOVE if node.name.value in _INCREMENTAL else None


class _Deferring(Visitor):
    """Finds out whether any part of an answer may come later."""

    found = False

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        """Look at it."""
        self.found = self.found or node.name.value in _INCREMENTAL


def _defers(syntax: DocumentNode) -> bool:
    looking = _Deferring()
    visit(syntax, looking)
    return looking.found


def _unchain(syntax: DocumentNode) -> None:
    """Part the tokens, which know each other in a chain: only the parser needs it, and it would keep them all."""
    token = syntax.loc.start_token if syntax.loc else None
    while token is not None:
        following = token.next
        token.prev = token.next = None
        token = following


def _weight(document: _Document) -> int:
    return document.weight


def _keep(cache: LRUCache[str, _Document], text: str, document: _Document) -> None:
    if document.weight <= cache.maxsize:
        cache[text] = document
