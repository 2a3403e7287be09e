"""What is repeated and what is not, and what the log is told."""

from collections.abc import Callable

import pytest

from osiris.payment_errors import ProviderUnavailable
from osiris.payments.http import failed, patiently, reached, read, sent_once, words
from osiris.wire.connection import Broken, ConnectFailed, Silent, TooLarge, WireError
from osiris.wire.json_call import Answer

BROKEN = Broken("cut", answered=False)
FINE, BUSY = Answer(200, {}), Answer(429, {})


class Calls:
    """A call that ends in these ways, one after the other, and how often it was made."""

    def __init__(self, *ends: WireError | Answer) -> None:
        self.made = 0
        self._ends = ends

    def __call__(self) -> Answer:
        end = self._ends[self.made]
        self.made += 1
        if isinstance(end, WireError):
            raise end
        return end


@pytest.mark.parametrize(
    ("make", "ends", "made", "is_fine"),
    [
        (read, (FINE,), 1, True),
        (read, (BROKEN, FINE), 2, True),
        (read, (BROKEN, BROKEN, FINE), 2, False),
        (read, (Silent("late"), FINE), 1, False),
        (read, (ConnectFailed("away"), FINE), 1, False),
        (read, (TooLarge("long"), FINE), 1, False),
        (sent_once, (FINE,), 1, True),
        (sent_once, (ConnectFailed("away"), FINE), 2, True),
        (sent_once, (ConnectFailed("away"), ConnectFailed("away"), FINE), 2, False),
        (sent_once, (BROKEN, FINE), 1, False),
        (sent_once, (Silent("late"), FINE), 1, False),
    ],
)
def test_what_is_repeated(
    make: Callable[[Calls], Answer], ends: tuple[WireError | Answer, ...], made: int, is_fine: bool
) -> None:
    """A reading that broke, once; a creation of which nothing was sent, once; nothing else."""
    calls = Calls(*ends)
    if is_fine:
        assert make(calls) == FINE
    else:
        with pytest.raises(WireError):
            make(calls)
    assert calls.made == made


def test_waiting_ends() -> None:
    """After each wait once more; the last answer is given as it is."""
    slept_ms: list[int] = []
    calls = Calls(BUSY, BUSY, BUSY, FINE)
    assert patiently(calls, slept_ms.append, (1, 2)) == BUSY
    assert (calls.made, slept_ms) == (3, [1, 2])


@pytest.mark.parametrize("error", [BROKEN, Silent("late"), ValueError("what is missing")])
def test_whatever_goes_wrong_is_unavailability(error: Exception) -> None:
    """With its cause, and for the log alone."""
    with pytest.raises(ProviderUnavailable) as raised, reached("somebody"):
        raise error
    assert raised.value.__cause__ is error
    assert raised.value.message == ProviderUnavailable.message
    assert (raised.value.details or "").startswith("somebody: ")


def test_the_log_is_told_no_body_and_no_secret() -> None:
    """A status, and words without the secret, line breaks or length."""
    assert failed("somebody", Answer(502, None)).details == "somebody: status 502, no JSON"
    assert failed("somebody", Answer(200, {"secret": 1}), 401).details == "somebody: status 401"
    assert words("no\nsuch key K-1", hidden="K-1") == "no such key …"
    assert len(words("x" * 5_000, hidden="K-1")) == 200
    assert words({"an": "object"}, hidden="K-1") == ""
