"""What a request costs, by real requests through the stack: docs/billing.md, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from osiris.money import ceil_div, dollars_from_nano, nano_from_dollars
from osiris.usage import charge_nano
from tests.e2e.charged import (
    BOTH,
    DEEPSEEK,
    FUNDED_NANO,
    GPT,
    MINIMUM,
    OPUS,
    error_in,
    facts,
    metrics,
    osiris,
    settled,
    text_of,
    told_cost,
)

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness


class Priced(NamedTuple):
    """Tokens as the upstream reports them, and what they cost."""

    model: str
    tokens: str
    cost: str


PRICED = [
    Priced(OPUS, "input=10000 output=2000", "0.1"),
    Priced(DEEPSEEK, "input=50000 output=5000", "0.019"),
    Priced(DEEPSEEK, "input=100 output=20", MINIMUM),
    # 6,000 x $5 + 4,000 x $0.50 + 2,000 x $25, a million
    Priced(OPUS, "input=10000 cached=4000 output=2000", "0.082"),
    # 40,000 x $0.27 + 10,000 x $0.07 + 5,000 x $1.10
    Priced(DEEPSEEK, "input=50000 cached=10000 output=5000", "0.017"),
    # 1 x $0.75 + 2 x $0.075 + 2,221 x $4.50: nothing is rounded away
    Priced(GPT, "input=3 cached=2 output=2221", "0.0099954"),
]


@pytest.mark.parametrize("stream", BOTH, ids=["whole", "streamed"])
@pytest.mark.parametrize("priced", PRICED, ids=lambda priced: f"{priced.model} {priced.tokens}")
def test_one_figure_is_told_everywhere(harness: Harness, priced: Priced, stream: bool) -> None:
    """The answer, its header, its record, the ledger and the key's balance agree to the digit."""
    secret = harness.new_key()
    steering = f"[sim {priced.tokens} chunk_tokens=500]"
    answer = harness.chat(secret, steering, stream=stream, model=priced.model)
    assert answer.status_code == 200
    assert told_cost(answer.content) == [priced.cost]
    assert answer.headers.get("X-Osiris-Cost") == (None if stream else priced.cost)

    record = harness.get(secret, f"requests/{answer.headers['X-Request-Id']}").json()
    assert (record["state"], record["cost"]) == ("completed", priced.cost)
    assert record["minimum_applied"] == (priced.cost == MINIMUM)
    assert (record["estimated"], record["bounded"]) == (False, False)
    entry = settled(harness, secret)
    assert (entry.id, entry.amount_nano) == (record["id"], -nano_from_dollars(priced.cost))
    assert charge_nano(facts(entry).tokens, facts(entry).prices) == entry.cost_nano
    key = harness.get(secret, "key").json()
    assert key["balance"] == dollars_from_nano(FUNDED_NANO + entry.amount_nano)
    assert (key["available"], key["held"]) == (key["balance"], "0")
    assert key["usage"] == {"requests": 1, "cost": priced.cost}


def test_the_operators_ledger_shows_the_same_figures(harness: Harness) -> None:
    """The mission's examples in `osiris ledger`, with the balance after each."""
    secret = harness.new_key(dollars="1")
    for priced in PRICED[:3]:
        assert harness.chat(secret, f"[sim {priced.tokens}]", model=priced.model).is_success
    told = osiris(harness, "ledger", harness.key(secret).id)
    lines = [(line["type"], line["amount"], line["balance_after"]) for line in told["data"]]
    assert lines == [
        ("grant", "1", "1"),
        ("charge", "-0.1", "0.9"),
        ("charge", "-0.019", "0.881"),
        ("charge", "-0.001", "0.88"),
    ]
    assert [line.get("cost") for line in told["data"]] == [None, "0.1", "0.019", MINIMUM]
    assert (told["balance"], told["held"]) == ("0.88", "0")
    assert harness.get(secret, "key").json()["balance"] == "0.88"


class Row(NamedTuple):
    """One way for an answer to go, by the simulator's words; what it is charged and called."""

    words: str
    streamed: tuple[bool, ...]
    cost: str
    state: str
    error: str | None = None
    metric: str | None = None
    model: str = OPUS

    @property
    def name(self) -> str:
        return f"{self.model}: {self.words}"


TOKENS = "input=10000 output=5000 chunk_tokens=1000"
FAILED, SILENT, REFUSED, REJECTED = (
    "upstream_failed",
    "upstream_silent",
    "upstream_refused",
    "upstream_rejected",
)
WHOLE, STREAMED = (False,), (True,)
ROWS = [
    # A complete answer with usage; a finish reason makes an answer of nothing one.
    Row("input=10000 output=2000 usage=repeated chunk_tokens=400", BOTH, "0.1", "completed"),
    Row("input=10000 output=0", BOTH, "0.05", "completed"),
    Row("input=10 output=0", BOTH, MINIMUM, "completed"),
    # The upstream failed in mid-stream: by its word, by a cut, by silence.
    Row(f"{TOKENS} cut_chunks=0", STREAMED, "0", FAILED, FAILED, "UpstreamFailed"),
    Row(f"{TOKENS} cut_chunks=3", STREAMED, "0", FAILED, FAILED, "UpstreamFailed"),
    Row(f"{TOKENS} cut_chunks=3 status=529", STREAMED, "0", FAILED, FAILED, "UpstreamFailed"),
    Row(f"{TOKENS} cut_chunks=3 stall", STREAMED, "0", SILENT, SILENT, "UpstreamFailed"),
    # 10,000 x $5 + 3,000 x $25, a million: what it had reported until then.
    Row(f"{TOKENS} cut_chunks=3 usage=repeated", STREAMED, "0.125", FAILED, FAILED),
    Row(f"{TOKENS} cut_chunks=3 usage=repeated status=529", STREAMED, "0.125", FAILED, FAILED),
    Row(f"{TOKENS} cut_chunks=3 usage=repeated stall", STREAMED, "0.125", SILENT, SILENT),
    # HTTP errors of the upstream's, and ours about it.
    Row("status=400", BOTH, "0", REJECTED, REJECTED),
    Row("status=404", BOTH, "0", REJECTED, "model_not_found", model=GPT),
    Row("status=401", BOTH, "0", REFUSED, REFUSED, "UpstreamRefused"),
    Row("status=429", BOTH, "0", REFUSED, REFUSED, "UpstreamRefused"),
    Row("status=500", BOTH, "0", FAILED, FAILED, "UpstreamFailed"),
    Row("status=529", BOTH, "0", FAILED, FAILED, "UpstreamFailed"),
    Row("cut_chunks=-1", BOTH, "0", FAILED, FAILED, "UpstreamFailed"),
    Row("cut_chunks=1 output=100", WHOLE, "0", FAILED, FAILED, "UpstreamFailed"),
    Row("stall first_ms=0", BOTH, "0", SILENT, SILENT, "UpstreamFailed"),
    # Usage that can't be: the model's limits are the most, nothing is the least.
    Row("output=5 usage=negative", BOTH, MINIMUM, "completed", metric="UsageOutOfBounds"),
    Row("output=5 usage=huge", BOTH, "8.2", "completed", metric="UsageOutOfBounds"),
    Row("output=9 input=2000000", BOTH, "5.000225", "completed", metric="UsageOutOfBounds"),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_is_charged(harness: Harness, row: Row) -> None:
    """The cost, the state in the record, the error told, and the operator's metric."""
    for stream in row.streamed:
        secret = harness.new_key()
        answer = harness.chat(secret, f"[sim {row.words}]", stream=stream, model=row.model)
        assert error_in(answer) == row.error
        assert (b"[DONE]" in answer.content) == (stream and row.error is None)
        assert told_cost(answer.content) == ([row.cost] if row.error is None else [])
        record = harness.get(secret, f"requests/{answer.headers['X-Request-Id']}").json()
        assert (record["state"], record["cost"]) == (row.state, row.cost)
        assert record["bounded"] == (row.metric == "UsageOutOfBounds")
        assert record["minimum_applied"] == (row.cost == MINIMUM)
        entry = settled(harness, secret)
        assert entry.cost_nano == nano_from_dollars(row.cost)
        assert harness.key(secret).balance_nano == FUNDED_NANO - entry.cost_nano
        if row.metric is not None:
            assert metrics(harness, entry.id) == {row.metric}
        if row.error is not None and answer.status_code == 200:
            charged = row.cost != "0"
            assert (f"was charged: ${row.cost}." in answer.text) == charged
            assert ("Nothing was charged." in answer.text) != charged


@pytest.mark.parametrize("stream", BOTH, ids=["whole", "streamed"])
@pytest.mark.parametrize("usage", ["none", "null"])
def test_a_complete_answer_without_usage_is_estimated(
    harness: Harness, usage: str, stream: bool
) -> None:
    """A token for every four bytes, of the request's body and of the answer's text."""
    secret = harness.new_key()
    steering = f"[sim output=2000 usage={usage} chunk_tokens=100] " + "é" * 500
    answer = harness.chat(secret, steering, stream=stream)
    sent = harness.simulator.requests[-1]
    entry = settled(harness, secret)
    body_bytes = len(sent.raw_body) + len(OPUS) - len("claude-opus-4-6")
    if stream:
        body_bytes -= len(',"stream_options":{"include_usage": true}')
    assert facts(entry).tokens.input == ceil_div(body_bytes, 4)
    assert facts(entry).tokens.output == ceil_div(len(text_of(answer, stream=stream)), 4)
    assert facts(entry).estimated
    assert entry.cost_nano == charge_nano(facts(entry).tokens, facts(entry).prices)
    assert metrics(harness, entry.id) == {"UsageEstimated"}
    record = harness.get(secret, f"requests/{entry.id}").json()
    assert (record["estimated"], record["cost"]) == (True, dollars_from_nano(entry.cost_nano))
    assert answer.headers.get("X-Osiris-Cost") == (None if stream else record["cost"])


def test_each_choice_is_paid_for(harness: Harness) -> None:
    """Three choices of 1,000 tokens are 3,000 tokens of output."""
    secret = harness.new_key()
    answer = harness.chat(secret, "[sim input=2000 output=1000]", n=3, model=GPT)
    assert len(answer.json()["choices"]) == 3
    assert told_cost(answer.content) == ["0.015"]


def test_refusals_of_ours_leave_no_entry(harness: Harness) -> None:
    """Nothing is charged, held or recorded for a request that was not let in."""
    secret = harness.new_key()
    for body in (b"{", b'{"model": "gpt-0", "messages": [{}]}', b'{"model": "x", "messages": 1}'):
        assert harness.post(secret, body).status_code in (400, 404)
    assert harness.charges(secret) == []
    assert harness.key(secret).window == [0] * 40


def test_the_audit_holds_after_all_that(harness: Harness) -> None:
    """Every balance is the sum of its entries, as `osiris audit` says, too."""
    assert harness.differences() == []
    assert osiris(harness, "audit")["holds"]
