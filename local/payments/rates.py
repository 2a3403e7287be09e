"""The two sources of exchange rates: ExchangeRate-API's open access, and Frankfurter.

Both are served by one process, at the paths of the real ones, with numbers as they write them.
"""

from __future__ import annotations

import datetime
import email.utils
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from local.payments.server import DROPPED, Reply, Request
from local.payments.simulator import Simulator
from local.payments.wishes import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

_DAY_S = 86_400
_ER_API, _FRANKFURTER = "/v6/latest/USD", "/v2/rate/USD/IDR"
_SOURCES = ("er_api", "frankfurter")
_FAILURES = ("", "500", "429", "error", "garbage", "drop", "no_idr")


@dataclass
class Rates:
    """Rupiah for a dollar by source, how old each is, and how each fails ("" when it works)."""

    er_api: str = "17917.0"
    frankfurter: str = "17900.5"
    er_api_age_s: float = 3600.0
    frankfurter_age_s: float = 3600.0
    er_api_fail: str = ""
    frankfurter_fail: str = ""


class RatesSimulator(Simulator):
    """Serves both sources; steered by `POST /simulate` or by its `switches`."""

    title = "Exchange rates (simulated)"

    def __init__(self, port: int = 0, *, host: str = "127.0.0.1") -> None:
        self.switches: Rates = Rates()
        super().__init__(port, host, switches=self.switches)
        self.asked: list[str] = []

    def refusal(self, status: int, message: str, *, at_200: bool = False) -> Reply:
        """An error as both of them have it, more or less."""
        body = {"result": "error", "error-type": message, "status": status, "message": message}
        return Reply.json(200 if at_200 else status, body)

    def serve(self, request: Request) -> Reply:
        """The rate by one of the sources."""
        self.asked.append(request.path)
        if request.method == "GET" and request.path == _ER_API:
            return self._failed(self.switches.er_api_fail) or Reply.json(200, self._er_api())
        if request.method == "GET" and request.path == _FRANKFURTER:
            failed = self._failed(self.switches.frankfurter_fail)
            return failed or Reply.json(200, self._frankfurter())
        return self.refusal(404, "unsupported-code")

    def _failed(self, failure: str) -> Reply | None:
        if failure == "drop":
            return DROPPED
        if failure == "garbage":
            return Reply(200, b"<html>checking your browser</html>", "text/html")
        if failure == "error":
            return self.refusal(400, "quota-reached", at_200=True)
        return self.refusal(int(failure), "not now") if failure.isdecimal() else None

    def _er_api(self) -> dict[str, Any]:
        updated_s = self.clock.now_ms() // 1000 - int(self.switches.er_api_age_s)
        rates = {"USD": 1, "EUR": 0.92, "IDR": float(self.switches.er_api), "JPY": 151.2}
        if self.switches.er_api_fail == "no_idr":
            del rates["IDR"]
        return {
            "result": "success",
            "provider": "https://www.exchangerate-api.com",
            "documentation": "https://www.exchangerate-api.com/docs/free",
            "terms_of_use": "https://www.exchangerate-api.com/terms",
            "time_last_update_unix": updated_s,
            "time_last_update_utc": _rfc2822(updated_s),
            "time_next_update_unix": updated_s + _DAY_S,
            "time_next_update_utc": _rfc2822(updated_s + _DAY_S),
            "time_eol_unix": 0,
            "base_code": "USD",
            "rates": rates,
        }

    def _frankfurter(self) -> dict[str, Any]:
        moment_s = self.clock.now_ms() / 1000 - self.switches.frankfurter_age_s
        date = datetime.datetime.fromtimestamp(moment_s, datetime.UTC).date().isoformat()
        body = {"date": date, "base": "USD", "quote": "IDR"}
        if self.switches.frankfurter_fail == "no_idr":
            return body
        return {**body, "rate": float(self.switches.frankfurter)}

    def _steering(self) -> dict[tuple[str, str], Callable[[Request], Reply]]:
        return {**super()._steering(), ("POST", "/simulate"): self._simulate}

    def _simulate(self, request: Request) -> Reply:
        """Set values, ages and failures; names without a source mean both."""
        wished = request.json()
        for name, value in wished.items():
            names = [f"{source}_{name}" for source in _SOURCES] if name in _SHORT else [name]
            for full in names:
                setattr(self.switches, full, _checked(full, value, names=name))
        return Reply.json(200, asdict(self.switches))


_SHORT = ("age_s", "fail")


def _checked(name: str, value: Any, *, names: str) -> Any:
    """The value for a field of `Rates`. Errors: Refused."""
    known = {**asdict(Rates()), "age_s": "both", "fail": ["both", *_SOURCES, *_FAILURES]}
    if name not in asdict(Rates()):
        raise Refused(400, f"unknown: {name}", known=known)
    if name.endswith("_age_s"):
        return float(value)
    if not name.endswith("_fail"):
        return _rate(value)
    source = name.removesuffix("_fail")
    if value in (False, None):
        return ""
    if names == "fail" and value in _SOURCES:
        return "500" if value == source else ""
    if value in (True, "both"):
        return "500"
    if str(value) not in _FAILURES:
        raise Refused(400, f"unknown failure {value!r}", known=known)
    return str(value)


def _rate(value: Any) -> str:
    try:
        rate = Decimal(str(value))
    except InvalidOperation as exc:
        raise Refused(400, f"{value!r} is not a rate") from exc
    if not rate.is_finite():
        raise Refused(400, f"{value!r} is not a rate")
    return str(value)


def _rfc2822(seconds: int) -> str:
    return email.utils.formatdate(seconds, usegmt=False).replace("-0000", "+0000")
