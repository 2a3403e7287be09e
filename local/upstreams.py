"""Where the models of models.yaml lead on this machine: to the simulator, or to the real thing.

An upstream whose API key is in the environment (``OPENAI_API_KEY``, ``ANTHROPIC_API_KEY``,
``DEEPSEEK_API_KEY``) is used as it is, at ``…_BASE_URL`` where that is set; all others are
simulated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from local.problems import CannotStart
from osiris.catalogue import UPSTREAM_KINDS
from osiris.flows.model_fields import checked_base_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from osiris.catalogue import Model

_SIMULATED_SECRET = "simulated"  # noqa: S105  (the simulator takes any)


class UpstreamUnusable(CannotStart):
    """The environment names an address that requests can't go to."""


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

    @property
    def base_urls(self) -> dict[str, str]:
        """The base URL by upstream, where it is another than that of models.yaml.

        Raises `UpstreamUnusable` for one that the environment names and that can't be used.
        """
        urls = {upstream: self._base_url(upstream) for upstream in UPSTREAM_KINDS}
        return {upstream: url for upstream, url in urls.items() if url}

    def secrets(self, models: Iterable[Model]) -> dict[str, str]:
        """The API key of each upstream by the name under which models.yaml refers to it."""
        return {
            model.secret: self._environ.get(f"{model.upstream.upper()}_API_KEY")
            or _SIMULATED_SECRET
            for model in models
        }

    def _base_url(self, upstream: str) -> str:
        if not self.is_real(upstream):
            return self._simulator_url
        variable = f"{upstream.upper()}_BASE_URL"
        try:
            named = self._environ.get(variable)
            return _with_version(checked_base_url(named)) if named else ""
        except ValueError as error:
            raise UpstreamUnusable(f"{variable}: {error}") from error


def _with_version(base_url: str) -> str:
    """OpenAI's clients are given …/v1, Anthropic's the bare host; our requests need the former."""
    return base_url if urlsplit(base_url).path else f"{base_url}/v1"
