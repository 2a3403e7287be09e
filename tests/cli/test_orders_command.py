"""`osiris orders`: what was paid and credited, what is undecided, and a home for every payment."""

from decimal import Decimal

import pytest

from osiris.ledger.order import CRYPTO
from osiris.money import NANO_PER_DOLLAR
from tests.builders import World
from tests.cli.command import Run
from tests.cli.shop import MINUTE_MS, Shop, shop_in

DOLLAR = NANO_PER_DOLLAR


@pytest.fixture
def shop(world: World) -> Shop:
    return shop_in(world)


def test_the_newest_orders_of_all_accounts(shop: Shop, run: Run) -> None:
    """A line each, with its money; what is not shown is told."""
    first = shop.paid()
    second = shop.order("500", CRYPTO)
    lines = [line.split("\t") for line in run("orders", "list").stdout.splitlines()]
    assert lines[0][:3] == ["made", "order", "account"]
    assert [line[1:] for line in lines[1:]] == [
        [second.id, "ada", shop.key_id, "btc", "pending", "$500", "$0", "$0", ""],
        [first.id, "ada", shop.key_id, "qris", "credited", "$100", "$100", "$0", ""],
    ]
    assert [shown["id"] for shown in run("orders", "list", "--limit", "1", "--json").json()["data"]]


def test_those_that_a_person_has_to_decide(shop: Shop, run: Run) -> None:
    """Nothing else is listed; what is cut is told."""
    shop.paid()
    undecided = shop.order()
    shop.pay(undecided)
    shop.delete_key()
    assert run("orders", "list", "--undecided", "--json").json() == {"data": []}
    shop.watch()
    (shown,) = run("orders", "list", "--undecided", "--json").json()["data"]
    assert (shown["id"], shown["account_id"]) == (undecided.id, "ada")
    assert (shown["problem"], shown["state"]) == ("key_deleted", "pending")
    assert f"osiris orders assign {undecided.id} KEY" in shown["to_do"]


def test_an_order_with_its_parts_and_payments(shop: Shop, run: Run) -> None:
    """What was asked, received, bought, credited and taken back."""
    order = shop.paid("1000")
    ran = run("orders", "show", order.id)
    facts, parts, payments = ran.stdout.split("\n\n")
    fields = dict(line.split("\t") for line in facts.splitlines())
    assert fields["state"] == "part_paid"
    assert fields["package"] == "$1000"
    assert fields["credited"] == "$500"
    assert fields["rate"].startswith("17917 rupiah a dollar, er-api, 2026-11-24T")
    assert fields["why"] == "Not all of it has been paid. What came is credited."
    assert parts.splitlines()[1:] == [
        f"{number}\t8958500 IDR\t8958500 IDR\t$500\t{credited}\t{order.id}-{number}"
        for number, credited in ((1, "$500\tcredited"), (2, "$0\twaiting"))
    ]
    _, payment = payments.splitlines()
    assert payment.split("\t")[3:] == [
        "finished",
        "8958500 IDR",
        "0 IDR",
        "$500",
        "$500",
        "$0",
        shop.key_id,
    ]


def test_for_programs_an_order_is_what_its_owner_sees_and_more(shop: Shop, run: Run) -> None:
    """The same members as the API's, the account, and the code's text without its picture."""
    order = shop.order()
    document = run("orders", "show", order.id, "--json").json()
    assert (document["account_id"], document["problem"]) == ("ada", None)
    assert document["parts"][0]["qr_text"] == "qr"
    assert "qr_svg" not in document["parts"][0]


def test_the_problem_is_told_in_words(shop: Shop, run: Run) -> None:
    """With what is outstanding, and the commands that end it."""
    order = shop.order()
    shop.pay(order)
    shop.delete_key()
    shop.watch()
    facts, *_ = run("orders", "show", order.id).stdout.split("\n\n")
    fields = dict(line.split("\t") for line in facts.splitlines())
    assert fields["outstanding"] == "$100"
    assert fields["problem"].startswith("A payment came after its key was deleted")
    assert f"osiris refund {order.id} PAYMENT" in fields["to do"]


def test_show_asks_the_provider(shop: Shop, run: Run) -> None:
    """A payment that nobody told of is credited, and said so."""
    order = shop.order()
    shop.pay(order)
    assert run("orders", "show", order.id, "--json").json()["state"] == "pending"
    ran = run("orders", "show", order.id, "--ask", "--json")
    assert (ran.exit_code, ran.json()["state"]) == (0, "credited")
    payment_id = f"midtrans#{order.parts[0].payment_id}"
    assert ran.stderr == f"Credited $100 to key {shop.key_id}, by {payment_id}.\n"
    assert shop.key.balance_nano == 100 * DOLLAR


def test_a_provider_that_is_away(shop: Shop, run: Run) -> None:
    """The order is shown as it is known, with 1 and what was in the way."""
    order = shop.order()
    shop.provider(order).away = True
    ran = run("orders", "show", order.id, "--ask", "--json")
    assert (ran.exit_code, ran.json()["state"]) == (1, "pending")
    assert ran.stderr == "Not asked: provider_unavailable: scripted.\n"


def test_a_payment_finds_another_home(shop: Shop, run: Run) -> None:
    """It is credited to the key that is named, once, and the order is decided."""
    order = shop.order()
    shop.pay(order)
    shop.delete_key()
    shop.watch()
    home = shop.other_key()
    ran = run("orders", "assign", order.id, home, "--json")
    document = ran.json()
    assert document.pop("expires_at").startswith("2026-12-24T")
    assert document == {
        "order": order.id,
        "key": home,
        "account": "ada",
        "credited": "100",
        "balance": "100",
    }
    assert run("orders", "list", "--undecided", "--json").json()["data"] == []
    shown = run("orders", "show", order.id, "--json").json()
    assert (shown["state"], shown["payments"][0]["key_id"]) == ("credited", home)
    again = run("orders", "assign", order.id, home)
    assert again == (1, "", f"Error: Nothing of {order.id} is outstanding.\n")
    assert run("audit").exit_code == 0


def test_a_payment_is_given_its_worth_by_hand(shop: Shop, run: Run) -> None:
    """What came in another coin is worth what the operator says, once."""
    order = shop.order(method=CRYPTO)
    (part,) = order.parts
    shop.pay(order)
    shop.provider(order).change(part.payment_id, currency="doge", received=Decimal(900))
    shop.watch()
    shown = run("orders", "show", order.id, "--json").json()
    assert (shown["problem"], shown["payments"]) == ("currency_differs", [])
    by_hand = ("--payment", part.payment_id, "--amount", "95.5")
    ran = run("orders", "assign", order.id, shop.key_id, *by_hand)
    assert "credited\t$95.5\nbalance\t$95.5\n" in ran.stdout
    ran = run("orders", "assign", order.id, shop.key_id, *by_hand)
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert "valued before" in ran.stderr
    assert shop.key.balance_nano == 95 * DOLLAR + DOLLAR // 2
    assert run("audit").exit_code == 0


def test_what_was_not_received_has_no_worth(shop: Shop, run: Run) -> None:
    """Nothing is credited on the operator's word alone."""
    order = shop.order(method=CRYPTO)
    by_hand = ("--payment", order.parts[0].payment_id, "--amount", "95.5")
    ran = run("orders", "assign", order.id, shop.key_id, *by_hand)
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert ran.stderr == "Error: The provider has received nothing by this payment.\n"
    assert shop.key.balance_nano == 0


def test_the_ledger_names_order_and_payment(shop: Shop, run: Run) -> None:
    """A purchase, for people and for programs."""
    order = shop.paid()
    payment_id = f"midtrans#{order.parts[0].payment_id}"
    line = run("ledger", shop.key_id).stdout.splitlines()[-1].split("\t")
    assert (line[2], line[3], line[-1]) == ("purchase", "$100", f"{order.id}, {payment_id}")
    (entry,) = run("ledger", shop.key_id, "--json").json()["data"]
    assert (entry["order_id"], entry["payment_id"]) == (order.id, payment_id)


def test_the_audit_counts_payments(shop: Shop, run: Run) -> None:
    """One of ada's orders was paid."""
    shop.paid()
    shop.order("500", CRYPTO)
    assert run("audit", "--json").json()["payments"] == 1


NO_ORDER = "ord_000000000000000A"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("show", NO_ORDER), "There is no such order."),
        (("show", NO_ORDER, "--ask"), "There is no such order."),
        (("assign", NO_ORDER, "{key}"), "There is no such order."),
        (("assign", NO_ORDER, "0123456789ab"), "There is no such key, or it is deleted."),
    ],
)
def test_what_is_not_there(shop: Shop, run: Run, arguments: tuple[str, ...], problem: str) -> None:
    """One line, and 1."""
    named = [word.replace("{key}", shop.key_id) for word in arguments]
    assert run("orders", *named) == (1, "", f"Error: {problem}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "req_000000000000000A"),
        ("show",),
        ("list", "--limit", "0"),
        ("assign", NO_ORDER, "no-key"),
        ("assign", NO_ORDER, "0123456789ab", "--payment", "1"),
        ("assign", NO_ORDER, "0123456789ab", "--amount", "1"),
        ("assign", NO_ORDER, "0123456789ab", "--payment", "1", "--amount", "0"),
        ("assign", NO_ORDER, "0123456789ab", "--payment", "a b", "--amount", "1"),
    ],
)
def test_wrong_calls(run: Run, arguments: tuple[str, ...]) -> None:
    """2, before anything is read."""
    assert run("orders", *arguments).exit_code == 2


def test_a_long_list_is_cut(shop: Shop, run: Run) -> None:
    """Of what is undecided, the oldest are shown, and how many more there are."""
    orders = []
    for package in ("100", "250"):
        orders.append(shop.order(package))
        shop.pay(orders[-1])
        shop.world.pass_ms(30 * MINUTE_MS)
    shop.delete_key()
    shop.watch()
    ran = run("orders", "list", "--undecided", "--limit", "1", "--json")
    assert [shown["id"] for shown in ran.json()["data"]] == [orders[0].id]
    assert ran.stderr == "1 more are not shown: --limit shows more.\n"
