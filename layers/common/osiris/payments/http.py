"""What every provider's adapter needs of HTTP: errors as ours, reading repeated, posting not.

Details of errors go to the log: they hold a provider's status and, where it refuses, its words,
never a secret and never a body.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from osiris.payment_errors import PaymentsNotOffered, ProviderUnavailable
from osiris.wire.connection import Broken, ConnectFailed, WireError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from osiris.payments import Surroundings
    from osiris.wire.json_call import Answer

# Creating a payment takes a provider one to three seconds.
CALL_TIMEOUT_MS = 6_000
# Reading is repeated once: as a rule the kept connection was closed by the other side meanwhile.
READS_MAX = 2
_WORDS_LENGTH_MAX = 200


@contextmanager
def reached(provider: str) -> Iterator[None]:
    """Have whatever goes wrong between us and the provider raise ProviderUnavailable."""
    try:
        yield
    except WireError as error:
        raise ProviderUnavailable(details=f"{provider}: {error!r}") from error
    except ValueError as error:
        # Its answer is not what it must be, or a header of ours is not, a secret as a rule: neither
        # text names a value.
        raise ProviderUnavailable(details=f"{provider}: {error}") from error


def read(call: Callable[[], Answer]) -> Answer:
    """Make a call that changes nothing; again at once when it broke.

    Not after a silence, nor when nobody could be reached: whoever waits has seconds.
    """
    for _ in range(READS_MAX - 1):
        try:
            return call()
        except Broken:
            continue
    return call()


def sent_once(call: Callable[[], Answer]) -> Answer:
    """Make a call that must not be made twice: again only when nothing was sent."""
    try:
        return call()
    except ConnectFailed:
        return call()


def patiently(
    call: Callable[[], Answer], sleep_ms: Callable[[int], None], waits_ms: tuple[int, ...]
) -> Answer:
    """Make a call again after each wait for as long as it is told to come later (429)."""
    for wait_ms in waits_ms:
        answer = call()
        if answer.status != 429:
            return answer
        sleep_ms(wait_ms)
    return call()


def secret_of(surroundings: Surroundings, name: str) -> str:
    """A secret without the spaces and line breaks around it. Raises PaymentsNotOffered for none."""
    secret = surroundings.secret(name).strip()
    if not secret:
        raise PaymentsNotOffered(details=f"the secret {name} is empty")
    return secret


def failed(provider: str, answer: Answer, code: int | None = None) -> ProviderUnavailable:
    """The error for an answer that can't be used."""
    what = f"status {code or answer.status}"
    if answer.body is None:
        what += ", no JSON"
    return ProviderUnavailable(details=f"{provider}: {what}")


def words(value: Any, *, hidden: str) -> str:
    """What a provider says, short enough for a line of the log."""
    if not isinstance(value, str):
        return ""
    shown = value.replace(hidden, "…")[:_WORDS_LENGTH_MAX]
    return "".join(character if character.isprintable() else " " for character in shown)


def segment(text: str) -> str:
    """A text as one segment of a path."""
    return quote(text, safe="")
