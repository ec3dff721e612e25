"""What of Second Life may be set."""

from __future__ import annotations

from pydantic import Field

from gateway.model.options import Options


class SecondLifeOptions(Options):
    """What of Second Life may be set."""

    strict: bool = Field(
        default=False,
        description="Whether the dialect has the gaps of the real service: 501 for what it does not do, 400 for a "
        "change that would move something.",
    )
    most_objects: int = Field(
        default=5_000, ge=1, description="How many objects one answer of the dialect may have; more are refused."
    )
    most_new_objects: int = Field(default=200, ge=1, description="How many objects one request may make.")
    most_body_bytes: int = Field(default=1 << 20, ge=1_024, description="The largest body that the dialect reads.")
    link_permissions: bool = Field(
        default=False,
        description="Whether a link that is asked for alone is told with permissions and sale information, all of them "
        "none, for a client whose parser wants them.",
    )

    @property
    def body_limit(self) -> int:
        """Bytes of the largest body that the dialect reads."""
        return self.most_body_bytes
