"""OpenAI's SDK as its users make it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from openai import OpenAI

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openai.types.chat import ChatCompletionMessageParam

    from tests.e2e.conftest import Harness

MODEL = "claude-opus-4.6"


def asked(text: str) -> list[ChatCompletionMessageParam]:
    """A conversation of one question."""
    return [{"role": "user", "content": text}]


@contextmanager
def sdk(harness: Harness, secret: str | None = None, **options: Any) -> Iterator[OpenAI]:
    """A client with this key's secret; with a fresh, funded key's when none is given."""
    secret = harness.new_key() if secret is None else secret
    with OpenAI(base_url=harness.stack.base_url, api_key=secret, **options) as client:
        yield client
