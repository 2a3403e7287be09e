"""What can go wrong between us and an origin."""


class WireError(Exception):
    """The root.

    WireError
    ├── ConnectFailed    nothing was sent
    ├── Broken           sent, in part at least; the answer never came, was cut, or is not HTTP
    ├── Silent           no byte went either way within the timeout
    └── TooLarge         the answer is larger than the caller takes
    """


class ConnectFailed(WireError):
    """No connection could be made; nothing was sent."""


class Broken(WireError):
    """The request was sent, in part at least, and its answer did not come to a proper end."""

    def __init__(self, message: str, *, answered: bool) -> None:
        """`answered` says whether a status line was read."""
        super().__init__(message)
        self.answered = answered


class Silent(WireError):
    """No byte within the timeout."""


class TooLarge(WireError):
    """The body is larger than the caller's limit."""
