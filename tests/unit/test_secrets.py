"""Upstreams' API keys, as the proxy reads them from SSM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from osiris.errors import StoreUnavailable, UpstreamRefusedUs
from osiris.store.secrets import CACHE_MS, READ_AGAIN_MS, Secrets

if TYPE_CHECKING:
    from osiris.store.transport_lean import AwsJson

OUT_OF_REACH = StoreUnavailable(details="GetParameter: 400 ThrottlingException")
GONE = (400, {"__type": "ParameterNotFound"})


class ScriptedSsm:
    """Answers one call after the other."""

    def __init__(self, *answers: tuple[int, dict[str, Any]] | Exception) -> None:
        self.answers = list(answers)

    def post(self, operation: str, payload: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        assert operation == "GetParameter"
        assert payload == {"Name": "/osiris/openai", "WithDecryption": True}
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def found(text: str) -> tuple[int, dict[str, Any]]:
    """SSM's answer that holds a secret."""
    return 200, {"Parameter": {"Value": text}}


def reader(*answers: tuple[int, dict[str, Any]] | Exception) -> Secrets:
    """The secrets over these answers; one more call than these fails the test."""
    return Secrets(cast("AwsJson", ScriptedSsm(*answers)), "/osiris/")


def test_a_secret_is_kept_five_minutes() -> None:
    """One read serves five minutes; a new text is used after them."""
    secrets = reader(found("old"), found("new"))
    assert [secrets.read("openai", at_ms) for at_ms in (0, CACHE_MS - 1)] == ["old", "old"]
    assert secrets.read("openai", CACHE_MS) == "new"


def test_a_secret_outlives_ssm() -> None:
    """While SSM throttles or is away, requests go on with the text read last; it is asked again."""
    secrets = reader(found("old"), OUT_OF_REACH, found("new"))
    secrets.read("openai", 0)
    assert [secrets.read("openai", CACHE_MS + at_ms) for at_ms in (0, 1)] == ["old", "old"]
    assert secrets.read("openai", CACHE_MS + READ_AGAIN_MS) == "new"


def test_a_secret_that_was_taken_away_is_not_used() -> None:
    """Deleting the parameter stops its use after five minutes, and is the operator's matter."""
    secrets = reader(found("old"), GONE)
    secrets.read("openai", 0)
    with pytest.raises(UpstreamRefusedUs) as refused:
        secrets.read("openai", CACHE_MS)
    assert refused.value.details == "secret openai: 400 ParameterNotFound"


def test_without_an_earlier_text_there_is_none() -> None:
    """SSM out of reach at the first read is told."""
    with pytest.raises(StoreUnavailable):
        reader(OUT_OF_REACH).read("openai", 0)


def test_a_secret_that_is_not_there_is_asked_for_now_and_then() -> None:
    """Whoever may make us ask, SSM hears of it once in ten seconds; one that came is used then."""
    secrets = reader(GONE, found("new"))
    for at_ms in (0, READ_AGAIN_MS - 1):
        with pytest.raises(UpstreamRefusedUs):
            secrets.read("openai", at_ms)
    assert secrets.read("openai", READ_AGAIN_MS) == "new"
