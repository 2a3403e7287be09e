"""What a dollar costs in rupiah: sources of one protocol, and their answers as exact decimals."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from decimal import Decimal


class Rate(NamedTuple):
    """Rupiah for a dollar, by whom, and the time that the source itself gives it."""

    source: str
    rupiah_per_dollar: Decimal
    at_ms: int


class Source(Protocol):
    """One source of the rate."""

    name: str

    def read(self) -> Rate:
        """The newest rate. Raises RateUnavailable."""
        ...
