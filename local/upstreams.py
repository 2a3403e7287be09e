"""Where the models of models.yaml lead on this machine: to the simulator, or to the real thing.

An upstream whose API key is in the environment (``OPENAI_API_KEY``, ``ANTHROPIC_API_KEY``,
``DEEPSEEK_API_KEY``) is used as it is, at ``…_BASE_URL`` where that is set; all others are
simulated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from osiris.catalogue import UPSTREAM_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from osiris.catalogue import Model

_SIMULATED_SECRET = "simulated"  # noqa: S105  (the simulator takes any)


class Upstreams:
    """The choice for each upstream, from an environment."""

    def __init__(self, *, simulator_url: str, environ: Mapping[str, str]) -> None:
        self._simulator_url = simulator_url
        self._environ = environ

    def is_real(self, upstream: str) -> bool:
        return bool(self._environ.get(f"{upstream.upper()}_API_KEY"))

    def in_words(self) -> str:
        """Who answers, for a person to read."""
        real = [upstream for upstream in UPSTREAM_KINDS if self.is_real(upstream)]
        if not real:
            return "all simulated (set OPENAI_API_KEY, … to reach the real ones)"
        return f"{', '.join(real)} for real, at their own price; all others simulated"

    def served(self, model: Model) -> Model:
        """The model with the base URL that answers it here."""
        if not self.is_real(model.upstream):
            return model._replace(base_url=self._simulator_url)
        named = self._environ.get(f"{model.upstream.upper()}_BASE_URL", "")
        return model._replace(base_url=_with_version(named) if named else model.base_url)

    def secrets(self, models: Iterable[Model]) -> dict[str, str]:
        """The API key of each upstream by the name under which models.yaml refers to it."""
        return {
            model.secret: self._environ.get(f"{model.upstream.upper()}_API_KEY")
            or _SIMULATED_SECRET
            for model in models
        }


def _with_version(base_url: str) -> str:
    """OpenAI's clients are given …/v1, Anthropic's the bare host; our requests need the former."""
    is_bare = urlsplit(base_url).path.strip("/") == ""
    return base_url.rstrip("/") + ("/v1" if is_bare else "")
