"""Operations as every transport runs them: found, held to their time, followed by their events, and ended."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from typing import Any, TypeAlias

from graphql import ExecutionResult, ExperimentalIncrementalExecutionResults, GraphQLError, OperationType

from gateway.api.context import Context
from gateway.execution.documents import Documents, Invalid, NoOperation, Operation
from gateway.http.body import Refused
from gateway.http.persisted import Persisted
from gateway.http.requests import Asked
from gateway.http.results import Body, Parts, body_of, failure
from gateway.http.shedding import SOON, Load
from gateway.http.streams import EVENT_STREAM, Stream
from gateway.model.credentials import Caller
from gateway.model.deadline import Limit, deadline
from gateway.model.errors import GatewayError, RateLimited, Unauthenticated, UpstreamTimeout
from gateway.settings import ServerSettings
from gateway.telemetry import Figure

# What reads stop by themselves at the deadline; what does not is stopped this much later.
_GRACE = 1.0

# Seconds between two looks at whether an account is linked still that is followed.
_LOOK = 60.0

Open: TypeAlias = Callable[[Caller], Awaitable[Context]]
"""Opens what one operation, or one event of a subscription, reads through."""

Put: TypeAlias = Callable[[Body], Awaitable[None]]
"""Sends one part of an answer, and waits while the client is slow."""


class Operations:
    """Runs operations; of the subscriptions it knows how many are live, and that they are to end.

    What an operation comes to is a result; a GatewayError is raised only where it came to nothing at all.
    """

    def __init__(
        self,
        documents: Documents,
        persisted: Persisted,
        settings: ServerSettings,
        context: Open,
        per_principal: int | None = None,
    ) -> None:
        """`per_principal`: how often one principal may ask in a minute."""
        self.load = Load(settings, per_principal)
        self._documents = documents
        self._persisted = persisted
        self._settings = settings
        self._open = context
        self.live = 0
        """How many subscriptions are live."""
        self.draining = asyncio.Event()
        """Set when the gateway is about to stop: streams end, and no new ones begin."""

    def find(self, asked: Asked) -> Operation:
        """Give the operation that a request asks for; raises Invalid, UnknownDocument or Refused."""
        try:
            operation = self._documents.get(self._persisted.text(asked), asked.operation_name)
        except NoOperation:
            what = "`operationName` names no operation of" if asked.operation_name else "There is no operation in"
            raise Refused(400, f"{what} the document.") from None
        if not operation.errors:
            self._persisted.keep(asked)
        return operation

    def check_together(self, operations: Sequence[Operation]) -> None:
        """Raise Invalid where operations that come together are over the limits of one."""
        error = self._documents.check_together(operations)
        if error is not None:
            raise Invalid(error)

    @contextlib.contextmanager
    def room(self) -> Generator[None]:
        """Count a subscription while it is live; raises Refused where none may begin."""
        if self.draining.is_set():
            raise Refused(503, "The gateway is about to stop.", {"Retry-After": "1"})
        if self.live >= self._settings.max_subscriptions:
            raise Refused(503, "As many subscriptions are live as this gateway bears.", {"Retry-After": "30"})
        self.live += 1
        try:
            yield
        finally:
            self.live -= 1

    async def run(self, operation: Operation, asked: Asked, caller: Caller) -> ExecutionResult:
        """Run a query or a mutation, and give all of its answer."""
        # Written out, as most requests come by here: what `_reading` and `_in_time` do.
        self.load.take()
        context: Context | None = None
        try:
            with deadline(self._settings.timeout), Limit(self._settings.timeout + _GRACE):
                context = await self._open(caller)
                return await operation.execute(asked.variables, context)
        except TimeoutError:
            raise _late() from None
        finally:
            self.load.done()
            if context is not None:
                await context.aclose()

    async def run_together(self, pairs: Sequence[tuple[Operation, Asked]], caller: Caller) -> list[ExecutionResult]:
        """Run operations that come together, within the time of one; with a mutation among them, one by one."""
        with deadline(self._settings.timeout):
            if all(operation.kind is OperationType.QUERY for operation, _ in pairs):
                return [*await asyncio.gather(*(self._alone(*pair, caller) for pair in pairs))]
            return [await self._alone(*pair, caller) for pair in pairs]

    async def _alone(self, operation: Operation, asked: Asked, caller: Caller) -> ExecutionResult:
        try:
            return await self.run(operation, asked, caller)
        except Refused as refused:
            return _failed(RateLimited(refused.message, retry_after=SOON))
        except GatewayError as error:
            # The others come to what they come to.
            return _failed(error)

    async def send_all(self, operation: Operation, asked: Asked, caller: Caller, stream: Stream) -> None:
        """Send the answer of an operation by and by, in the form of the stream."""
        if operation.kind is OperationType.SUBSCRIPTION:
            ended = await self.follow(operation, asked, caller, stream.put)
            if ended is not None:
                await stream.fail(body_of(ended))
        elif stream.form is EVENT_STREAM:
            await stream.put(body_of(await self.run(operation, asked, caller)))
        else:
            with self.load.taken_on():
                parts = Parts(is_newer=stream.form.is_newer)
                await self._deliver(operation, asked, caller, stream.put, parts)

    async def _deliver(self, operation: Operation, asked: Asked, caller: Caller, put: Put, parts: Parts) -> None:
        """Run an operation, and put the parts of its answer as they come."""
        async with self._reading(caller) as context:
            with self._in_time():
                result = await operation.deliver(asked.variables, context)
                if not isinstance(result, ExperimentalIncrementalExecutionResults):
                    await put(body_of(result) | {"hasNext": False})
                    return
                await put(parts.first(result.initial_result))
                async with contextlib.aclosing(result.subsequent_results) as subsequent:
                    async for later in subsequent:
                        await put(parts.later(later))

    async def follow(self, operation: Operation, asked: Asked, caller: Caller, put: Put) -> ExecutionResult | None:
        """Put the answers of a subscription as events come, until it ends; give why it does, where that is an error."""
        async with self._reading(caller) as context:
            with self._in_time():
                source = await operation.source(asked.variables, context)
            if isinstance(source, ExecutionResult):
                return source
            async with contextlib.aclosing(source):
                while True:
                    try:
                        event = await self._next(source, caller, context)
                    except StopAsyncIteration:
                        return None
                    except Exception as error:
                        # As graphql-core tells it; whatever is no error of ours is logged where it is written.
                        return _failed(error)
                    await put(await self._answer(operation, event, asked, caller))

    async def _next(self, source: AsyncGenerator[Any], caller: Caller, context: Context) -> Any:
        """Wait for an event, as long as the credentials that are followed with are those of the caller."""
        if not context.loaders.used:
            return await anext(source)
        coming = asyncio.ensure_future(anext(source))
        try:
            while not (await asyncio.wait({coming}, timeout=_LOOK))[0]:
                await self._check_linked(caller, context)
            await self._check_linked(caller, context)
            return coming.result()
        finally:
            coming.cancel()
            await asyncio.wait({coming})

    async def _check_linked(self, caller: Caller, context: Context) -> None:
        """Raise Unauthenticated where an account is no longer linked, or was linked anew with another credential."""
        async with self._reading(caller) as now:
            for provider, account in context.loaders.used.items():
                linked = now.loaders.accounts.get(provider)
                if linked is None or (linked.credential != account.credential and linked[:2] != account[:2]):
                    raise Unauthenticated("The account is no longer linked.", provider=provider)

    async def _answer(self, operation: Operation, event: object, asked: Asked, caller: Caller) -> Body:
        # Each event reads anew: what was read for one before is older than it.
        try:
            async with self._reading(caller) as context:
                with self._in_time():
                    return body_of(await operation.answer(event, asked.variables, context))
        except GatewayError as error:
            return failure(error)

    @contextlib.asynccontextmanager
    async def _reading(self, caller: Caller) -> AsyncGenerator[Context]:
        with self._in_time():
            context = await self._open(caller)
        try:
            yield context
        finally:
            await context.aclose()

    @contextlib.contextmanager
    def _in_time(self) -> Generator[None]:
        try:
            with deadline(self._settings.timeout), Limit(self._settings.timeout + _GRACE):
                yield
        except TimeoutError:
            raise _late() from None

    def figures(self) -> list[Figure]:
        """List what is to be watched of the operations."""
        return [
            Figure(name="gateway_subscriptions", description="Subscriptions that are live.", read=lambda: self.live)
        ]


def _late() -> UpstreamTimeout:
    return UpstreamTimeout("The operation took too long.")


def _failed(error: Exception) -> ExecutionResult:
    return ExecutionResult(None, [GraphQLError(str(error), original_error=error)])
