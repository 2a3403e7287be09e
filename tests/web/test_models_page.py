"""Models and prices: what is shown is the catalogue, and the calculator is the ledger's formula."""

from __future__ import annotations

import re
from decimal import Decimal
from html import unescape
from typing import TYPE_CHECKING

import pytest

from osiris.money import NANO_PER_DOLLAR, dollars_from_nano
from osiris.usage import MINIMUM_CHARGE_NANO, Tokens, charge_nano
from osiris.web.pages.models import TOKENS_MAX, calculated
from tests.web.browser import Browser, web_world
from tests.web.stock import MODELS, stocked

if TYPE_CHECKING:
    from osiris.catalogue import Model

MARKUP = "<script>alert(1)</script>"


@pytest.fixture
def passer() -> Browser:
    """Somebody who is not signed in, where models are on sale."""
    return Browser(stocked(), None)


def ids_on(html: str) -> list[str]:
    """The models of the table, as they stand."""
    return re.findall(r'<code class="quiet">([^<]+)</code>', html)


def test_the_table_has_each_model_with_its_prices(passer: Browser) -> None:
    """Every price of the catalogue, and the price of a typical request with its minimum."""
    shown = passer.get("/models")
    assert sorted(ids_on(shown.html)) == sorted(model.id for model in MODELS)
    rows = {row.split("</code>")[0].split(">")[-1]: row for row in shown.html.split("<tr>")}
    typical = Tokens(input=1_000, output=500)
    for model in MODELS:
        row = rows[model.id]
        for price in (*model.prices, charge_nano(typical, model.prices)):
            assert f">{dollars(price)}<" in row or f">{dollars(price)} for 1 h<" in row
        assert f"{model.context_tokens:,}" in row
        assert f"{model.output_tokens:,}" in row
    assert dollars(MINIMUM_CHARGE_NANO) in rows["gpt-5.4-nano"]


def dollars(nano: int) -> str:
    """As the pages write it in English."""
    whole, _, decimals = dollars_from_nano(nano).partition(".")
    return f"${int(whole):,}.{decimals.ljust(2, '0')}"


@pytest.mark.parametrize("search", ["opus", "OPUS", "%20opus%20"])
def test_search_looks_at_names_and_ids(passer: Browser, search: str) -> None:
    """Whatever the case, and the spaces around it."""
    shown = passer.get(f"/models?q={search}")
    assert sorted(ids_on(shown.html)) == ["claude-opus-4.6", "claude-opus-5", "claude-opus-5.5"]
    assert "3 models" in shown.text


def test_a_search_without_results_says_so_and_stays_text(passer: Browser) -> None:
    """What was searched for is shown as it was typed, and does nothing."""
    shown = passer.get("/models?q=%3Cscript%3Ealert(1)%3C/script%3E")
    assert MARKUP in unescape(shown.html)
    assert MARKUP not in shown.html
    assert ids_on(shown.html) == []
    assert "0 models" in shown.text


def test_sorting() -> None:
    """By name, by either price, by context; what is no order is by name."""
    by_input = sorted(MODELS, key=lambda model: (model.prices.input_nano_per_mtok, model.id))
    by_output = sorted(MODELS, key=lambda model: (model.prices.output_nano_per_mtok, model.id))
    by_context = sorted(MODELS, key=lambda model: (-model.context_tokens, model.id))
    by_name = sorted(MODELS, key=lambda model: (model.name.casefold(), model.id))
    orders = {"input": by_input, "output": by_output, "context": by_context, "name": by_name}
    orders |= {"": by_name, "prices": by_name}
    passer = Browser(stocked(), None)
    for sort, expected in orders.items():
        shown = passer.get(f"/models?sort={sort}")
        assert ids_on(shown.html) == [model.id for model in expected], sort


def test_an_empty_catalogue_says_what_the_operator_does() -> None:
    """Nothing to buy is no table, and no calculator."""
    shown = Browser(web_world(), None).get("/models?model=x&input=-1")
    assert shown.status == 200
    assert "osiris models apply" in shown.text
    assert "<table" not in shown.html
    assert "<form" not in shown.html


def sum_on(html: str) -> str:
    """The calculator's result."""
    found = re.search(r'<div id="sum" role="status">(.*?)</div>', html, re.S)
    assert found
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", found[1])).split())


@pytest.mark.parametrize(
    ("query", "parts"),
    [
        (
            "model=claude-opus-4.6&input=10000&output=2000",
            ["10,000 × $5.00 $0.05", "2,000 × $25.00 $0.05", "does not apply $0.10"],
        ),
        (
            "model=deepseek-v3&input=50000&output=5000",
            ["50,000 × $0.27 $0.0135", "5,000 × $1.10 $0.0055", "does not apply $0.019"],
        ),
        (
            "model=deepseek-v3&input=100&output=20",
            [
                "100 × $0.27 $0.000027",
                "Sum $0.000049",
                "minimum of an answer, $0.001, applies $0.001",
            ],
        ),
        ("model=deepseek-v3&input=&output=", ["Sum $0.00", "applies $0.001"]),
        ("model=deepseek-v3&input=10000000&output=0", ["$2.70", "at most 65,536 tokens"]),
    ],
)
def test_the_calculator_shows_the_formula_with_its_numbers(
    passer: Browser, query: str, parts: list[str]
) -> None:
    """The mission's examples, the minimum, nothing at all, and more than the model takes."""
    told = sum_on(passer.get(f"/models?{query}").html)
    for part in parts:
        assert part in told


def test_the_presets_lead_to_what_they_promise(passer: Browser) -> None:
    """Both examples are links to their own calculation."""
    html = passer.get("/models").html
    links = re.findall(r'href="(/models\?[^"#]+)#calculator"', html)
    assert [sum_on(passer.get(unescape(link)).html).rsplit(" ", 1)[-1] for link in links] == [
        "$0.10",
        "$0.019",
    ]


@pytest.mark.parametrize(
    "tokens", ["-1", "1.5", "1e3", "ten", "²", "10000001", "9" * 50, "0x10", "1,000", "١٠"]
)
def test_nonsense_numbers_are_told(passer: Browser, tokens: str) -> None:
    """Neither a failure nor a wrong sum: the page says what a number of tokens is."""
    for query in (f"input={tokens}&output=1", f"input=1&output={tokens}"):
        shown = passer.get(f"/models?model=deepseek-v3&{query}")
        assert shown.status == 200
        assert sum_on(shown.html) == f"Tokens are whole numbers from 0 to {TOKENS_MAX:,}."


@pytest.mark.parametrize("model", ["", "gpt-0", "%3Cscript%3Ealert(1)%3C/script%3E"])
def test_an_unknown_model_is_told(passer: Browser, model: str) -> None:
    """The page asks for one of the list."""
    shown = passer.get(f"/models?model={model}&input=1&output=1")
    assert sum_on(shown.html) == "Choose a model from the list."
    assert MARKUP not in shown.html


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
@pytest.mark.parametrize("tokens", [Tokens(input=7, output=13), Tokens(input=9_999_999, output=1)])
def test_a_calculation_is_exact_and_is_what_is_charged(model: Model, tokens: Tokens) -> None:
    """Its parts come to its sum, to the last decimal, and its charge is the ledger's formula."""
    found = calculated(model, tokens).price
    parts = sum(Decimal(part.amount) for part in found.parts)
    assert parts == Decimal(found.sum)
    assert 0 <= Decimal(found.rounded_nano) - Decimal(found.sum) * NANO_PER_DOLLAR < 1
    assert found.is_rounded == (parts * NANO_PER_DOLLAR != found.rounded_nano)
    assert found.charged_nano == charge_nano(tokens, model.prices)


def test_a_rounded_sum_is_shown_with_all_its_digits(passer: Browser) -> None:
    """Parts of a billionth of a dollar are shown, and that the sum is rounded up."""
    model = MODELS[0]._replace(id="fine", prices=MODELS[0].prices._replace(input_nano_per_mtok=1))
    passer.world.app.models.put(model)
    told = sum_on(passer.get("/models?model=fine&input=3&output=1000").html)
    assert "3 × $0.000000001 $0.000000000000003" in told
    assert "Sum $0.025000000000003 Rounded up to a whole billionth" in told
    assert told.endswith("$0.025000001")
