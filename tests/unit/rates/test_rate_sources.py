"""The rupiah's rate: both sources, and what no rate can be."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from osiris.payment_errors import RateUnavailable
from osiris.rates import Rate, Source, er_api, frankfurter
from osiris.rates import http as rate_http
from tests.unit.scripted_origin import Origin, Peer, once

LATEST: dict[str, Any] = {
    "result": "success",
    "provider": "https://www.exchangerate-api.com",
    "time_last_update_unix": 1795392152,
    "base_code": "USD",
    "rates": {"USD": 1, "IDR": 17917.123456, "EUR": 0.86},
}
PAIR: dict[str, Any] = {"date": "2026-11-23", "base": "USD", "quote": "IDR", "rate": 17902.55}
THREE_PM_MS = int(datetime(2026, 11, 23, 15, tzinfo=UTC).timestamp()) * 1000

type Made = Callable[[str], Source]


def reply(body: Any, status: int = 200) -> bytes:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"HTTP/1.1 {status} Said\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text


def read(made: Made, body: Any, status: int = 200) -> Rate:
    with Origin(once(reply(body, status))) as origin:
        return made(f"{origin.url}/").read()


def say_nothing(peer: Peer) -> None:
    """Read on until the client gives up."""
    while peer.request():
        pass


def test_er_api_is_read() -> None:
    """Exact, with the time that it gives itself."""
    assert read(er_api.Source, LATEST) == Rate("er-api", Decimal("17917.123456"), 1795392152000)


def test_frankfurter_is_read() -> None:
    """Exact; its day counts from 15:00 UTC on."""
    assert read(frankfurter.Source, PAIR) == Rate("frankfurter", Decimal("17902.55"), THREE_PM_MS)


@pytest.mark.parametrize(
    ("made", "target", "body"),
    [
        (er_api.Source, "/v6/latest/USD", LATEST),
        (frankfurter.Source, "/v2/rate/USD/IDR", PAIR),
    ],
)
def test_one_get_is_made(made: Made, target: str, body: Any) -> None:
    """At the documented address, below the base URL's path."""
    lines = []

    def serve(peer: Peer) -> None:
        request = peer.request()
        assert request is not None
        lines.append(request[0])
        peer.send(reply(body))

    with Origin(serve) as origin:
        made(f"{origin.url}/mirror").read()
    assert lines == [f"GET /mirror{target} HTTP/1.1"]


@pytest.mark.parametrize(
    "rate",
    [0, -17917, 999.99, 1_000_000.01, 1e300, "17917", "NaN", None, True, [], 0.0000558],
)
def test_a_rate_that_can_not_be_right_is_refused(rate: Any) -> None:
    """Not a number, an inverse, a hundredth or a hundredfold: no rate at all."""
    with pytest.raises(RateUnavailable):
        read(er_api.Source, {**LATEST, "rates": {"IDR": rate}})
    with pytest.raises(RateUnavailable):
        read(frankfurter.Source, {**PAIR, "rate": rate})


@pytest.mark.parametrize("rate", [1_000, 1_000_000, 16500, 17917.5])
def test_a_rate_within_the_bounds_is_taken(rate: Any) -> None:
    """The bounds belong to it; whole numbers are numbers."""
    assert read(frankfurter.Source, {**PAIR, "rate": rate}).rupiah_per_dollar == Decimal(str(rate))


@pytest.mark.parametrize(
    "changes",
    [
        {"result": "error", "error-type": "quota-reached"},
        {"result": None},
        {"base_code": "EUR"},
        {"rates": None},
        {"rates": {}},
        {"rates": [17917]},
        {"time_last_update_unix": None},
        {"time_last_update_unix": 0},
        {"time_last_update_unix": "1795392152"},
        {"time_last_update_unix": True},
        {"time_last_update_unix": 1795392152000},
    ],
)
def test_an_answer_of_er_api_that_is_none_is_refused(changes: dict[str, Any]) -> None:
    """No success, another base, no rates, no time."""
    with pytest.raises(RateUnavailable):
        read(er_api.Source, {**LATEST, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"base": "EUR"},
        {"quote": "INR"},
        {"base": None},
        {"date": None},
        {"date": "yesterday"},
        {"date": "2026-02-30"},
        {"date": 20261123},
    ],
)
def test_an_answer_of_frankfurter_that_is_none_is_refused(changes: dict[str, Any]) -> None:
    """Another pair, no date."""
    with pytest.raises(RateUnavailable):
        read(frankfurter.Source, {**PAIR, **changes})


@pytest.mark.parametrize("made", [er_api.Source, frankfurter.Source])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>blocked</html>",
        b"[]",
        b"17917",
        b'{"rate":NaN,"rates":{"IDR":NaN},"result":"success"}',
        b'{"rate":1e400}',
        b'{"result":"success","result":"success"}',
        b"[" * 100_000,
        b" " * 300_000,
    ],
)
def test_a_hostile_answer_is_refused(made: Made, body: bytes) -> None:
    """Not JSON, NaN, out of range, too deep, too long."""
    with pytest.raises(RateUnavailable):
        read(made, body)


@pytest.mark.parametrize("made", [er_api.Source, frankfurter.Source])
def test_a_source_that_fails_is_unavailable(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error, a cut, a silence, nobody there, an address that is none."""
    monkeypatch.setattr(rate_http, "TIMEOUT_MS", 100)
    with pytest.raises(RateUnavailable):
        read(made, PAIR | LATEST, 429)
    with Origin(lambda peer: peer.reset()) as origin, pytest.raises(RateUnavailable):
        made(origin.url).read()
    with Origin(say_nothing) as origin, pytest.raises(RateUnavailable):
        made(origin.url).read()
    for nowhere in ("http://127.0.0.1:1", "nowhere", ""):
        with pytest.raises(RateUnavailable):
            made(nowhere).read()
