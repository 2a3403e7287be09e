"""What a fresh stack is given so that the first request works: models, secrets, a funded key."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from local.state import StateDirectory
    from local.upstreams import Upstreams


class Demo(NamedTuple):
    """What the stack's greeting tells of it."""

    secret: str
    credit: str
    models: str
    model: str


NO_DEMO = Demo("", "", "", "")


def seed_demo(
    state: StateDirectory, *, environment: dict[str, str], subject: str, upstreams: Upstreams
) -> Demo:
    """Apply models.yaml, store the upstreams' secrets, and fund the demo account's key."""
    return Demo("", "", "", "deepseek-v3")
