"""Two seeds of chaos; any number by `python -m tests.e2e.chaos --seeds N`.

What can't jump here is the clock of the product's own processes, which is the machine's: orders are
aged by their time in the table, and the clocks that jump are those of the providers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.chaos import Chaos

if TYPE_CHECKING:
    from tests.e2e.money import Shop

ROUNDS = 12


@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_received_is_credited_once(shop: Shop, seed: int) -> None:
    """Whatever was slow, lost, doubled, forged or killed: credit is money received by the quote."""
    chaos = Chaos(shop, seed)
    chaos.run(ROUNDS)
    assert chaos.payments > 0
    assert chaos.differences() == []
