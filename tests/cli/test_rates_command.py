"""`osiris rates`: which rate is relied on, and 1 when none is."""

from decimal import Decimal

import pytest

from osiris.payment_errors import RateUnavailable
from tests.builders import World
from tests.cli.command import Run, WorldOperator, run_as
from tests.scripted_provider import Money, with_scripted_money

HOUR_MS = 3_600_000
HEADINGS = "source\trupiah per dollar\tits time\tage\tis\n"


@pytest.fixture
def money(world: World) -> Money:
    money = with_scripted_money(world.app, lambda: world.now_ms)
    money.sources[0].age_ms = 9 * HOUR_MS + 600_000
    return money


def test_the_rate_that_is_sold_at(run: Run, money: Money) -> None:
    """Each source by its own time, and whose rate it is."""
    assert run("rates") == (
        0,
        HEADINGS
        + "er-api\t17917\t2026-11-24T00:50:00.000Z\t9 h 10 min\tsold at\n"
        + "frankfurter\t17917\t2026-11-24T10:00:00.000Z\t0 h 0 min\tcompared\n"
        + "A dollar is sold at 17917 rupiah: er-api, with a margin of 0 %.\n",
        "",
    )
    assert [source.reads for source in money.sources] == [1, 1]


def test_the_margin_is_told(money: Money) -> None:
    """The rate sold at has it, and the source's has it not."""
    world = World({"OSIRIS_RATE_MARGIN_PERCENT": "1.5"})
    with_scripted_money(world.app, lambda: world.now_ms)
    document = run_as(WorldOperator(world), "rates", "--json").json()
    assert document["sold_at"] == {
        "rupiah_per_dollar": "18185.755",
        "source": "er-api",
        "at": "2026-11-24T10:00:00.000Z",
        "margin_percent": "1.5",
    }
    assert document["sources"][0] == {
        "source": "er-api",
        "rupiah_per_dollar": "17917",
        "at": "2026-11-24T10:00:00.000Z",
        "age_minutes": 0,
        "state": "sold at",
        "relied_on": True,
    }


def test_sources_that_differ(run: Run, money: Money) -> None:
    """1, and by how much they may."""
    money.sources[1].rupiah_per_dollar = Decimal(19_000)
    ran = run("rates")
    assert ran.exit_code == 1
    assert ran.stdout.count("\tdiffers\n") == 2
    assert ran.stdout.endswith("QRIS orders are stopped: the sources are more than 3 % apart.\n")
    document = run("rates", "--json").json()
    assert (document["sold_at"], document["sources"][0]["relied_on"]) == (None, False)


def test_one_source_is_enough(run: Run, money: Money) -> None:
    """A rate that is too old is not relied on, and the other one is sold at."""
    money.sources[0].age_ms = 72 * HOUR_MS
    ran = run("rates", "--json")
    assert (ran.exit_code, ran.json()["sold_at"]["source"]) == (0, "frankfurter")
    assert [source["state"] for source in ran.json()["sources"]] == ["too old", "sold at"]


def test_no_source_can_be_read(run: Run, money: Money) -> None:
    """1, with what was in the way of each."""
    for source in money.sources:
        source.error = RateUnavailable(details="no answer")
    ran = run("rates")
    assert ran.exit_code == 1
    assert ran.stdout == (
        HEADINGS
        + "er-api\t\t\t\tnever read\nfrankfurter\t\t\t\tnever read\n"
        + "QRIS orders are stopped: no source has a rate of the last 72 hours.\n"
    )
    assert ran.stderr == "Not read: er-api: no answer.\nNot read: frankfurter: no answer.\n"
