"""An issuer for each test that signs somebody in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.web.scripted_issuer import Issuer, issuer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def at() -> Iterator[Issuer]:
    """The issuer at which people sign in."""
    with issuer() as scripted:
        yield scripted
