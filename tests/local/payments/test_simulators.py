"""Processes, clock, agenda and the book that outlives them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.payments import MidtransSimulator, NowPaymentsSimulator
from local.payments.agenda import Agenda
from local.payments.clock import Clock
from tests.local.payments.wire import WAIT_S, basic, call, until

ROOT = Path(__file__).parents[3]
CHARGE = {
    "payment_type": "qris",
    "transaction_details": {"order_id": "ord1-1", "gross_amount": 1000},
}


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (("midtrans", "--server-key", "k", "--webhook", "http://127.0.0.1:9/"), "/received"),
        (("nowpayments", "--api-key", "k", "--ipn-secret", "s"), "/v1/status"),
        (("rates",), "/v6/latest/USD"),
    ],
)
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_process_serves_until_it_is_told_to_stop(
    arguments: tuple[str, ...], path: str, ending: signal.Signals
) -> None:
    """It prints its address, answers, and ends cleanly by SIGTERM and by Ctrl-C."""
    command = [sys.executable, "-m", "local.payments", *arguments, "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
            assert found is not None
            assert call(found.group(), "GET", path).status == 200
            process.send_signal(ending)
            assert process.wait(WAIT_S) == 0
        finally:
            process.kill()


def test_only_loopback_is_served() -> None:
    """A host that others could reach is refused."""
    with pytest.raises(ValueError, match="loopback"):
        MidtransSimulator(host="0.0.0.0")  # noqa: S104 - that this is refused is the point


def test_a_restart_keeps_payments_and_the_truth(tmp_path: Path) -> None:
    """What one process wrote the next one knows, and what was due meanwhile happens."""
    state = tmp_path / "midtrans.json"
    with MidtransSimulator(server_key="k", state=state) as first:
        call(first.url, "POST", "/v2/charge", CHARGE, basic("k"))
        other = {"order_id": "ord2-1", "gross_amount": 5}
        body = {**CHARGE, "transaction_details": other}
        call(first.url, "POST", "/v2/charge", body, basic("k"))
        call(first.url, "POST", "/simulate", {"order": "ord1", "what": "pay"})
        truth = first.received
    with MidtransSimulator(server_key="k", state=state) as second:
        assert second.received == truth
        second.clock.advance(3600)
        for order, status in (("ord1-1", "settlement"), ("ord2-1", "expire")):
            answer = call(second.url, "GET", f"/v2/{order}/status", headers=basic("k"))
            assert answer.body["transaction_status"] == status
    assert [path.name for path in tmp_path.iterdir()] == ["midtrans.json"]


def test_a_restart_keeps_coins_and_their_children(tmp_path: Path) -> None:
    """New ids never meet old ones."""
    state = tmp_path / "nowpayments.json"
    body = {
        "price_amount": 100,
        "price_currency": "usd",
        "pay_currency": "btc",
        "order_id": "ord1-1",
    }
    ids = set()
    for _ in range(2):
        with NowPaymentsSimulator(api_key="k", state=state) as simulator:
            call(simulator.url, "POST", "/v1/payment", body, {"x-api-key": "k"})
            done = call(simulator.url, "POST", "/simulate", {"order": "ord1", "what": "twice"})
            ids |= set(done.body["payment_ids"])
    assert len(ids) == 4
    assert len(json.loads(state.read_text())["received"]) == 4


def test_the_clock_moves_as_it_is_told() -> None:
    """Offsets are against real time, jumps against the clock; speed 0 stops it."""
    clock = Clock()
    real_ms = clock.now_ms()
    clock.set(offset_s=1000, speed=0)
    stopped_ms = clock.now_ms()
    assert 1_000_000 <= stopped_ms - real_ms < 1_060_000
    assert clock.real_s_until(stopped_ms + 1) is None
    clock.advance(5)
    assert clock.now_ms() == stopped_ms + 5000
    clock.set(offset_s=0, speed=1000)
    left_s = clock.real_s_until(clock.now_ms() + 1_000_000)
    assert left_s is not None and left_s <= 1
    with pytest.raises(ValueError, match="backwards"):
        clock.set(speed=-1)


def test_the_agenda_keeps_the_order_of_time() -> None:
    """What is due runs, earliest first, by the thread or by whoever asks; the rest waits."""
    clock = Clock()
    clock.set(speed=0)
    agenda = Agenda(clock)
    done: list[int] = []
    for delay_s in (30, 10, 20, 99):
        agenda.at(clock.now_ms() + delay_s * 1000, lambda delay_s=delay_s: done.append(delay_s))  # type: ignore[misc]
    clock.advance(15)
    agenda.run_due()
    assert done == [10]
    agenda.start()
    clock.advance(15)
    until(lambda: done == [10, 20, 30])
    agenda.close()


def test_the_clock_is_set_over_http() -> None:
    """`POST /clock` by offset, speed and jump; unknown fields are refused."""
    with MidtransSimulator(server_key="k") as simulator:
        before_ms = simulator.clock.now_ms()
        answer = call(simulator.url, "POST", "/clock", {"offset_s": 500, "speed": 0})
        assert answer.body["now_ms"] - before_ms >= 500_000
        later = call(simulator.url, "POST", "/clock", {"advance_s": 10}).body["now_ms"]
        assert later == answer.body["now_ms"] + 10_000
        wishes: list[object] = [{"when": 1}, {"speed": -1}, {"speed": "fast"}, []]
        for wrong in wishes:
            assert call(simulator.url, "POST", "/clock", wrong).status == 400


def test_the_truth_and_the_deliveries_are_told() -> None:
    """`GET /received` and `GET /deliveries` are what a program compares with."""
    with MidtransSimulator(server_key="k", webhook_url="http://127.0.0.1:9/") as simulator:
        call(simulator.url, "POST", "/v2/charge", CHARGE, basic("k"))
        wish = {"order": "ord1", "what": "pay", "paid_ago_s": 3600}
        call(simulator.url, "POST", "/simulate", wish)
        assert simulator.courier.wait()
        (receipt,) = call(simulator.url, "GET", "/received").body["received"]
        assert receipt["order"] == "ord1-1"
        assert (receipt["amount"], receipt["usd"], receipt["kind"]) == ("1000", None, "received")
        ago_ms = simulator.clock.now_ms() - receipt["at_ms"]
        assert 3_600_000 <= ago_ms < 3_660_000
        attempts = call(simulator.url, "GET", "/deliveries").body["deliveries"]
        assert [attempt["event"] for attempt in attempts] == ["pending", "settlement"]
        assert attempts[0]["status"] is None and attempts[0]["error"]
