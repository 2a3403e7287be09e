"""Every text of the pages stands in each language's catalogue, with the same values in it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po

from osiris.web.words import CATALOGUES, ENGLISH, LANGUAGES, Words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from babel.messages.catalog import Catalog, Message

REPOSITORY = Path(__file__).parents[2]
OTHERS = [language for language in LANGUAGES if language != ENGLISH]
KEYWORDS = {**DEFAULT_KEYWORDS, "N_": None, "text": None}
VALUE = re.compile(r"%\((\w+)\)s")
TAG = re.compile(r"</?[a-z]+[^>]*>")


@pytest.fixture(scope="module")
def texts() -> set[str]:
    """Every text in templates and modules, as `make words` finds them."""
    mappings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["babel"][
        "mappings"
    ]
    extracted = extract_from_dir(
        REPOSITORY,
        [(mapping["pattern"], mapping["method"]) for mapping in mappings],
        {mapping["pattern"]: mapping for mapping in mappings},
        keywords=KEYWORDS,
    )
    return {text[0] if isinstance(text, tuple) else text for _, _, text, _, _ in extracted}


def catalogue(language: str) -> Catalog:
    with (CATALOGUES / language / "LC_MESSAGES/messages.po").open("rb") as source:
        return read_po(source, locale=language)


def messages(language: str) -> Iterator[Message]:
    return (message for message in catalogue(language) if message.id)


def forms(text: str | Sequence[str] | None) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text or ())


def test_there_are_texts(texts: set[str]) -> None:
    """The extraction reads templates and modules."""
    assert len(texts) > 100
    assert {"Keys", "You have 10 keys"} <= texts


@pytest.mark.parametrize("language", OTHERS)
def test_the_catalogue_has_every_text_and_no_other(language: str, texts: set[str]) -> None:
    """A text that was added or changed is translated in the same change: see `make words`."""
    found = {forms(message.id)[0] for message in messages(language)}
    assert texts - found == set()
    assert found - texts == set()


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_translated(language: str) -> None:
    """No translation is empty, or only guessed."""
    missing = [
        message.id
        for message in messages(language)
        if message.fuzzy or not message.string or not all(forms(message.string))
    ]
    assert missing == []


@pytest.mark.parametrize("language", OTHERS)
def test_translations_hold_the_same_values_and_tags(language: str) -> None:
    """What is filled in is filled in there, too, and no tag is lost or added."""
    for message in messages(language):
        original, translated = forms(message.id)[-1], forms(message.string)[-1]
        assert set(VALUE.findall(original)) == set(VALUE.findall(translated)), message.id
        assert sorted(TAG.findall(original)) == sorted(TAG.findall(translated)), message.id
        assert re.sub(r"%%|%\(\w+\)s", "", translated).count("%") == re.sub(
            r"%%|%\(\w+\)s", "", original
        ).count("%"), message.id


@pytest.mark.parametrize("language", OTHERS)
def test_plurals_come_in_the_languages_forms(language: str) -> None:
    """The catalogue says how many forms there are, and each plural has them."""
    found = catalogue(language)
    for message in messages(language):
        if isinstance(message.id, tuple):
            assert len(forms(message.string)) == found.num_plurals, message.id


def test_numbers_and_rupiah_are_written_as_the_language_has_them() -> None:
    """Indonesian has its thousands by points and its decimals by commas."""
    english, indonesian = Words("en"), Words("id")
    assert (english.dollars(1_234_500_000_000), indonesian.dollars(1_234_500_000_000)) == (
        "$1,234.50",
        "US$1.234,50",
    )
    assert (english.rupiah(1_653_000), indonesian.rupiah("1653000")) == (
        "Rp1,653,000",
        "Rp1.653.000",
    )
