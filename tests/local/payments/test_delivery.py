"""Webhooks are delivered, repeated, doubled, lost and forged as the providers' tables say."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

import pytest

from local.payments import MidtransSimulator, NowPaymentsSimulator
from local.payments.midtrans.record import signature as midtrans_signature
from local.payments.midtrans.simulator import midtrans_rules
from local.payments.nowpayments.javascript import signature
from local.payments.nowpayments.simulator import nowpayments_rules
from tests.local.payments.wire import Receiver, basic, call, until

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY, SECRET = "SB-Mid-server-TESTKEY0000", "secret-of-a-test"
LONG_S = 30 * 86_400


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def midtrans(receiver: Receiver) -> Iterator[MidtransSimulator]:
    with MidtransSimulator(server_key=KEY, webhook_url=receiver.url) as simulator:
        simulator.switches.pending_webhook = False
        simulator.courier.rules = midtrans_rules(lambda: 1.0)
        yield simulator


@pytest.fixture
def nowpayments() -> Iterator[NowPaymentsSimulator]:
    with NowPaymentsSimulator(api_key=KEY, ipn_secret=SECRET) as simulator:
        yield simulator


def charged(midtrans: MidtransSimulator) -> None:
    body = {
        "payment_type": "qris",
        "transaction_details": {"order_id": "ord1-1", "gross_amount": 1000},
        "custom_expiry": {"expiry_duration": 7, "unit": "day"},
    }
    assert call(midtrans.url, "POST", "/v2/charge", body, basic(KEY)).status == 200


def created(provider: NowPaymentsSimulator, receiver: Receiver) -> None:
    body = {
        "price_amount": 100,
        "price_currency": "usd",
        "pay_currency": "ltc",
        "order_id": "ord1-1",
        "ipn_callback_url": receiver.url,
    }
    answer = call(provider.url, "POST", "/v1/payment", body, {"x-api-key": KEY})
    assert answer.status == 201


def simulate(simulator: Any, what: str, webhook: str = "normal") -> Any:
    wish = {"order": "ord1", "part": 1, "what": what, "webhook": webhook}
    answer = call(simulator.url, "POST", "/simulate", wish)
    assert answer.status == 200, answer.raw
    assert simulator.courier.wait()
    return answer.body


def repeats(simulator: Any, gaps_s: list[float], first: int) -> int:
    """Let the clock jump over each gap, then over a month; the number of attempts then."""
    for number, gap_s in enumerate(gaps_s, first + 1):
        simulator.clock.advance(gap_s + 1)
        until(lambda number=number: len(simulator.deliveries) >= number)  # type: ignore[misc]
        assert simulator.courier.wait()
    simulator.clock.advance(LONG_S)
    simulator.agenda.run_due()
    assert simulator.courier.wait()
    return len(simulator.deliveries)


@pytest.mark.parametrize(
    ("status", "most"), [(200, 0), (204, 0), (500, 1), (503, 4), (400, 2), (404, 2), (418, 5)]
)
def test_midtrans_repeats_by_the_answer(
    midtrans: MidtransSimulator, receiver: Receiver, status: int, most: int
) -> None:
    """Each status has its number of repeats, at 2, 10, 30 minutes, 1.5 and 3.5 hours; then none."""
    receiver.status = status
    charged(midtrans)
    simulate(midtrans, "pay")
    gaps_s = [120.0, 600.0, 1800.0, 5400.0, 12_600.0][:most]
    attempts = repeats(midtrans, gaps_s, 1)
    # The code's own expiry is long over, but a paid one tells nothing of it.
    assert attempts == 1 + most
    assert [one.number for one in midtrans.deliveries] == list(range(1, most + 2))
    assert {one.status for one in midtrans.deliveries} == {status}
    bodies = {one.body for one in midtrans.deliveries}
    assert len(bodies) == 1


def test_a_repeat_waits_for_its_time(midtrans: MidtransSimulator, receiver: Receiver) -> None:
    """Before its pause is over by the clock, nothing comes; a good answer ends it."""
    receiver.status = 503
    charged(midtrans)
    simulate(midtrans, "pay")
    midtrans.clock.set(speed=0)
    midtrans.clock.advance(100)
    midtrans.agenda.run_due()
    assert midtrans.courier.wait()
    assert len(receiver.got) == 1
    receiver.status = 200
    assert repeats(midtrans, [20.0], 1) == 2


def test_repeats_are_shifted_at_random(receiver: Receiver) -> None:
    """The pauses of the real table vary, from far below two minutes on."""
    with MidtransSimulator(server_key=KEY, webhook_url=receiver.url, seed=7) as midtrans:
        pauses = [midtrans.courier.rules.delay_s(0, 503) or 0 for _ in range(200)]
    assert 33 <= min(pauses) < 60 < 120 < max(pauses) <= 150


@pytest.mark.parametrize("status", [301, 302, 303])
def test_midtrans_gives_up_at_other_redirects(
    midtrans: MidtransSimulator, receiver: Receiver, status: int
) -> None:
    """301 to 303 are neither followed nor repeated."""
    receiver.status, receiver.headers = status, {"Location": "/next"}
    charged(midtrans)
    simulate(midtrans, "pay")
    assert repeats(midtrans, [], 1) == 1
    assert [path for path, _, _ in receiver.got] == ["/hook"]


@pytest.mark.parametrize("status", [307, 308])
def test_midtrans_follows_307_and_308(
    midtrans: MidtransSimulator, receiver: Receiver, status: int
) -> None:
    """With the same body, and at most five times."""
    receiver.status, receiver.headers = status, {"Location": "/next"}
    charged(midtrans)
    simulate(midtrans, "pay")
    assert [path for path, _, _ in receiver.got] == ["/hook", "/next"]
    assert receiver.got[0][2] == receiver.got[1][2]
    assert [one.status for one in midtrans.deliveries] == [200]
    receiver.headers = {"Location": "/hook"}
    simulate(midtrans, "refund")
    assert len(receiver.got) == 2 + 6 + 6  # two notifications, each with five hops
    assert midtrans.deliveries[-1].error == "too many redirects"


def test_an_answer_that_does_not_come_counts_as_none(
    midtrans: MidtransSimulator, receiver: Receiver
) -> None:
    """Waiting ends after fifteen seconds (here a fraction), and the table of repeats goes on."""
    assert midtrans.courier.rules.timeout_s == 15
    midtrans.courier.rules = dataclasses.replace(midtrans.courier.rules, timeout_s=0.05)
    receiver.is_slow.set()
    charged(midtrans)
    simulate(midtrans, "pay")
    assert midtrans.deliveries[0].status is None
    assert "timed out" in midtrans.deliveries[0].error
    receiver.is_slow.clear()
    assert repeats(midtrans, [120.0], 1) == 2
    assert midtrans.deliveries[1].status == 200


def test_nowpayments_repeats_as_its_dashboard_says(
    nowpayments: NowPaymentsSimulator, receiver: Receiver
) -> None:
    """Three repeats a minute apart for each event, whatever the answer, within three seconds."""
    assert nowpayments.courier.rules.timeout_s == 3
    nowpayments.courier.rules = nowpayments_rules(2, 30.0)
    receiver.status = 307
    created(nowpayments, receiver)
    simulate(nowpayments, "below_minimum")
    nowpayments.clock.advance(31)
    until(lambda: len(nowpayments.deliveries) == 4)
    assert nowpayments.courier.wait()
    assert repeats(nowpayments, [], 4) == 6


def test_lost_webhooks_are_never_sent(midtrans: MidtransSimulator, receiver: Receiver) -> None:
    """The state and the truth change; only asking finds it."""
    charged(midtrans)
    assert simulate(midtrans, "pay", "lost")["status"] == "settlement"
    assert repeats(midtrans, [], 0) == 0
    assert len(midtrans.received) == 1
    assert receiver.got == []


def test_lost_stays_lost_when_steps_come_later(
    nowpayments: NowPaymentsSimulator, receiver: Receiver
) -> None:
    """The later steps of a slow confirmation are not told of either."""
    created(nowpayments, receiver)
    simulate(nowpayments, "confirm_slowly", "lost")
    assert repeats(nowpayments, [], 0) == 0
    assert len(nowpayments.received) == 1


def test_duplicates_come_at_once(midtrans: MidtransSimulator, receiver: Receiver) -> None:
    """The same event arrives several times, some of them together."""
    charged(midtrans)
    receiver.is_slow.set()
    wish = {"order": "ord1", "part": 1, "what": "pay", "webhook": "duplicate"}
    call(midtrans.url, "POST", "/simulate", wish)
    until(lambda: len(receiver.got) == 5)
    receiver.is_slow.clear()
    assert midtrans.courier.wait()
    assert receiver.most_at_once > 1
    assert len({body for _, _, body in receiver.got}) == 1
    assert len(midtrans.received) == 1


def test_disorder_tells_the_end_first(
    midtrans: MidtransSimulator, nowpayments: NowPaymentsSimulator, receiver: Receiver
) -> None:
    """The settlement before the pending, the finished before the confirming."""
    charged(midtrans)
    simulate(midtrans, "pay", "disorder")
    told = [body["transaction_status"] for body in receiver.bodies]
    assert told == ["settlement", "pending"]
    receiver.got.clear()
    created(nowpayments, receiver)
    simulate(nowpayments, "pay", "disorder")
    told = [body["payment_status"] for body in receiver.bodies]
    assert told == ["finished", "sending", "confirmed", "confirming", "waiting"]


@pytest.mark.parametrize("way", ["forged", "wrong_key", "tampered_amount"])
def test_lies_have_no_good_signature(
    midtrans: MidtransSimulator, nowpayments: NowPaymentsSimulator, receiver: Receiver, way: str
) -> None:
    """They claim a payment that never was; nothing is received, nothing changes, none repeats."""
    receiver.status = 503
    charged(midtrans)
    created(nowpayments, receiver)
    assert simulate(midtrans, "pay", way)["status"] == "pending"
    assert simulate(nowpayments, "pay", way)["status"] == "waiting"
    first, second = receiver.bodies
    genuine = midtrans_signature("ord1-1", first["status_code"], first["gross_amount"], KEY)
    assert first["signature_key"] != genuine
    assert second["payment_status"] == "finished"
    assert receiver.got[1][1]["x-nowpayments-sig"] != signature(receiver.got[1][2], SECRET)
    assert midtrans.received == nowpayments.received == []
    assert repeats(midtrans, [], 1) == 2  # the lie, and the code's end


def test_a_status_can_be_altered_under_a_good_signature(
    midtrans: MidtransSimulator, receiver: Receiver
) -> None:
    """Midtrans signs no status: after a refund, a settlement claimed again is signed well."""
    charged(midtrans)
    simulate(midtrans, "pay")
    simulate(midtrans, "refund")
    simulate(midtrans, "pay", "tampered_status")
    last = receiver.bodies[-1]
    assert last["transaction_status"] == "settlement"
    assert last["signature_key"] == midtrans_signature("ord1-1", "200", "1000.00", KEY)
    assert len(midtrans.received) == 2


def test_old_events_can_be_told_again(midtrans: MidtransSimulator, receiver: Receiver) -> None:
    """Days later each event comes once more, byte for byte."""
    charged(midtrans)
    simulate(midtrans, "pay")
    simulate(midtrans, "refund")
    midtrans.clock.advance(5 * 86_400)
    before = [body for _, _, body in receiver.got]
    simulate(midtrans, "replay")
    again = [body for _, _, body in receiver.got[len(before) :]]
    assert again[1:] == before


def test_only_loopback_is_told(receiver: Receiver) -> None:
    """An address elsewhere is never called: the log says why."""
    with MidtransSimulator(server_key=KEY, webhook_url="https://example.com/x") as midtrans:
        charged(midtrans)
        assert midtrans.courier.wait()
        assert midtrans.deliveries[0].status is None
        assert "loopback" in midtrans.deliveries[0].error


def test_closing_cuts_what_is_under_way(receiver: Receiver) -> None:
    """A simulator ends at once though a receiver keeps it waiting."""
    receiver.is_slow.set()
    midtrans = MidtransSimulator(server_key=KEY, webhook_url=receiver.url)
    with midtrans:
        charged(midtrans)
        until(lambda: len(receiver.got) == 1)
        started = time.monotonic()
    assert time.monotonic() - started < 2
    assert midtrans.courier.wait(0.1)
