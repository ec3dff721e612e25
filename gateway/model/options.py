"""Options: what may be set of one provider alone."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """A provider's own settings: none, unless a subclass has some. A name that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def body_limit(self) -> int:
        """Bytes of the largest body that the dialect reads."""
        return 1 << 18
