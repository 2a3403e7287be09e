"""A world in which the models of models.yaml are on sale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from osiris.flows import models
from tests.web.browser import REPOSITORY, web_world

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.builders import World

MODELS = models.models_from(yaml.safe_load((REPOSITORY / "models.yaml").read_text()))


def stocked(environment: Mapping[str, str] | None = None) -> World:
    """The world, before anything was read in it."""
    world = web_world(environment)
    for model in MODELS:
        world.app.models.put(model)
    world.transport.calls.clear()
    return world
