"""What a sweep of expired credit reads and writes, by the keys there are and those that expired.

The local cloud's DynamoDB holds the keys; every call of the sweep reports the units it consumed.
"""

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench.measuring import aim, table
from bench.noted import Noted, app_over, cloud_transport
from bench.subject import ROOT
from local.cloud import LocalCloud
from local.state import StateDirectory
from osiris.app.full import FullApp
from osiris.app.lean import now_ms
from osiris.flows.expiry import sweep
from osiris.ids import base62, entry_id
from osiris.ledger.entry import GRANT, Entry
from osiris.ledger.key import new_key
from osiris.store.expiries import Progress
from osiris.store.items import Item, entry_item, key_item
from osiris.store.transport import Transport
from osiris.times import DAY_MS
from tests.dynamodb.schemas import schemas

# (keys, of which expired)
SIZES = ((1_000, 100), (10_000, 100), (10_000, 1_000), (100_000, 1_000))
DOLLAR_NANO = 1_000_000_000
BATCH = 25
LIMIT = 40
# Beside a read and a transaction for each key: days looked at, warnings, progress.
CALLS_BESIDE_MAX = 40


class Size(NamedTuple):
    """How many keys there are, and how many have expired."""

    keys: int
    expired: int


class Cost(NamedTuple):
    """What a sweep did and consumed."""

    forfeited: int
    calls: int
    read_units: float
    write_units: float
    seconds: float


def fill(transport: Transport, size: Size, at_ms: int) -> None:
    """Put keys with $1 each; the expired ones ended within the last hour, the others end later."""
    items: dict[str, list[Item]] = {"KeysTable": [], "LedgerTable": []}
    for number in range(size.keys):
        key_id = base62(number, 12)
        expires_at_ms = at_ms - 1 - number % 3_600_000
        if number >= size.expired:
            expires_at_ms = at_ms + (10 + number % 60) * DAY_MS
        key = new_key(
            id=key_id,
            account_id=f"account-{number // 10}",
            name="bench",
            kind="paid",
            secret_hash=b"s" * 32,
            rate_limit=LIMIT,
            now_ms=at_ms - 30 * DAY_MS,
            grant_nano=DOLLAR_NANO,
            expires_at_ms=expires_at_ms,
        )
        granted = entry_id(at_ms - 30 * DAY_MS, number.to_bytes(16))
        items["KeysTable"].append(key_item(key))
        items["LedgerTable"].append(entry_item(Entry(key_id, granted, GRANT, DOLLAR_NANO, at_ms)))
    for name, listed in items.items():
        for start in range(0, len(listed), BATCH):
            puts = [{"PutRequest": {"Item": item}} for item in listed[start : start + BATCH]]
            transport.call("BatchWriteItem", {"RequestItems": {name: puts}})


def swept(app: FullApp, noted: Noted) -> Cost:
    """One sweep by a sweeper that swept an hour ago."""
    at_ms = app.now_ms()
    app.expiries.set_progress(Progress((at_ms - 3_600_000) // DAY_MS, at_ms - 3_600_000))
    noted.calls.clear()
    started = time.process_time()
    done = sweep(app)
    seconds = time.process_time() - started
    reads = [call.units for call in noted.calls if call.operation in ("Query", "GetItem")]
    writes = [call.units for call in noted.calls if call.operation not in ("Query", "GetItem")]
    return Cost(done.forfeited, len(noted.calls), sum(reads), sum(writes), seconds)


@contextlib.contextmanager
def cloud() -> Iterator[LocalCloud]:
    """A local cloud of this bench's own."""
    with tempfile.TemporaryDirectory() as made:
        state = StateDirectory(Path(made))
        found = LocalCloud(state, repository=ROOT)
        found.start(lock=state.lock(timeout_s=1))
        try:
            yield found
        finally:
            found.stop()
            state.unlock()


def measure(size: Size) -> Cost:
    """A sweep over that many keys, in tables of its own."""
    with cloud() as found:
        for schema in schemas().values():
            found.client("dynamodb").create_table(**schema)
        app, noted = app_over(cloud_transport(found.endpoint), entropy=os.urandom)
        fill(noted.inner, size, now_ms())
        return swept(app, noted)


def main() -> bool:
    """Print the table; whether the aims were met."""
    costs = {size: measure(size) for size in map(Size._make, SIZES)}
    table(
        "A sweep, by keys and by those expired",
        ("keys", "expired", "forfeited", "calls", "read units", "write units", "CPU s"),
        [
            (
                f"{size.keys:,}",
                f"{size.expired:,}",
                f"{cost.forfeited:,}",
                f"{cost.calls:,}",
                f"{cost.read_units:,g}",
                f"{cost.write_units:,g}",
                f"{cost.seconds:.1f}",
            )
            for size, cost in costs.items()
        ],
    )
    exact = all(cost.forfeited == size.expired for size, cost in costs.items())
    few = all(cost.calls <= 2 * size.expired + CALLS_BESIDE_MAX for size, cost in costs.items())
    aim("a sweep forfeits exactly what has expired", met=exact)
    return aim("calls grow with what expired, not with the keys", met=few) and exact


if __name__ == "__main__":
    sys.exit(not main())
