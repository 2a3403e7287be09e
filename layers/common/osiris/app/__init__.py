"""What the flows work with, wired once for each process.

`App` is what a request needs; `osiris.app.lean` makes it for the proxy. What the other functions
and the operator's command need beside that is in `osiris.app.full`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from osiris.ledger.key import Key
    from osiris.settings import Settings
    from osiris.store.keys import Keys
    from osiris.store.ledger import Ledger
    from osiris.store.models import Models
    from osiris.store.secrets import Secrets
    from osiris.telemetry import Telemetry
    from osiris.upstream import Upstreams

# What a process remembers of keys: enough for those it serves, little in memory.
SEEN_KEYS_MAX = 1_000


class SeenKeys:
    """The last item seen of each key: a guess for choosing slots, never a word about money."""

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}

    def get(self, key_id: str) -> Key | None:
        """The key as it was when last seen."""
        return self._keys.get(key_id)

    def put(self, key: Key) -> None:
        """Remember the key, forgetting the one seen longest ago when there are many."""
        self._keys.pop(key.id, None)
        self._keys[key.id] = key
        if len(self._keys) > SEEN_KEYS_MAX:
            del self._keys[next(iter(self._keys))]


class App:
    """The parts of one process. `now_ms`, `entropy` and `sleep_ms` are the world's, or a test's."""

    def __init__(
        self,
        *,
        settings: Settings,
        keys: Keys,
        ledger: Ledger,
        models: Models,
        secrets: Secrets,
        upstreams: Upstreams,
        telemetry: Telemetry,
        now_ms: Callable[[], int],
        entropy: Callable[[int], bytes],
        sleep_ms: Callable[[int], None],
    ) -> None:
        self.settings = settings
        self.keys = keys
        self.ledger = ledger
        self.models = models
        self.secrets = secrets
        self.upstreams = upstreams
        self.telemetry = telemetry
        self.seen = SeenKeys()
        self.now_ms = now_ms
        self.entropy = entropy
        self.sleep_ms = sleep_ms
