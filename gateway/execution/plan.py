"""Plans: operations compiled to Python, which run in front of graphql-core and answer the same.

A plan walks over plain attributes at once. What must be loaded is left waiting and goes on by itself, for each
relation, provider and credential, as soon as its keys are there: no level waits for another. Each loader is asked once,
with unique keys, and equal keys share one part of the answer.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, cast

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    GraphQLError,
    GraphQLObjectType,
    OperationDefinitionNode,
    get_argument_values,
    located_error,
)

from gateway.execution.compiler import Broken, Compiler, Step, Types, Waiting
from gateway.execution.selections import Selections
from gateway.model.relations import Arguments, Loading, bare

Place = tuple[Any, str | int]
"""A place in the answer: an object and a response key, or a list and an index."""

Places = Mapping[Any, Sequence[Any]]
"""By loader's key, where its value goes: the objects of the answer, or, for lists of keys, lists and indices."""

Part = tuple[Step, str, Sequence[Any], Places]
"""What is loaded in one go: of a relation and a provider, some keys."""


class Plan:
    """One operation, compiled for certain values of the variables that its directives use."""

    def __init__(
        self, types: Types, document: DocumentNode, operation: OperationDefinitionNode, flags: Mapping[str, object]
    ) -> None:
        """Raise Refused where only graphql-core can run the operation."""
        self.types = types
        self.compiler = Compiler(types, Selections(types.schema, document, flags))
        query = cast("GraphQLObjectType", types.schema.query_type)
        self._root = self.compiler.function(query, [operation.selection_set])
        # The root fields are relations of an object that has nothing else.
        self._query: Any = bare(types.origin(query))

    async def run(self, context: Loading, variables: Any) -> ExecutionResult:
        """Answer the operation; raises where graphql-core must, as a value of ours does not fit its field.

        `variables` are coerced. What was loaded until then, the context's loaders still have.
        """
        run = _Run(self, context, variables)
        data = self._root(self._query, run.waiting)
        if run.waiting:
            await run.follow()
        return ExecutionResult(data, run.errors(data) if run.failures else None)


class _Run:
    """One run of a plan."""

    def __init__(self, plan: Plan, context: Loading, variables: Any) -> None:
        self.waiting: Waiting = defaultdict(list)
        self.failures: list[tuple[Place, Exception, list[FieldNode]]] = []
        self._plan = plan
        self._steps = plan.compiler.steps
        self._context = context
        self._variables = variables
        self._asked: dict[int, Arguments | None] = {}
        self._branches = 1
        self._stopped = False

    async def follow(self) -> None:
        """Load what the last walk left waiting: each relation goes on by itself, for each provider.

        So does each key of a loader that reads keys one by one: one may take long.
        """
        left = list(self.waiting.items())
        self.waiting.clear()
        work: list[Part] = []
        for number, entries in left:
            step = self._steps[number]
            places = self._places(number, step, entries)
            by_provider: dict[str, list[Any]] = {}
            for key in places:
                by_provider.setdefault(key.provider, []).append(key)
            one_by_one = self._context.reads_alone(step.relation.loader)
            for provider, keys in by_provider.items():
                parts = [[key] for key in keys] if one_by_one else [keys]
                work += [(step, provider, part, places) for part in parts]
        if len(work) == 1:
            await self._take(*work[0], alone=self._branches == 1)
            return
        # All are asked for before any is waited for, so that a loader which several ask gets one batch.
        for step, provider, keys, _ in work:
            self._context.ask(step.relation.loader, provider, keys)
        self._branches += len(work) - 1
        try:
            await asyncio.gather(*(self._branch(part) for part in work))
            self._branches += 1
        except Exception:
            # Not cancelled: what is on its way, graphql-core will ask for as well.
            self._stopped = True
            raise

    async def _branch(self, part: Part) -> None:
        try:
            await self._take(*part, alone=False)
        finally:
            self._branches -= 1

    async def _take(self, step: Step, provider: str, keys: Sequence[Any], places: Places, *, alone: bool) -> None:
        """Take what is loaded for some keys to its places, and go on from there."""
        found = await self._context.load_many(step.relation.loader, provider, keys, alone=alone)
        if self._stopped:
            return
        name, complete, waiting = step.name, step.complete, self.waiting
        pick, many = step.relation.pick, step.relation.many
        for key in keys:
            value = found.get(key)
            if pick is not None and value is not None and not isinstance(value, Exception):
                value = getattr(value, pick)
            if value is None:
                if step.elements_non_null or (step.non_null and not many):
                    raise Broken
            elif isinstance(value, Exception):
                for place in places[key] if many else [(answer, name) for answer in places[key]]:
                    self._fail(step, place, value)
            elif many:
                completed = complete(value, waiting)
                for values, index in places[key]:
                    values[index] = completed
            else:
                completed = complete(value, waiting)
                for answer in places[key]:
                    answer[name] = completed
        if waiting:
            await self.follow()

    def _places(self, number: int, step: Step, entries: Sequence[tuple[Any, dict[str, Any]]]) -> Places:
        """Give the keys that some objects have for a relation, each with the places that its value goes to."""
        name, relation = step.name, step.relation
        places: dict[Any, list[Any]] = {}
        try:
            key_of = self._key_of(number, step)
        except Exception as error:
            for _, answer in entries:
                self._fail(step, (answer, name), error)
            return places
        for source, answer in entries:
            try:
                found = key_of(source)
                if relation.many and found is not None:
                    found = list(found)
            except Exception as error:
                self._fail(step, (answer, name), error)
                continue
            if found is None:
                if step.non_null:
                    raise Broken
            elif relation.many:
                answer[name] = values = [None] * len(found)
                for index, key in enumerate(found):
                    if key is not None:
                        places.setdefault(key, []).append((values, index))
                    elif step.elements_non_null:
                        raise Broken
            else:
                same = places.get(found)
                if same is None:
                    places[found] = [answer]
                else:
                    same.append(answer)
        return places

    def _key_of(self, number: int, step: Step) -> Callable[[Any], Any]:
        """Give the function that tells a relation's key, or keys, of an object."""
        relation = step.relation
        if relation.takes is None and isinstance(relation.key, str):
            return attrgetter(relation.key)
        asked = self._arguments(number, step)
        return lambda source: relation.keys(source, asked)

    def _arguments(self, number: int, step: Step) -> Arguments | None:
        """Give a relation's arguments: in one run they are the same for every object."""
        if step.relation.takes is None:
            return None
        if number not in self._asked:
            values = get_argument_values(step.field, step.nodes[0], self._variables)
            self._asked[number] = step.relation.asked(step.arguments(values))
        return self._asked[number]

    def _fail(self, step: Step, place: Place, error: Exception) -> None:
        """Leave a null and note its error; where there may be no null, graphql-core finds where it ends."""
        if step.elements_non_null if isinstance(place[1], int) else step.non_null:
            raise Broken
        self.failures.append((place, error, step.nodes))

    def errors(self, data: dict[str, Any]) -> list[GraphQLError]:
        """Locate the failures: a part of the answer that stands in several places fails in each."""
        failed: dict[tuple[int, str | int], tuple[Exception, list[FieldNode]]] = {
            (id(container), at): (error, nodes) for (container, at), error, nodes in self.failures
        }
        holders = {container for container, _ in failed}
        return [
            located_error(*failed[id(container), at], [*path, at])
            for container, path in _containers(data, [])
            if id(container) in holders
            for at, _ in _inside(container)
            if (id(container), at) in failed
        ]


def _containers(value: Any, path: list[str | int]) -> Iterator[tuple[Any, list[str | int]]]:
    """Walk over the objects and lists of an answer, with their paths."""
    yield value, path
    for at, inside in _inside(value):
        if isinstance(inside, (dict, list)):
            yield from _containers(inside, [*path, at])


def _inside(container: Any) -> Iterable[tuple[str | int, Any]]:
    return container.items() if isinstance(container, dict) else enumerate(container)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]  # an answer
