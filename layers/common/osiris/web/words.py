"""The pages' languages: texts from Babel catalogues; numbers and dates as each has them."""

from __future__ import annotations

import gettext
import io
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from babel.dates import format_datetime, format_timedelta
from babel.numbers import format_currency, format_decimal

from osiris.money import dollars_from_nano
from osiris.times import DAY_MS, HOUR_MS, MINUTE_MS

if TYPE_CHECKING:
    from gettext import NullTranslations

ENGLISH = "en"
# What each language calls itself.
LANGUAGES = {ENGLISH: "English", "id": "Bahasa Indonesia"}
CATALOGUES = Path(__file__).with_name("locale")
DOMAIN = "messages"
# Accept-Language's own bound is the gateway's for headers; nobody lists more languages than this.
ACCEPTED_MAX = 20

_DAY = "d MMM y"
_DAY_OF_YEAR = "d MMM"
_MINUTE = "d MMM y, HH:mm"
_SECOND = "d MMM y, HH:mm:ss"
# Of an amount of a coin.
DIGITS_MAX = 60
_DECIMAL = "#,##0.##################"
# Tokens at a price per million have fifteen decimals at most.
_DOLLARS = "¤#,##0.00#############"
# A distance is told in the largest of these of which it has two: "in 36 hours", then "in 2 days".
# Beyond days there is none: credit's life is told in days, not in weeks or months.
_UNITS: tuple[tuple[Literal["day", "hour", "minute", "second"], int], ...] = (
    ("day", DAY_MS),
    ("hour", HOUR_MS),
    ("minute", MINUTE_MS),
    ("second", 1_000),
)
_NEVER_REACHED = 1_000_000
# Within these a number of seconds tells nobody anything. A clock may be a little behind another's.
_JUST_NOW_AGO_MS, _JUST_NOW_AHEAD_MS = 10_000, 1_000
_RANGE = re.compile(r"([A-Za-z]{1,8})(?:-[A-Za-z0-9-]{1,30})?(?:;q=([01](?:\.[0-9]{1,3})?))?")


def N_(text: str) -> str:  # noqa: N802  (gettext's own name for it)
    """Marks a text for translation where no language is known yet."""
    return text


def preferred(accept_language: str) -> str:
    """The first of our languages by RFC 9110's `Accept-Language`; English for anybody else."""
    wanted: list[tuple[Decimal, str]] = []
    for part in accept_language.split(",")[:ACCEPTED_MAX]:
        found = _RANGE.fullmatch(part.strip())
        if found is not None and found[1].lower() in LANGUAGES:
            wanted.append((Decimal(found[2] or 1), found[1].lower()))
    best = max(wanted, key=lambda one: one[0], default=(Decimal(0), ENGLISH))
    return best[1] if best[0] > 0 else ENGLISH


@cache
def translations(language: str) -> NullTranslations:
    """The texts of a language; English is what the texts are written in."""
    if language == ENGLISH:
        return gettext.NullTranslations()
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with CATALOGUES.joinpath(language, "LC_MESSAGES", f"{DOMAIN}.po").open("rb") as source:
        catalogue = read_po(source, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


class Words:
    """One language: its texts, and money, numbers and times as it writes them. Times are UTC."""

    def __init__(self, language: str) -> None:
        assert language in LANGUAGES
        self.language = language
        self._translations = translations(language)

    def text(self, message: str, **values: object) -> str:
        """The message in this language, with `%(name)s` filled in."""
        found = self._translations.gettext(message)
        return found % values if values else found

    def dollars(self, nano: int) -> str:
        """Dollars, exactly: two decimals, and up to nine where they are needed."""
        return self.dollars_of(dollars_from_nano(nano))

    def dollars_of(self, text: str) -> str:
        """Dollars of a decimal text, with all its digits, as `dollars` writes them."""
        return format_currency(Decimal(text), "USD", _DOLLARS, self.language, currency_digits=False)

    def rupiah(self, amount: int | str) -> str:
        """Whole rupiah."""
        return "Rp" + self.number(int(amount))

    def number(self, number: int) -> str:
        """A whole number, with its thousands told apart."""
        return format_decimal(number, "#,##0", locale=self.language)

    def decimal(self, text: str) -> str:
        """A decimal text as it is read here; all its digits stay."""
        # Providers' amounts have up to 21 digits and 18 decimals, each of which Babel quantizes to.
        with localcontext(prec=DIGITS_MAX):
            return format_decimal(
                Decimal(text), _DECIMAL, locale=self.language, decimal_quantization=False
            )

    def day(self, at_ms: int) -> str:
        """The day: "25 Nov 2026"."""
        return format_datetime(_utc(at_ms), _DAY, locale=self.language)

    def day_of_year(self, at_ms: int) -> str:
        """The day where the year is plain: "25 Nov"."""
        return format_datetime(_utc(at_ms), _DAY_OF_YEAR, locale=self.language)

    def minute(self, at_ms: int) -> str:
        """Day and minute: "25 Nov 2026, 09:30"."""
        return format_datetime(_utc(at_ms), _MINUTE, locale=self.language)

    def second(self, at_ms: int) -> str:
        """Day and second: "25 Nov 2026, 09:30:07 UTC"."""
        return format_datetime(_utc(at_ms), _SECOND, locale=self.language) + " UTC"

    def distance(self, at_ms: int, now_ms: int) -> str:
        """How far from now, never told as more than it is: "in 12 days", "3 hours ago"."""
        away_ms = at_ms - now_ms
        if -_JUST_NOW_AGO_MS <= away_ms <= _JUST_NOW_AHEAD_MS:
            return self.text("just now")
        fitting = (each for each in _UNITS if abs(away_ms) >= 2 * each[1])
        unit, unit_ms = next(fitting, _UNITS[-1])
        whole_ms = abs(away_ms) // unit_ms * unit_ms
        delta = timedelta(milliseconds=whole_ms if away_ms >= 0 else -whole_ms)
        return format_timedelta(
            delta, unit, _NEVER_REACHED, add_direction=True, locale=self.language
        )


def _utc(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, UTC)
