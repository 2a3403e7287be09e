"""Style sheet, script and icon: named by their content, so that they may be kept for ever."""

from __future__ import annotations

import gzip
import hashlib

import pytest

from osiris.web.assets import assets
from tests.web.browser import Browser, web_world
from tests.web.markup import Markup

# One page's worth of everything, as it is sent.
SENT_BYTES_MAX = 20_000


@pytest.fixture
def nobody() -> Browser:
    return Browser(web_world(), None)


def paths(browser: Browser) -> list[str]:
    """The assets that a page names."""
    markup = Markup(browser.get("/").html)
    found = [each["src"] for each in markup.of("script")]
    return found + [each["href"] for each in markup.of("link")]


def test_every_asset_is_there_in_both_forms(nobody: Browser) -> None:
    """Compressed for who takes it, and the same bytes as they are for who does not."""
    assert len(paths(nobody)) == len(assets()) == 3
    for path in paths(nobody):
        plain = nobody.get(path)
        compressed = nobody.get(path, accept_encoding="gzip, deflate, br")
        assert (plain.status, compressed.status) == (200, 200)
        assert plain.header("Content-Encoding") == ""
        assert compressed.header("Content-Encoding") == "gzip"
        assert gzip.decompress(compressed.body) == plain.body
        for shown in (plain, compressed):
            assert shown.header("Vary") == "Accept-Encoding"
            assert shown.header("Cache-Control") == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("br;q=1, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("x-gzip-not", False),
        ("identity", False),
        (",,;q=;=", False),
    ],
)
def test_compression_is_what_the_client_takes(
    nobody: Browser, accepted: str, is_compressed: bool
) -> None:
    """As it says by Accept-Encoding, whatever it writes there."""
    shown = nobody.get(paths(nobody)[0], accept_encoding=accepted)
    assert (shown.header("Content-Encoding") == "gzip") is is_compressed


def test_a_name_tells_its_content(nobody: Browser) -> None:
    """Other content has another name; nothing that was kept is ever wrong."""
    for path in paths(nobody):
        digest = path.split(".")[1]
        assert hashlib.sha256(nobody.get(path).body).hexdigest().startswith(digest)
        assert len(digest) == 12


def test_a_page_needs_few_bytes(nobody: Browser) -> None:
    """All assets together, as browsers take them."""
    sent = [nobody.get(path, accept_encoding="gzip").body for path in paths(nobody)]
    assert sum(map(len, sent)) < SENT_BYTES_MAX


@pytest.mark.parametrize(
    "name",
    [
        "style.css",
        "style.000000000000.css",
        "..%2Fassets.py",
        "%2Fetc%2Fpasswd",
        "..",
        ".",
        "%00",
        "STYLE.css",
    ],
)
def test_another_name_is_none(nobody: Browser, name: str) -> None:
    """Only the names that pages give; no file is ever looked for by one."""
    assert nobody.get(f"/assets/{name}").status == 404
