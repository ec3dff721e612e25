"""The schema, built from the types of the providers that are passed in."""

from __future__ import annotations

import functools
from collections.abc import Generator

import strawberry
from graphql import GraphQLError, OperationDefinitionNode
from strawberry.extensions import MaxTokensLimiter, ParserCache, SchemaExtension, ValidationCache
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from gateway.api.mutations import Mutation
from gateway.api.queries import NodeQuery, Query
from gateway.model.change import PlainChangeSet, PreconditionFailedError, RefusedError
from gateway.model.owner import show_owner_details
from gateway.model.scalars import SCALARS

_CACHED = 500
"""How many documents are kept parsed and validated."""


class Schema(strawberry.Schema):
    """The schema; errors are logged where they are told to the client, so not by the library as well."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Log nothing: the library would write a trace with the operation's text and variables."""


class OneOperation(SchemaExtension):
    """Refuses to choose: the library would run the first of several operations where none is named."""

    def on_validate(self) -> Generator[None]:
        """Put an error in the place of the validation's."""
        context = self.execution_context
        # The public `operation_name` is the first operation's where the request names none.
        named = vars(context).get("_provided_operation_name")
        parts = context.graphql_document.definitions if context.graphql_document else ()
        if not named and sum(isinstance(part, OperationDefinitionNode) for part in parts) > 1:
            error = GraphQLError("`operationName` must say which of the operations to run.")
            context.pre_execution_errors = [error]
        yield


@functools.cache
def build_schema(
    types: tuple[type, ...], accounts: tuple[type, ...], *, node_fields: bool = True, max_tokens: int = 4_000
) -> Schema:
    """Build the schema: `types` are the providers' concrete types, `accounts` those that tell about an owner.

    Without `node_fields` the root has no `node` and `nodes`, for supergraphs that have their own. A document of more
    than `max_tokens` tokens is not parsed.
    """
    show_owner_details(accounts)
    return Schema(
        query=NodeQuery if node_fields else Query,
        mutation=Mutation,
        types=[*types, PlainChangeSet, RefusedError, PreconditionFailedError],
        extensions=[
            lambda: MaxTokensLimiter(max_tokens),
            lambda: ParserCache(_CACHED),
            lambda: ValidationCache(_CACHED),
            OneOperation,
        ],
        config=StrawberryConfig(scalar_map=SCALARS),
    )
