"""One attempt ends in its time, and leaves its task as it found it."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from gateway.model.errors import UpstreamTimeout
from gateway.transport.attempt import Attempt
from gateway.transport.errors import judge_status

from .scripted import Scripted, Step, forever, request

# The loop's time passes only while all wait, and at once.
pytestmark = pytest.mark.usefixtures("leaping")


def attempt(step: Step, *, timeout: float = 0.02) -> Attempt:
    return Attempt(Scripted(step), judge_status, timeout=timeout)


def this_task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None
    return task


async def test_a_task_whose_call_took_too_long_is_not_cancelled_afterwards() -> None:
    with pytest.raises(UpstreamTimeout):
        await attempt(forever).handle_async_request(request())
    assert this_task().cancelling() == 0
    await asyncio.sleep(0)


async def test_a_call_that_is_over_is_not_ended_by_its_time() -> None:
    assert (await attempt(None).handle_async_request(request())).status_code == 200
    await asyncio.sleep(0.04)


async def test_a_timeout_of_the_callers_own_is_not_taken_for_the_services() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await attempt(forever, timeout=5).handle_async_request(request())
    assert this_task().cancelling() == 0


async def test_a_timeout_inside_is_not_taken_for_the_services() -> None:
    async def late() -> None:
        raise TimeoutError("inside")

    with pytest.raises(TimeoutError, match="inside"):
        await attempt(late, timeout=5).handle_async_request(request())


async def test_who_cancels_in_the_moment_in_which_the_time_is_up_is_heard() -> None:
    async def both() -> None:
        try:
            await forever()
        finally:
            # The time is up; before that is told, the caller cancels too.
            task.cancel()

    task = asyncio.create_task(attempt(both).handle_async_request(request()))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_an_answer_that_comes_as_the_time_is_up_is_too_late() -> None:
    async def deaf() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await forever()

    with pytest.raises(UpstreamTimeout):
        await attempt(deaf).handle_async_request(request())
    assert this_task().cancelling() == 0
