"""docs/billing.md on money in: its diagram and examples are computed, its rules have tests."""

from __future__ import annotations

import ast
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from osiris.flows import credit, keys
from osiris.flows.audit import audit
from osiris.ledger.entry import CHARGE
from osiris.ledger.expiry import extended
from osiris.ledger.order import TRANSITIONS
from osiris.money import dollars_from_nano
from tests.builders import World
from tests.flows.topup_customer import ACCOUNT, DAY_MS, HOUR_MS, MINUTE_MS, Customer, payment_id
from tests.scripted_provider import with_scripted_money

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/billing.md").read_text()

type Table = list[list[str]]


@pytest.fixture
def ada() -> Iterator[Customer]:
    """A customer with a new key; the books are right at the end of each example."""
    world = World()
    money = with_scripted_money(world.app, world.app.now_ms)
    yield Customer(world, money, keys.create(world.app, ACCOUNT, name="laptop").key.id)
    assert audit(world.app).differences == []


def tables(heading: str) -> list[Table]:
    """The rows of each table below a heading, without its head."""
    (section,) = PAGE.split(f"\n{heading}\n")[1:]
    below = section.partition("\n#")[0]
    found: list[Table] = [[]]
    for line in below.splitlines():
        if line.startswith("|"):
            found[-1].append([cell.strip() for cell in line.strip("| ").split(" | ")])
        elif found[-1]:
            found.append([])
    return [rows[2:] for rows in found if rows]


def rupiah(amount: object) -> str:
    return f"Rp {int(str(amount)):,}"


def dollars(nano: int) -> str:
    """Money as the page writes it."""
    whole, point, decimals = dollars_from_nano(abs(nano)).partition(".")
    return f"{'−' if nano < 0 else ''}${int(whole):,}{point}{decimals}"


# ------------------------------------------------------------------------------------- the states


def diagram() -> str:
    """The table of transitions in mermaid's words."""
    ways = [f"    {start} --> {end}" for start, ends in TRANSITIONS.items() for end in ends]
    begin = f"    [*] --> {next(iter(TRANSITIONS))}"
    return "\n".join(["```mermaid", "stateDiagram-v2", begin, *ways, "```"])


def test_the_diagram_is_the_table() -> None:
    """Drawn from TRANSITIONS, and no other."""
    assert diagram() in PAGE
    assert PAGE.count("```mermaid") == 1


def test_each_state_is_explained() -> None:
    """Those of the table of transitions, and no other."""
    (states,) = tables("### The states of an order")
    assert [row[0].strip("`") for row in states] == list(TRANSITIONS)


# ----------------------------------------------------------------------------------- the examples


def test_a_dear_package_in_parts(ada: Customer) -> None:
    """$2,500 by QRIS at Rp 17,917, as its five payments come."""
    order = ada.order("2500")
    rows = []
    for number, part in enumerate(order.parts, start=1):
        ada.pay(order, number)
        ada.told(order, number)
        rows.append(
            [
                str(number),
                rupiah(part.price),
                dollars(part.credit_nano),
                dollars(ada.key.balance_nano),
                f"`{ada.state(order)}`",
            ]
        )
    assert tables("### Example: $2,500 by QRIS") == [rows]
    assert rupiah(sum(int(part.price) for part in order.parts)) in PAGE


def test_the_end_of_a_month() -> None:
    """Four purchases on 31 January."""
    at = datetime(2027, 1, 31, 10, tzinfo=UTC)
    now_ms, expires_at_ms, rows = int(at.timestamp()) * 1000, 0, []
    for name in ("first", "second", "third", "fourth"):
        expires_at_ms = extended(expires_at_ms, now_ms)
        until = datetime.fromtimestamp(expires_at_ms // 1000, UTC)
        rows.append([name, f"{until:%-d %B %Y, %H:%M}"])
    assert tables("### Example: the end of a month") == [rows]


@pytest.mark.parametrize("place", range(5))
def test_a_fee_and_money_on_top(ada: Customer, place: int) -> None:
    """Each amount of the table buys what it says, and its owner sees that state."""
    (rows,) = tables("### Example: a fee on top, and real money on top")
    assert len(rows) == 5
    received, credited, state = rows[place]
    order = ada.order()
    ada.pay(order)
    amount = Decimal(received.removeprefix("Rp ").replace(",", ""))
    ada.provider(order).change(payment_id(order), received=amount, price=amount)
    ada.told(order)
    assert [credited, state] == [dollars(ada.key.balance_nano), f"`{ada.state(order)}`"]


def entries(ada: Customer, from_ms: int = 0) -> list[tuple[str, int]]:
    """The key's entries since then: type and amount, forfeitures' returns first of their moment."""
    found = list(ada.world.app.ledger.entries(ada.key_id, from_ms=from_ms))
    found.sort(key=lambda entry: (entry.at_ms, entry.type != "adjustment"))
    return [(entry.type, entry.amount_nano) for entry in found]


def told_rows(made: list[tuple[str, int]], states: dict[str, str], balance_nano: int = 0) -> Table:
    """The entries as the page has them, each with the balance and the order's state after it."""
    rows = []
    for type, nano in made:
        balance_nano += nano
        sign = "+" if nano > 0 else ""
        rows.append([f"`{type}`", sign + dollars(nano), dollars(balance_nano), states[type]])
    return rows


def test_refund_after_forfeiture(ada: Customer) -> None:
    """Bought, spent, expired, refunded."""
    order = ada.bought()
    states = {"purchase": f"`{ada.state(order)}`"}
    ada.world.pass_ms(DAY_MS)
    ada.spent(30)
    ada.swept(after_ms=40 * DAY_MS)
    states |= dict.fromkeys([CHARGE, "forfeiture"], f"`{ada.state(order)}`")
    ada.provider(order).give_back(payment_id(order))
    ada.told(order)
    states |= dict.fromkeys(["adjustment", "refund"], f"`{ada.state(order)}`")
    assert tables("### Example: refund after forfeiture") == [told_rows(entries(ada), states)]
    assert ada.dollars == -30


def test_paid_before_the_expiry(ada: Customer) -> None:
    """A minute before it, heard of an hour after, the sweep in between."""
    credit.grant(ada.world.app, ada.key_id, amount_nano=7_000_000_000, days=1)
    begun_ms = ada.world.now_ms + 1
    ada.world.pass_ms(DAY_MS - MINUTE_MS)
    order = ada.order()
    ada.pay(order)
    ada.swept(after_ms=MINUTE_MS)
    states = {"forfeiture": f"`{ada.state(order)}`"}
    ada.world.pass_ms(HOUR_MS)
    ada.told(order)
    states |= dict.fromkeys(["adjustment", "purchase"], f"`{ada.state(order)}`")
    rows = told_rows(entries(ada, begun_ms), states, 7_000_000_000)
    assert tables("### Example: paid before the expiry, told after it") == [rows]
    assert ada.dollars == 107


# -------------------------------------------------------------------------------------- the rules

HEARING, AMOUNTS, STRAYS, DOUBTS = (
    f"tests/flows/test_payment_{name}.py" for name in ("hearing", "amounts", "strays", "doubts")
)
RETURNS, EXPIRY = "tests/flows/test_payment_returns.py", "tests/flows/test_payment_expiry.py"
# Each rule by its first words, and the test that holds it.
HELD_BY = {
    "The same webhook comes again": (HEARING, "test_a_webhook_that_comes_again_changes_nothing"),
    "Webhooks come out of order": (HEARING, "test_webhooks_may_come_in_any_order"),
    "A webhook is lost": (HEARING, "test_the_owner_finds_a_lost_webhook"),
    "Rupiah come after the order expired": (
        HEARING,
        "test_rupiah_after_the_end_are_credited_at_the_quote",
    ),
    "A coin comes after the order expired": (
        HEARING,
        "test_coins_after_the_end_are_credited_at_the_rate",
    ),
    "Money comes for a cancelled order": (
        "tests/flows/test_topup_cancel.py",
        "test_money_for_a_cancelled_order_is_credited",
    ),
    "Too little": (AMOUNTS, "test_too_little_is_credited_in_proportion"),
    "Less than half of what a payment asks for": (EXPIRY, "test_a_trifle_keeps_nothing_alive"),
    "A fee was added to the amount": (AMOUNTS, "test_a_fee_on_top_is_no_credit"),
    "Too much": (AMOUNTS, "test_too_much_in_coins_is_valued_when_it_comes"),
    "A second deposit to the same address": (
        AMOUNTS,
        "test_a_second_deposit_is_credited_at_the_rate",
    ),
    "The wrong coin": (AMOUNTS, "test_another_coin_is_credited_at_its_rate"),
    "The provider does not accept the money": (
        DOUBTS,
        "test_money_that_the_provider_did_not_accept",
    ),
    "The provider takes back that it was paid": (
        DOUBTS,
        "test_a_credited_payment_that_was_never_paid",
    ),
    "A value beyond belief": (DOUBTS, "test_a_value_beyond_belief_is_looked_at"),
    "A refund or a chargeback": (RETURNS, "test_money_that_went_back_is_taken_back_once"),
    "A part of a payment is refunded": (
        RETURNS,
        "test_partial_refunds_are_taken_back_by_the_difference",
    ),
    "A refund after the credit was forfeited": (RETURNS, "test_refund_after_forfeiture"),
    "A refund before we heard of the payment": (RETURNS, "test_refund_before_credit"),
    "An old webhook after a refund": (RETURNS, "test_a_replay_after_a_refund_changes_nothing"),
    "Paid before the key's expiry, told after it": (
        EXPIRY,
        "test_paid_before_the_expiry_and_told_after_it",
    ),
    "Paid after the key's expiry": (EXPIRY, "test_paid_after_the_expiry"),
    "The key was deleted meanwhile": (
        STRAYS,
        "test_a_payment_for_a_deleted_key_waits_for_a_person",
    ),
    "The payment names an order of another provider": (STRAYS, "test_an_order_of_another_provider"),
    "Webhook and status differ": (STRAYS, "test_a_webhook_that_the_status_belies"),
    "The provider tells another price, another currency or an unknown state": (
        STRAYS,
        "test_a_person_looks_at_strange_figures",
    ),
}


def test_each_rule_has_its_test() -> None:
    """The table's rules are those listed here, each with a test that is there."""
    (rules,) = tables("## When something is unusual")
    assert [row[0] for row in rules] == list(HELD_BY)
    assert {len(row) for row in rules} == {3}
    for file, test in HELD_BY.values():
        names = [
            node.name
            for node in ast.parse((ROOT / file).read_text()).body
            if isinstance(node, ast.FunctionDef)
        ]
        assert test in names
