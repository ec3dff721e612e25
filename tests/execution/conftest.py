"""What the comparisons share: graphql-core's own loose ends are no warnings here."""

from __future__ import annotations

import gc
import re
import warnings
from collections.abc import Generator
from typing import Any

import pytest

_LOOSE_END = re.compile(r"Executor\.")


@pytest.fixture(autouse=True, scope="module")
def swept() -> Generator[None]:
    """Say nothing of the coroutines that graphql-core drops where an error nulls a field with other parts under way.

    They are collected at any time, and the warning is an error of whatever runs then. A filter would not do: some run
    where the interpreter cannot look at one, such as in the constructor of a named tuple, where it cannot even find the
    module that warns. So nothing is collected but between tests and examples.
    """
    told: Any = vars(warnings)["_warn_unawaited_coroutine"]

    def tell(coroutine: Any) -> None:
        if not _LOOSE_END.match(coroutine.__qualname__):
            told(coroutine)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warnings, "_warn_unawaited_coroutine", tell)
        gc.disable()
        gc.collect()
        gc.freeze()
        yield
        gc.collect()
        gc.enable()


@pytest.fixture(autouse=True)
def sweeping(swept: None) -> Generator[None]:
    """Collect what a test leaves."""
    del swept
    yield
    gc.collect()
