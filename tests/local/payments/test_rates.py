"""The sources of exchange rates answer in their own forms."""

from __future__ import annotations

import datetime
import http.client
from typing import TYPE_CHECKING, Any

import pytest

from local.payments import RatesSimulator
from tests.local.payments.wire import Answer, call

if TYPE_CHECKING:
    from collections.abc import Iterator

ER_API, FRANKFURTER = "/v6/latest/USD", "/v2/rate/USD/IDR"


@pytest.fixture
def rates() -> Iterator[RatesSimulator]:
    with RatesSimulator() as simulator:
        yield simulator


def get(rates: RatesSimulator, path: str) -> Answer:
    return call(rates.url, "GET", path)


def steer(rates: RatesSimulator, **wished: Any) -> Answer:
    return call(rates.url, "POST", "/simulate", wished)


def test_each_source_has_its_form(rates: RatesSimulator) -> None:
    """A table of rates with times, and a single rate with a day."""
    table = get(rates, ER_API).body
    assert (table["result"], table["base_code"], table["rates"]["IDR"]) == (
        *("success", "USD"),
        17917.0,
    )
    assert table["time_last_update_utc"].endswith("+0000")
    single = get(rates, FRANKFURTER + "?providers=BI").body
    assert (single["base"], single["quote"], single["rate"]) == ("USD", "IDR", 17900.5)
    assert get(rates, "/v2/rate/USD/EUR").status == 404
    assert rates.asked == [ER_API, FRANKFURTER, "/v2/rate/USD/EUR"]


def test_values_and_ages_are_set(rates: RatesSimulator) -> None:
    """Both ages at once or one alone, counted back from the simulator's clock."""
    rates.clock.set(offset_s=86_400, speed=0)
    assert steer(rates, er_api="16000", frankfurter="16100.25", age_s=7200).status == 200
    steer(rates, frankfurter_age_s=3 * 86_400)
    table, single = get(rates, ER_API).body, get(rates, FRANKFURTER).body
    assert (table["rates"]["IDR"], single["rate"]) == (16000, 16100.25)
    now_s = rates.clock.now_ms() // 1000
    assert table["time_last_update_unix"] == now_s - 7200
    day = datetime.datetime.fromtimestamp(now_s - 3 * 86_400, datetime.UTC).date()
    assert single["date"] == day.isoformat()


@pytest.mark.parametrize(
    ("fail", "er_api", "frankfurter"),
    [
        ("er_api", 500, 200),
        ("frankfurter", 200, 500),
        ("both", 500, 500),
        (True, 500, 500),
        ("429", 429, 429),
        ("garbage", 200, 200),
        ("error", 200, 200),
        (False, 200, 200),
    ],
)
def test_sources_fail_alone_or_together(
    rates: RatesSimulator, fail: Any, er_api: int, frankfurter: int
) -> None:
    """By the name of one, by "both", or in a special way; False mends them."""
    steer(rates, fail="both")
    steer(rates, fail=fail)
    statuses = (get(rates, ER_API).status, get(rates, FRANKFURTER).status)
    assert statuses == (er_api, frankfurter)


def test_failures_of_one_source(rates: RatesSimulator) -> None:
    """A dropped connection, and an answer without the rupiah."""
    steer(rates, er_api_fail="drop", frankfurter_fail="no_idr")
    with pytest.raises((http.client.HTTPException, OSError)):
        get(rates, ER_API)
    assert "rate" not in get(rates, FRANKFURTER).body
    steer(rates, er_api_fail="no_idr")
    assert "IDR" not in get(rates, ER_API).body["rates"]


@pytest.mark.parametrize(
    "wrong", [{"er_api": "NaN"}, {"other": 1}, {"fail": "sometimes"}, {"age_s": "old"}]
)
def test_wrong_wishes_are_refused(rates: RatesSimulator, wrong: dict[str, Any]) -> None:
    """400, and nothing is changed."""
    assert steer(rates, **wrong).status == 400
    assert get(rates, ER_API).body["rates"]["IDR"] == 17917.0
