"""The rules of money, each as a table or a property."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris.catalogue import Model, prices_from_dollars
from osiris.errors import (
    BalanceHeld,
    CreditExpired,
    InsufficientBalance,
    InvalidKey,
    KeyDisabled,
    OsirisError,
    RateLimitExceeded,
    TooManyOpenRequests,
)
from osiris.ids import request_id
from osiris.ledger import entry as entries
from osiris.ledger.admission import refusal, rejection
from osiris.ledger.credit import EXPIRED, KEY_DELETED, closed, granted, trial
from osiris.ledger.entry import FORFEITURE, GRANT, charge, lapse
from osiris.ledger.hold import Demand, hold_nano, lapsed
from osiris.ledger.key import DELETED, DISABLED, Key, new_key
from osiris.times import DAY_MS
from osiris.usage import Tokens, Usage

NOW_MS = 1_795_514_400_000
HASH, OLD_HASH, OTHER_HASH = b"h" * 32, b"o" * 32, b"x" * 32
IDS = ("ent_1", "ent_2")
MODEL = Model(
    id="m",
    name="M",
    upstream="openai",
    base_url="https://x.invalid/v1",
    upstream_model="m",
    secret="openai",
    prices=prices_from_dollars(input="5", output="25", cache_write_1h="10"),
    context_tokens=200_000,
    output_tokens=64_000,
    image_tokens_max=1_600,
    created_at_s=0,
)


def key(**changed: Any) -> Key:
    """A live key with $1, room and time."""
    fresh = new_key(
        id="A" * 12,
        account_id="ada",
        name="laptop",
        kind="paid",
        secret_hash=HASH,
        rate_limit=2,
        now_ms=NOW_MS - DAY_MS,
        grant_nano=1_000_000_000,
        expires_at_ms=NOW_MS + DAY_MS,
    )
    return fresh._replace(**changed)


# Worse and worse, from the last that is looked at to the first.
FAULTS: list[tuple[dict[str, Any], type[OsirisError]]] = [
    ({"available_nano": 0}, BalanceHeld),
    ({"holds": {"a": 1, "b": 1}}, TooManyOpenRequests),
    ({"window": [NOW_MS, NOW_MS - 59_999]}, RateLimitExceeded),
    ({"expires_at_ms": NOW_MS}, CreditExpired),
    ({"balance_nano": 0}, InsufficientBalance),
    ({"status": DISABLED}, KeyDisabled),
    ({"secret_hash": OTHER_HASH}, InvalidKey),
    ({"status": DELETED}, InvalidKey),
]


def refused(changed: dict[str, Any]) -> OsirisError | None:
    """Why the key with these changes refuses."""
    return refusal(key(**changed), secret_hash=HASH, open_requests_max=2, now_ms=NOW_MS)


@pytest.mark.parametrize(("changed", "error"), FAULTS)
def test_each_fault_alone(changed: dict[str, Any], error: type[OsirisError]) -> None:
    """A key with one fault refuses for that."""
    assert type(refused(changed)) is error


@pytest.mark.parametrize("count", range(1, len(FAULTS) + 1))
def test_the_order_of_refusals(count: int) -> None:
    """Of several faults the one told is always the same: who it is, then money, then room."""
    changed: dict[str, Any] = {}
    for fault, _ in FAULTS[:count]:
        changed |= fault
    assert type(refused(changed)) is FAULTS[count - 1][1]


def test_nothing_wrong() -> None:
    """A key without a fault refuses nobody: another slot is free."""
    assert refused({}) is None
    assert refused({"window": [NOW_MS, NOW_MS - 60_000]}) is None
    assert refused({"expires_at_ms": NOW_MS + 1, "available_nano": 1, "balance_nano": 1}) is None


def test_no_key_at_all() -> None:
    """An unknown key is told what a wrong secret is told."""
    unknown = refusal(None, secret_hash=HASH, open_requests_max=2, now_ms=NOW_MS)
    wrong = refused({"secret_hash": OTHER_HASH})
    assert type(unknown) is type(wrong) is InvalidKey
    assert unknown.message == wrong.message


def test_waiting_is_told() -> None:
    """What passes by waiting says for how long."""
    full = refused({"window": [NOW_MS - 10_000, NOW_MS - 20_500]})
    assert isinstance(full, RateLimitExceeded)
    assert full.retry_after_s == 40
    held = refused({"available_nano": -1})
    assert isinstance(held, BalanceHeld)
    assert 1 <= held.retry_after_s <= 60


@pytest.mark.parametrize(
    ("secret_hash", "until_ms", "holds"),
    [
        (HASH, 0, True),
        (HASH, NOW_MS + 1, True),
        (OLD_HASH, NOW_MS + 1, True),
        (OLD_HASH, NOW_MS, False),
        (OLD_HASH, 0, False),
        (OTHER_HASH, NOW_MS + 1, False),
        (b"", NOW_MS + 1, False),
    ],
)
def test_the_overlap_of_secrets(secret_hash: bytes, until_ms: int, holds: bool) -> None:
    """The old secret is accepted until its time, and no moment longer."""
    rotated = key(old_secret_hash=OLD_HASH, old_secret_until_ms=until_ms)
    error = rejection(rotated, secret_hash=secret_hash, now_ms=NOW_MS)
    assert (error is None) == holds


@pytest.mark.parametrize(
    ("demand", "nano"),
    [
        # 1,000 bytes are 500 tokens at $10 (the dearest input), and 64,000 of output at $25.
        (Demand(1_000, 0, 1, None), 5_000_000 + 1_600_000_000),
        (Demand(1_000, 0, 1, 100), 5_000_000 + 2_500_000),
        (Demand(1_000, 0, 4, 100), 5_000_000 + 10_000_000),
        (Demand(1_000, 2, 1, 100), 5_000_000 + 32_000_000 + 2_500_000),
        (Demand(1_000, 0, 1, 10**9), 5_000_000 + 1_600_000_000),
        (Demand(10**9, 0, 1, 100), 2_000_000_000 + 2_500_000),
        (Demand(1, 0, 1, 1), 1_000_000),
        (Demand(1, 0, 1, 100, unmeasured=True), 2_000_000_000 + 2_500_000),
    ],
)
def test_holds(demand: Demand, nano: int) -> None:
    """A hold reckons from above, within the model's limits, and never below the minimum."""
    assert hold_nano(demand, MODEL) == nano


@given(
    st.builds(
        Demand,
        st.integers(0, 10**6),
        st.integers(0, 10),
        st.integers(1, 4),
        st.none() | st.integers(1, 10**6),
    ),
    st.data(),
)
def test_a_hold_covers_the_cost(demand: Demand, data: st.DataObject) -> None:
    """Whatever a request within its own bounds uses, its charge is within its hold."""
    most = min(
        MODEL.context_tokens, -(-demand.text_bytes // 2) + demand.images * MODEL.image_tokens_max
    )
    bound = demand.output_tokens_max or MODEL.output_tokens
    output = data.draw(st.integers(0, min(bound, MODEL.output_tokens) * demand.choices))
    tokens = Tokens(*data.draw(_splits(most)), output)
    made = _charge(Usage(tokens))
    assert made.cost_nano <= hold_nano(demand, MODEL)


def _splits(most: int) -> st.SearchStrategy[tuple[int, int, int, int]]:
    """Counts of four buckets that sum to at most `most`."""
    cuts = st.lists(st.integers(0, most), min_size=4, max_size=4).map(sorted)
    return cuts.map(lambda c: (c[0], c[1] - c[0], c[2] - c[1], c[3] - c[2]))


def test_holds_lapse_by_their_age() -> None:
    """A hold has lapsed once its request's id is as old as a function can get."""
    old, young = (request_id(NOW_MS - age_ms, b"r" * 16) for age_ms in (1000, 999))
    assert lapsed({old: 1, young: 2}, lapse_ms=1000, now_ms=NOW_MS) == {old: 1}


def _charge(usage: Usage | None, state: str = entries.COMPLETED) -> entries.Entry:
    return charge(
        key_id="A" * 12,
        request_id="req_1",
        model=MODEL,
        state=state,
        streamed=True,
        usage=usage,
        admitted_at_ms=NOW_MS - 250,
        now_ms=NOW_MS,
    )


def test_a_charge_can_be_recomputed() -> None:
    """The entry of a charge holds the tokens and prices that make its amount."""
    made = _charge(Usage(Tokens(input=10_000, output=2_000), bounded=True))
    assert made.amount_nano == -100_000_000
    assert made.cost_nano == 100_000_000
    assert made.charge is not None
    assert made.charge.tokens == Tokens(input=10_000, output=2_000)
    assert made.charge.prices == MODEL.prices
    assert (made.charge.bounded, made.charge.estimated, made.charge.duration_ms) == (
        True,
        False,
        250,
    )


def test_without_usage_nothing_is_charged() -> None:
    """No usage, no charge, not even the minimum; nor for a request whose function was lost."""
    assert _charge(None, entries.UPSTREAM_FAILED).amount_nano == 0
    lost = lapse(key_id="A" * 12, request_id="req_1", now_ms=NOW_MS)
    assert (lost.amount_nano, lost.charge, lost.reason) == (0, None, entries.LAPSED)


def test_a_clock_set_back_makes_no_negative_time() -> None:
    """A request never took less than no time."""
    made = charge(
        key_id="A" * 12,
        request_id="req_1",
        model=MODEL,
        state=entries.COMPLETED,
        streamed=True,
        usage=None,
        admitted_at_ms=NOW_MS + 5,
        now_ms=NOW_MS,
    )
    assert made.charge is not None
    assert made.charge.duration_ms == 0


def grant(to: Key, *, days: int = 30) -> Any:
    """A grant of $2."""
    return granted(
        to, amount_nano=2_000_000_000, days=days, reason="r", entry_ids=IDS, now_ms=NOW_MS
    )


def test_a_grant_adds() -> None:
    """A grant is one entry, and its time counts from now."""
    posting = grant(key())
    [entry] = posting.entries
    assert (entry.type, entry.amount_nano, entry.reason) == (GRANT, 2_000_000_000, "r")
    assert posting.expires_at_ms == NOW_MS + 30 * DAY_MS


def test_a_grant_never_shortens() -> None:
    """Credit that lasts longer keeps its time."""
    assert grant(key(), days=1).expires_at_ms == NOW_MS + DAY_MS
    later = key(expires_at_ms=NOW_MS + 90 * DAY_MS)
    assert grant(later, days=1).expires_at_ms == NOW_MS + 90 * DAY_MS


@pytest.mark.parametrize(
    ("available_nano", "expires_at_ms", "amounts"),
    [
        (700, NOW_MS, [-700, 2_000_000_000]),
        (700, NOW_MS + 1, [2_000_000_000]),
        (0, NOW_MS, [2_000_000_000]),
        (-5, NOW_MS, [2_000_000_000]),
        (700, 0, [-700, 2_000_000_000]),
    ],
)
def test_a_grant_brings_nothing_back(
    available_nano: int, expires_at_ms: int, amounts: list[int]
) -> None:
    """Credit that had expired is forfeited with the grant, never what is held or owed."""
    posting = grant(key(available_nano=available_nano, expires_at_ms=expires_at_ms))
    assert [entry.amount_nano for entry in posting.entries] == amounts
    assert posting.amount_nano == sum(amounts)
    assert len({entry.id for entry in posting.entries}) == len(amounts)
    if len(amounts) == 2:
        assert (posting.entries[0].type, posting.entries[0].reason) == (FORFEITURE, EXPIRED)


@pytest.mark.parametrize(("available_nano", "amounts"), [(700, [-700]), (0, []), (-5, [])])
def test_a_deletion_takes_what_is_available(available_nano: int, amounts: list[int]) -> None:
    """Deleting forfeits what is available: never what is held, and a debt stays a debt."""
    posting = closed(key(available_nano=available_nano), entry_id="ent_1", now_ms=NOW_MS)
    assert [entry.amount_nano for entry in posting.entries] == amounts
    assert all(entry.reason == KEY_DELETED for entry in posting.entries)


def test_a_trial() -> None:
    """A trial's credit is one grant that ends after its days."""
    posting = trial("A" * 12, amount_nano=5, days=7, entry_id="ent_1", now_ms=NOW_MS)
    assert [(entry.type, entry.amount_nano) for entry in posting.entries] == [(GRANT, 5)]
    assert posting.expires_at_ms == NOW_MS + 7 * DAY_MS
