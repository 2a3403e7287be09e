"""The documents say what is: each table and path in them is held to the code."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from osiris import errors, payment_errors
from osiris.catalogue import prices_from_dollars
from osiris.errors import OsirisError, UpstreamRejected
from osiris.money import dollars_from_nano
from osiris.settings import SETTINGS
from osiris.usage import Tokens, charge_nano

ROOT = Path(__file__).parents[2]
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def rows(page: str) -> list[list[str]]:
    """The cells of every table row of a page."""
    lines = (ROOT / page).read_text().splitlines()
    return [
        [cell.strip() for cell in line.strip("| ").split("|")]
        for line in lines
        if line.startswith("|") and not line.startswith("| ---")
    ]


def leaves(error: type[OsirisError]) -> list[type[OsirisError]]:
    """The classes of the tree in `errors` and `payment_errors` that are raised."""
    modules = (errors.__name__, payment_errors.__name__)
    below = [part for part in error.__subclasses__() if part.__module__ in modules]
    return [error] if not below else [leaf for part in below for leaf in leaves(part)]


OURS = leaves(OsirisError)


def test_settings_page_is_the_settings_table() -> None:
    """docs/settings.md has each variable with its default and meaning, and no other."""
    expected = [
        [
            f"`{setting.variable}`",
            "required" if setting.default is None else f"`{setting.default}`".replace("``", "none"),
            setting.meaning,
        ]
        for setting in SETTINGS.values()
    ]
    assert expected == rows("docs/settings.md")[1:]


@pytest.mark.parametrize("leaf", OURS, ids=lambda leaf: leaf.__name__)
def test_each_error_stands_in_the_api_page(leaf: type[OsirisError]) -> None:
    """docs/api.md has each leaf of the error tree with its status, type, code and meaning."""
    status = "its own" if leaf is UpstreamRejected else str(leaf.status)
    meaning = (leaf.__doc__ or "").splitlines()[0]
    assert [status, f"`{leaf.type}`", f"`{leaf.code}`", meaning] in rows("docs/api.md")


def test_the_api_page_has_no_other_errors() -> None:
    """A code that no class has is not in the table."""
    codes = {row[2].strip("`") for row in rows("docs/api.md") if re.fullmatch(r"`\w+`", row[1])}
    assert codes == {leaf.code for leaf in OURS}


def test_error_codes_are_unique() -> None:
    """Two leaves never share a code."""
    codes = [leaf.code for leaf in OURS]
    assert len(set(codes)) == len(codes)


def test_the_error_tree_is_drawn_whole() -> None:
    """The docstring of `errors` shows each class."""
    drawn = errors.__doc__ or ""
    assert [leaf.__name__ for leaf in OURS if leaf.__name__ not in drawn] == []


def test_error_messages_say_what_to_do() -> None:
    """Each leaf that is raised without a text of its own has more than the root's message."""
    silent = [
        leaf.__name__
        for leaf in OURS
        if leaf.message == OsirisError.message and leaf is not errors.InternalError
    ]
    assert set(silent) <= {
        "ConfirmationRequired",
        "RequestTooLarge",
        "InvalidJson",
        "UpstreamRejected",
    }


@pytest.mark.parametrize(
    ("input_price", "output_price", "tokens", "dollars"),
    [
        ("5", "25", Tokens(input=10_000, output=2_000), "0.1"),
        ("0.27", "1.10", Tokens(input=50_000, output=5_000), "0.019"),
        ("0.27", "1.10", Tokens(input=100, output=20), "0.001"),
    ],
)
def test_the_billing_examples_come_out(
    input_price: str, output_price: str, tokens: Tokens, dollars: str
) -> None:
    """Each worked example of docs/billing.md is what the formula gives."""
    prices = prices_from_dollars(input=input_price, output=output_price)
    assert dollars == dollars_from_nano(charge_nano(tokens, prices))
    shown = [row for row in rows("docs/billing.md") if f"**${dollars}**" in row[-1]]
    assert any(f"{tokens.input:,} in, {tokens.output:,} out" in row[1] for row in shown)
    assert Decimal(dollars) > 0


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link of a page names a file that is there."""
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_paths_in_the_architecture_exist() -> None:
    """Each path that docs/architecture.md names is there."""
    text = (ROOT / "docs/architecture.md").read_text()
    roots = (ROOT, ROOT / "layers/common/osiris")
    named = re.findall(r"`([a-z_]+/[a-z_/.0-9]*|[a-z_]+\.(?:py|yaml))`", text)
    assert named
    missing = [path for path in named if not any((root / path).exists() for root in roots)]
    assert missing == []
