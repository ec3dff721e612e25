"""What a payload holds that its provider's contract does not know: kept apart, and put back when it is written."""

from __future__ import annotations

from typing import Any, cast

from gateway.model.errors import UpstreamInvalid


def leftover(read: object, written: object) -> dict[str, Any] | None:
    """Give what a payload holds that its rendering lacks: objects by key, lists of equal length by index."""
    # Nearly always nothing is left, and this tells so at a tenth of the cost.
    found = None if read == written else _leftover(read, written)
    if not isinstance(found, dict):
        return None
    if _is_deep(cast("object", found)):
        raise UpstreamInvalid("What the service's answer holds beside its format is nested too deeply.")
    return cast("dict[str, Any]", found)


_DEEPEST = 100
"""How deep what is not known may be nested: deeper, it could be read but not written again."""


def _is_deep(value: object) -> bool:
    level: list[object] = [value]
    for _ in range(_DEEPEST):
        level = [
            part
            for entry in level
            for part in (
                cast("dict[str, object]", entry).values()
                if isinstance(entry, dict)
                else cast("list[object]", entry)
                if isinstance(entry, list)
                else ()
            )
        ]
        if not level:
            return False
    return True


_NOTHING = object()


def _leftover(read: object, written: object) -> object:
    if isinstance(read, dict) and isinstance(written, dict):
        left: dict[str, Any] = {}
        for name, part in cast("dict[str, Any]", read).items():
            over = _leftover(part, cast("dict[str, Any]", written)[name]) if name in written else part
            # A null that we leave out is no loss.
            if over is not _NOTHING and not (over is None and name not in written):
                left[name] = over
        return left or _NOTHING
    if (
        isinstance(read, list)
        and isinstance(written, list)
        and len(cast("list[Any]", read)) == len(cast("list[Any]", written))
    ):
        pairs = zip(cast("list[Any]", read), cast("list[Any]", written), strict=True)
        by_index = {str(index): over for index, (a, b) in enumerate(pairs) if (over := _leftover(a, b)) is not _NOTHING}
        return {_BY_INDEX: by_index} if by_index else _NOTHING
    return _NOTHING


_BY_INDEX = "[]"


def merged(written: Any, extra: Any) -> Any:
    """Put back into a rendering what `leftover` found."""
    if not isinstance(extra, dict):
        return written
    more = cast("dict[str, Any]", extra)
    if isinstance(written, list):
        by_index = cast("dict[str, Any]", more.get(_BY_INDEX, {}))
        parts = enumerate(cast("list[Any]", written))
        return [merged(part, by_index.get(str(index))) for index, part in parts]
    if isinstance(written, dict):
        known = cast("dict[str, Any]", written)
        return {
            **{name: merged(part, more.get(name)) for name, part in known.items()},
            **{name: part for name, part in more.items() if name not in known},
        }
    return written
