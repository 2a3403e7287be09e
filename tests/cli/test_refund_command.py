"""`osiris refund`: money given back once, and the credit that it brought taken back once."""

from decimal import Decimal

import pytest

from osiris.flows.expiry import sweep
from osiris.ledger.order import CRYPTO
from osiris.money import NANO_PER_DOLLAR
from osiris.times import DAY_MS
from tests.builders import World
from tests.cli.command import Run
from tests.cli.shop import Shop, shop_in

DOLLAR = NANO_PER_DOLLAR


@pytest.fixture
def shop(world: World) -> Shop:
    return shop_in(world)


def test_the_provider_gives_it_back(shop: Shop, run: Run) -> None:
    """All of it, and the credit is taken back; what happened is told."""
    order = shop.paid()
    payment_id = order.parts[0].payment_id
    ran = run("refund", order.id, payment_id, "--reason", "ordered twice")
    assert ran == (
        0,
        f"order\t{order.id}\n"
        f"payment\tmidtrans#{payment_id}\n"
        "returned\t1791700 IDR, in all 1791700 of 1791700\n"
        "taken back\t$100\n"
        "reversed\t$0 of forfeited credit\n"
        f"key\t{shop.key_id}\n"
        "balance\t$0\n",
        f"Took $100 back from {shop.key_id}, by midtrans#{payment_id}.\n",
    )
    assert list(shop.provider(order).refunds.values()) == [Decimal(1_791_700)]
    assert run("audit").exit_code == 0


def test_a_part_of_it_and_then_the_rest(shop: Shop, run: Run) -> None:
    """Each time what is given back is taken back in proportion; more than there is can't be."""
    order = shop.paid()
    payment_id = f"midtrans#{order.parts[0].payment_id}"
    ran = run("refund", order.id, payment_id, "--amount", "447925", "--json")
    assert ran.json() == {
        "order": order.id,
        "payment": payment_id,
        "currency": "IDR",
        "received": "1791700",
        "returned_now": "447925",
        "returned": "447925",
        "taken_back": "25",
        "reversed": "0",
        "key": shop.key_id,
        "balance": "75",
    }
    for manual in ((), ("--manual",)):
        ran = run("refund", order.id, payment_id, "--amount", "0.5", *manual)
        assert ran == (1, "", "Error: Rupiah have no decimals.\n")
    ran = run("refund", order.id, payment_id, "--amount", "1791700")
    assert ran == (1, "", "Error: What can be given back is up to 1343775 IDR.\n")
    document = run("refund", order.id, payment_id, "--json").json()
    assert (document["returned_now"], document["returned"]) == ("1343775", "1791700")
    assert (document["taken_back"], document["balance"]) == ("75", "0")
    assert run("refund", order.id, payment_id).exit_code == 1


def test_forfeited_credit_is_not_lost_twice(shop: Shop, run: Run) -> None:
    """What was forfeited since is reversed before it is taken back."""
    order = shop.paid()
    shop.world.pass_ms(40 * DAY_MS)
    sweep(shop.world.app)
    assert shop.key.balance_nano == 0
    payment_id = order.parts[0].payment_id
    document = run("refund", order.id, payment_id, "--json").json()
    assert (document["taken_back"], document["reversed"]) == ("100", "100")
    assert document["balance"] == "0"
    entries = run("ledger", shop.key_id, "--json").json()["data"]
    assert sorted(entry["type"] for entry in entries) == [
        "adjustment",
        "forfeiture",
        "purchase",
        "refund",
    ]
    assert {entry.get("order_id") for entry in entries} == {order.id, None}


def test_a_provider_that_gives_nothing_back(shop: Shop, run: Run) -> None:
    """What was sent back by hand is recorded; the provider is not called."""
    order = shop.paid(method=CRYPTO)
    payment_id = order.parts[0].payment_id
    ran = run("refund", order.id, payment_id, "--manual", "--amount", "0.0005", "--json")
    assert (ran.exit_code, ran.json()["taken_back"]) == (0, "25")
    assert ran.json()["balance"] == "75"
    assert shop.provider(order).refunds == {}


def test_a_chargeback_is_recorded_by_hand(shop: Shop, run: Run) -> None:
    """As an entry of its own kind, and the order's owner sees it."""
    order = shop.paid()
    payment_id = order.parts[0].payment_id
    assert run("refund", order.id, payment_id, "--manual", "--chargeback").exit_code == 0
    shown = run("orders", "show", order.id, "--json").json()
    assert (shown["state"], shown["taken_back"]) == ("charged_back", "100")
    entries = run("ledger", shop.key_id, "--json").json()["data"]
    assert {entry["type"] for entry in entries} == {"purchase", "chargeback"}


def test_a_refund_that_the_provider_tells_of_later(
    shop: Shop, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is taken back yet, and how to ask again is told."""
    order = shop.paid()
    provider = shop.provider(order)
    monkeypatch.setattr(provider, "give_back", lambda _id, _amount: None)
    ran = run("refund", order.id, order.parts[0].payment_id, "--json")
    document = ran.json()
    assert (document["taken_back"], document["balance"]) == ("0", "100")
    assert f"osiris orders show {order.id} --ask" in ran.stderr


def test_a_payment_without_a_home_goes_back(shop: Shop, run: Run) -> None:
    """It brought no key anything, so nothing is taken back, and the order is decided."""
    order = shop.order()
    shop.pay(order)
    shop.delete_key()
    shop.watch()
    document = run("refund", order.id, order.parts[0].payment_id, "--json").json()
    assert (document["returned"], document["taken_back"]) == ("1791700", "0")
    assert (document["key"], document["balance"]) == (None, None)
    assert run("orders", "list", "--undecided", "--json").json()["data"] == []
    assert run("audit").exit_code == 0


def test_a_payment_of_another_order(shop: Shop, run: Run) -> None:
    """It is refused, with the payments that there are."""
    order = shop.paid()
    other = shop.order("500", CRYPTO)
    payment_id = order.parts[0].payment_id
    assert run("refund", other.id, payment_id) == (
        1,
        "",
        f"Error: No such payment of {other.id}. Its payments: none.\n",
    )
    ran = run("refund", order.id, other.parts[0].payment_id)
    assert ran.stderr == f"Error: No such payment of {order.id}. Its payments: {payment_id}.\n"


def test_a_provider_that_is_away(shop: Shop, run: Run) -> None:
    """One line, with why; a repeat is the same refund."""
    order = shop.paid()
    shop.provider(order).away = True
    ran = run("refund", order.id, order.parts[0].payment_id)
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert ran.stderr.startswith("Error: ")
    assert ran.stderr.endswith("(scripted)\n")
    assert shop.key.balance_nano == 100 * DOLLAR


@pytest.mark.parametrize(
    "arguments",
    [
        ("--chargeback",),
        ("--amount", "0"),
        ("--amount", "-5"),
        ("--amount", "1e3"),
        ("--amount", "NaN"),
        ("--reason", "two\nlines"),
        ("--reason", "x" * 201),
    ],
)
def test_wrong_calls(shop: Shop, run: Run, arguments: tuple[str, ...]) -> None:
    """2, and no provider is called."""
    order = shop.paid()
    assert run("refund", order.id, order.parts[0].payment_id, *arguments).exit_code == 2
    assert shop.provider(order).refunds == {}
