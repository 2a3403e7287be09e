"""Settings: read once, by name, with defaults; a mistake is named."""

from __future__ import annotations

import pytest

from osiris.settings import SETTINGS, SettingMissing, Settings, from_environ

TABLES = {"OSIRIS_KEYS_TABLE": "k"}


def test_the_table_has_every_field() -> None:
    """Each field has its variable, and no variable is read twice."""
    assert tuple(SETTINGS) == Settings._fields
    variables = [setting.variable for setting in SETTINGS.values()]
    assert len(set(variables)) == len(variables)


def test_defaults() -> None:
    """What is not set has its default, or is empty where nobody here needs it."""
    settings = from_environ(TABLES, needs=["keys_table"])
    assert settings.keys_table == "k"
    assert settings.ledger_table == ""
    assert settings.rate_limit == 40
    assert settings.open_requests_max == 40
    assert settings.hold_lapse_ms == 16 * 60_000
    assert settings.trial_amount == "0"


def test_what_is_set_counts() -> None:
    """A variable overrides its default; an empty one does not."""
    environ = {**TABLES, "OSIRIS_RATE_LIMIT": "7", "OSIRIS_OPEN_REQUESTS_MAX": ""}
    settings = from_environ(environ, needs=[])
    assert (settings.rate_limit, settings.open_requests_max) == (7, 40)


@pytest.mark.parametrize("environ", [{}, {"OSIRIS_KEYS_TABLE": ""}])
def test_a_needed_one_is_named(environ: dict[str, str]) -> None:
    """A variable that is needed and not set is named, with what it is for."""
    with pytest.raises(SettingMissing, match=r"^OSIRIS_KEYS_TABLE is not set\. It is: "):
        from_environ(environ, needs=["keys_table"])


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "forty", "1e3", " 4", "４"])
def test_a_number_that_is_none_is_named(text: str) -> None:
    """A number must be a whole one above 0, or it is refused by its variable's name."""
    with pytest.raises(SettingMissing, match=r"^OSIRIS_RATE_LIMIT must be a whole number"):
        from_environ({"OSIRIS_RATE_LIMIT": text}, needs=[])
