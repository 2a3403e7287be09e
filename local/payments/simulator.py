"""What all simulators share: the server, the clock, faults, switches, and the steering routes."""

from __future__ import annotations

import random
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Self

from local.payments import page
from local.payments.agenda import Agenda
from local.payments.clock import Clock
from local.payments.delivery import DUPLICATES, Attempt, Courier, Notice, Rules, is_loopback
from local.payments.faults import KINDS, Faults
from local.payments.server import DROPPED, Reply, Request, Server
from local.payments.wishes import Refused, Wish, wish_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from local.payments.book import Receipt

_NO_WEBHOOKS = Rules(timeout_s=1.0, delay_s=lambda _repeats, _status: None)


class Simulator:
    """Serves from `with` (or `start`) to its end (or `close`). Subclasses say what is served.

    `switches` are lasting traits, `faults` strike single requests; both can be set in the process
    and over HTTP (`POST /switches`, `POST /faults`), like the clock (`POST /clock`).
    """

    title = "Simulator"
    whats: Mapping[str, str] = {}

    def __init__(
        self,
        port: int,
        host: str,
        *,
        switches: Any = None,
        rules: Rules = _NO_WEBHOOKS,
        seed: int = 0,
    ) -> None:
        if not is_loopback(host):
            raise ValueError("simulators serve loopback addresses only")
        self.clock = Clock()
        self.agenda = Agenda(self.clock)
        self.faults = Faults()
        self.switches = switches
        # Seeded, so that a run can be had again; nothing here is secret.
        self.random = random.Random(seed)  # noqa: S311
        self.courier = Courier(self.clock, self.agenda, rules)
        self._server = Server(host, port, self.answer)
        self.port = self._server.port
        self.url = f"http://{host}:{self.port}"

    def start(self) -> None:
        """Serve on threads; the port is taken already, so no client comes too early."""
        self.agenda.start()
        self._server.start()

    def close(self) -> None:
        """End everything that was started."""
        self.agenda.close()
        self.courier.close()
        self._server.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def deliveries(self) -> list[Attempt]:
        """Every attempt to deliver a webhook so far, in order of its end."""
        return list(self.courier.attempts)

    @property
    def received(self) -> list[Receipt]:
        """The truth: all money received and returned, in order."""
        return []

    # What a provider defines.

    def serve(self, request: Request) -> Reply:
        """Answer a request of the provider's own API."""
        raise NotImplementedError

    def refusal(self, status: int, message: str, *, at_200: bool = False) -> Reply:
        """An error in the provider's form; `at_200` sends it with HTTP 200."""
        raise NotImplementedError

    def fulfil(self, wish: Wish) -> dict[str, Any]:
        """Let happen what was wished for, and say what was done. Errors: Refused."""
        raise NotImplementedError

    def cards(self) -> list[page.Card]:
        """What the page shows, newest first."""
        return []

    # What they share.

    def send(self, notices: Sequence[Notice], wish: Wish, *, earlier: Notice | None) -> None:
        """Tell of new events in the way that was wished for; `earlier` came just before them."""
        ordered = list(notices)
        if wish.way == "lost":
            return
        if wish.way == "disorder":
            ordered = [*reversed(ordered), *([earlier] if earlier else [])]
        self.courier.send(ordered, copies=DUPLICATES if wish.copies else 1)

    def answer(self, request: Request) -> Reply:
        """Answer any request, after what is due by the clock has happened."""
        self.agenda.run_due()
        steering = self._steering().get((request.method, request.path))
        if steering is None:
            return self.guarded(request, lambda: self._faulty(request))
        try:
            return steering(request)
        except Refused as refused:
            return Reply.json(refused.status, refused.body)
        except (TypeError, ValueError) as exc:
            return Reply.json(400, {"error": str(exc)})

    def guarded(self, request: Request, answer: Callable[[], Reply]) -> Reply:
        """Answer a request of the provider's API; a provider may look before and after."""
        del request
        return answer()

    def _faulty(self, request: Request) -> Reply:
        fault = self.faults.take(request)
        kind = "" if fault is None else fault.kind
        if kind == "drop_before":
            return DROPPED
        if kind in ("429", "500", "503"):
            return self.refusal(int(kind), "a fault was ordered")
        if kind == "body_4xx":
            return self.refusal(400, "a fault was ordered", at_200=True)
        if kind == "garbage":
            return Reply(200, b"<html>One moment, please</html>", "text/html")
        if fault is not None and kind == "slow":
            time.sleep(fault.seconds)
        reply = self.serve(request)
        if fault is not None and kind == "slow_after":
            time.sleep(fault.seconds)
        return replace(reply, is_dropped=True) if kind == "drop_after" else reply

    def _steering(self) -> dict[tuple[str, str], Callable[[Request], Reply]]:
        return {
            ("GET", "/"): lambda _: self._page(),
            ("POST", "/page"): self._from_page,
            ("POST", "/simulate"): lambda request: Reply.json(
                200, self.fulfil(wish_of(_object(request), self.whats))
            ),
            ("GET", "/received"): lambda _: Reply.json(
                200, {"received": [asdict(receipt) for receipt in self.received]}
            ),
            ("GET", "/deliveries"): lambda _: Reply.json(200, {"deliveries": self._log()}),
            ("GET", "/clock"): lambda _: self._show_clock(),
            ("POST", "/clock"): self._set_clock,
            ("GET", "/switches"): lambda _: Reply.json(200, asdict(self.switches)),
            ("POST", "/switches"): self._set_switches,
            ("POST", "/faults"): self._add_fault,
        }

    def _page(self) -> Reply:
        text = page.render(self.title, self.clock.now_ms(), self.whats, self.cards())
        return Reply(200, text.encode(), "text/html; charset=utf-8")

    def _from_page(self, request: Request) -> Reply:
        try:
            done = self.fulfil(wish_of(request.form(), self.whats))
        except Refused as refused:
            text = page.refusal(self.title, str(refused))
            return Reply(refused.status, text.encode(), "text/html; charset=utf-8")
        return Reply(303, b"", headers={"Location": f"/#{done.get('payment_id', '')}"})

    def _log(self) -> list[dict[str, Any]]:
        return [
            {**asdict(attempt), "body": attempt.body.decode("utf-8", "replace")}
            for attempt in self.deliveries
        ]

    def _show_clock(self) -> Reply:
        return Reply.json(200, {"now_ms": self.clock.now_ms()})

    def _set_clock(self, request: Request) -> Reply:
        wish = _object(request)
        unknown = set(wish) - {"offset_s", "speed", "advance_s"}
        if unknown:
            raise Refused(
                400, f"unknown: {sorted(unknown)}", known=["offset_s", "speed", "advance_s"]
            )
        self.clock.set(offset_s=wish.get("offset_s"), speed=wish.get("speed"))
        self.clock.advance(float(wish.get("advance_s", 0)))
        self.agenda.run_due()
        return self._show_clock()

    def _set_switches(self, request: Request) -> Reply:
        wished, present = _object(request), asdict(self.switches)
        for name, value in wished.items():
            if name not in present:
                raise Refused(400, f"unknown switch {name!r}", known=present)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if type(value) is not type(present[name]) and not (
                is_number and isinstance(present[name], float)
            ):
                raise Refused(400, f"{name} is a {type(present[name]).__name__}", known=present)
        for name, value in wished.items():
            setattr(self.switches, name, value)
        return Reply.json(200, asdict(self.switches))

    def _add_fault(self, request: Request) -> Reply:
        fault = _object(request)
        try:
            self.faults.add(**fault)
        except (TypeError, ValueError) as exc:
            raise Refused(400, str(exc), known=KINDS) from exc
        return Reply.json(200, {"ordered": fault})


def _object(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Errors: Refused."""
    try:
        body = request.json()
    except ValueError as exc:
        raise Refused(400, "the body is not JSON") from exc
    if not isinstance(body, dict):
        raise Refused(400, "a JSON object is needed")
    return body
