"""A key with 100,000 requests: what each page reads of it is bounded by what the page shows.

It was used all month, and at its limit for as long as hours are ever open.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from itertools import accumulate
from typing import Protocol

import pytest

from osiris.flows.ledger_page import LINES, Cursor, LedgerPage, ledger_page, requests_page
from osiris.flows.request_search import find_request
from osiris.flows.statement import Line
from osiris.flows.usage import today, usage
from osiris.ids import REQUEST_PREFIX, base62, time_text
from osiris.ledger.entry import COMPLETED, Entry, charge
from osiris.ledger.key import ACCOUNT_KEYS_MAX, Key
from osiris.ledger.rollup import rolled_up
from osiris.store.items import entry_item, entry_sort_key, key_item
from osiris.store.transport import Payload
from osiris.store.values import typed
from osiris.times import DAY_MS, HOUR_MS
from osiris.usage import Tokens, Usage
from tests.builders import World
from tests.dynamodb.engine import MemoryDynamoDB
from tests.dynamodb.schemas import schemas
from tests.flows.used_key import MODEL, funded

REQUESTS = 100_000
MINUTE_MS = 60_000
A_MINUTE = 40
# An hour, the 20 minutes until it closes, and all but a minute until the next run.
OPEN_MINUTES = 139
OPEN_ENTRIES = A_MINUTE * OPEN_MINUTES
LAPSE_MINUTES = 16
MODELS = 3
SHAPES = 12
ENTRY_BYTES_MAX = 1_000


class Counted:
    """A transport that counts its calls and the items that these read."""

    def __init__(self, inner: MemoryDynamoDB) -> None:
        self.inner = inner
        self.calls: Counter[str] = Counter()
        self.items = 0

    def call(self, operation: str, payload: Payload) -> Payload:
        self.calls[operation] += 1
        answer = self.inner.call(operation, payload)
        self.items += len(answer.get("Items", ())) + ("Item" in answer)
        self.items += sum(map(len, answer.get("Responses", {}).values()))
        return answer


class Account:
    """The account's keys; the ledger of the first of them, oldest first; what reading it costs.

    So many of its keys are `busy`: each has so many requests, and `a_minute` in open hours.
    """

    def __init__(
        self, *, busy: int = 1, requests: int = REQUESTS, a_minute: int = A_MINUTE
    ) -> None:
        self._counted = Counted(MemoryDynamoDB(schemas().values()))
        self.world = World(transport=self._counted)
        self.keys = [funded(self.world, "ada") for _ in range(ACCOUNT_KEYS_MAX)]
        self.id = self.keys[0].id
        (grant,) = self.world.app.ledger.entries(self.id)
        self.world.pass_ms(31 * DAY_MS + 19 * MINUTE_MS)
        histories = {
            key.id: _history(key.id, self.world.now_ms, requests, a_minute)
            for key in self.keys[:busy]
        }
        self.entries = histories[self.id]
        amounts = (entry.amount_nano for entry in (grant, *self.entries))
        self.lines = [
            Line(entry, True, balance_nano)
            for entry, balance_nano in zip((grant, *self.entries), accumulate(amounts), strict=True)
        ]
        progress_ms = _progress_ms(self.world.now_ms)
        self.world.app.usage.set_rolled_until_ms(progress_ms)
        for place, history in enumerate(histories.values()):
            self.keys[place] = self._put(self.keys[place], history, progress_ms)

    def read[T](self, read: Callable[[], T]) -> tuple[T, Counter[str], int]:
        """What was read, the calls that it took, and the number of items that these gave."""
        self._counted.calls.clear()
        self._counted.items = 0
        found = read()
        return found, self._counted.calls.copy(), self._counted.items

    def page(self, cursor: Cursor | None) -> LedgerPage:
        return ledger_page(self.world.app, "ada", self.id, cursor=cursor)

    def _put(self, key: Key, history: list[Entry], progress_ms: int) -> Key:
        """Store a key's history; returns the key after it."""
        ledger = self._counted.inner._tables["LedgerTable"]
        # All requests of a shape share the parts that don't change: 100,000 items are soon made.
        items = [entry_item(entry) for entry in history[:SHAPES]]
        for number, entry in enumerate(history):
            own = {"entry_id": typed(entry_sort_key(entry.id)), "at_ms": typed(entry.at_ms)}
            item = items[number % SHAPES] | own
            ledger.store(ledger.place(item), ledger.updated_row(item, ENTRY_BYTES_MAX))
        closed = (entry for entry in history if entry.at_ms < progress_ms)
        for rollup in rolled_up(closed):
            self.world.app.usage.put(rollup)
        balance_nano = key.balance_nano + sum(entry.amount_nano for entry in history)
        changed = key._replace(
            balance_nano=balance_nano,
            available_nano=balance_nano,
            spent_nano=spent_nano(history),
            requests=len(history),
            window=[entry.at_ms for entry in history[-A_MINUTE:]],
        )
        self._counted.call("PutItem", {"TableName": "KeysTable", "Item": key_item(changed)})
        return changed


def _progress_ms(now_ms: int) -> int:
    since_ms = now_ms - OPEN_MINUTES * MINUTE_MS
    return since_ms - since_ms % HOUR_MS


def _history(key_id: str, now_ms: int, requests: int, a_minute: int) -> list[Entry]:
    """At `a_minute` in open hours, evenly before."""
    since_ms = _progress_ms(now_ms)
    dense = [
        minute_ms + number * MINUTE_MS // a_minute
        for minute_ms in range(since_ms, now_ms, MINUTE_MS)
        for number in range(a_minute)
    ]
    sparse = requests - len(dense)
    month_ms = 30 * DAY_MS
    times = [since_ms - month_ms + number * month_ms // sparse for number in range(sparse)]
    shapes = [_shape(key_id, number) for number in range(SHAPES)]
    return [
        shapes[number % SHAPES]._replace(
            id=REQUEST_PREFIX + time_text(at_ms) + base62(number, 8), at_ms=at_ms
        )
        for number, at_ms in enumerate([*times, *dense])
    ]


def _shape(key_id: str, number: int) -> Entry:
    return charge(
        key_id=key_id,
        request_id="",
        model=MODEL._replace(id=f"m-{number % MODELS}"),
        state=COMPLETED,
        streamed=True,
        usage=Usage(Tokens(input=number * 1000, output=1)),
        admitted_at_ms=0,
        now_ms=0,
    )


class Costly(Protocol):
    """A row or an entry."""

    @property
    def cost_nano(self) -> int: ...


def spent_nano(costly: Iterable[Costly]) -> int:
    return sum(one.cost_nano for one in costly)


@pytest.fixture(scope="module")
def account() -> Account:
    return Account()


def test_a_month_of_usage_is_rollups_and_open_hours(account: Account) -> None:
    """The progress, a rollup for each hour and model, and the entries of the open hours."""
    until_ms = account.world.now_ms + 1
    from_ms = until_ms - 31 * DAY_MS
    used, calls, items = account.read(
        lambda: usage(account.world.app, account.keys, from_ms=from_ms, until_ms=until_ms)
    )
    assert used.complete
    assert sum(row.requests for row in used.rows) == REQUESTS
    assert spent_nano(used.rows) == spent_nano(account.entries)
    assert items <= 1 + 30 * 24 * MODELS + OPEN_ENTRIES
    assert calls == {"GetItem": 1, "Query": 3}


def test_today_is_a_day_of_rollups_and_open_hours(account: Account) -> None:
    """Whatever was before midnight is not read."""
    used, calls, items = account.read(lambda: today(account.world.app, account.keys))
    midnight_ms = account.world.now_ms - account.world.now_ms % DAY_MS
    expected = [entry for entry in account.entries if entry.at_ms >= midnight_ms]
    assert used.spent[account.id] == (len(expected), spent_nano(expected))
    assert items <= 1 + 24 * MODELS + OPEN_ENTRIES
    assert calls == {"GetItem": 1, "Query": 3}


def test_the_first_pages_are_read_from_the_newest(account: Account) -> None:
    """Their lines and one more, and for the second the way to it, a minute or so old."""
    first, calls, items = account.read(lambda: account.page(None))
    assert (calls, items) == ({"GetItem": 2, "Query": 1}, 2 + LINES + 1)
    second, calls, items = account.read(lambda: account.page(first.cursor))
    assert (calls, items) == ({"GetItem": 2, "Query": 2}, 2 + LINES + LINES + 1)
    assert [*first.lines, *second.lines] == account.lines[: -2 * LINES - 1 : -1]


def test_the_first_old_boundary_ends_the_walk(account: Account) -> None:
    """Sixteen minutes at the limit are the longest way; from there on none is walked."""
    young = account.entries[-A_MINUTE * LAPSE_MINUTES]
    page, calls, items = account.read(lambda: account.page(Cursor(young.id, None)))
    assert (calls, items) == ({"GetItem": 2, "Query": 2}, 2 + A_MINUTE * LAPSE_MINUTES + LINES + 1)
    assert page.cursor is not None
    assert page.cursor.balance_nano is not None


def test_every_older_page_is_read_by_itself(account: Account) -> None:
    """The key, its lines and one more: in the middle, and at the very end."""
    for place in (REQUESTS // 2, 2 * LINES, LINES):
        before = account.lines[place]
        cursor = Cursor(before.entry.id, before.balance_nano - before.entry.amount_nano)
        page, calls, items = account.read(partial(account.page, cursor))
        assert (calls, items) == ({"GetItem": 1, "Query": 1}, 1 + min(LINES + 1, place))
        assert page.lines == account.lines[place - LINES : place][::-1]
        assert (page.cursor is None) == (place == LINES)


@pytest.mark.parametrize("place", [None, REQUESTS // 2, LINES])
def test_a_page_of_requests_is_read_by_itself(account: Account, place: int | None) -> None:
    """The key twice, its lines and one more; the grant at the end takes no more calls."""
    cursor = None if place is None else Cursor(account.lines[place].entry.id, None)
    page, calls, items = account.read(
        lambda: requests_page(account.world.app, "ada", account.id, cursor=cursor)
    )
    assert calls == {"GetItem": 2, "Query": 1}
    assert items <= 2 + LINES + 1
    assert len(page.lines) == (LINES - 1 if place == LINES else LINES)


def test_a_request_is_found_at_once(account: Account) -> None:
    """The account, its ten keys, the entry, and its key."""
    entry = account.entries[REQUESTS // 2]
    found, calls, items = account.read(lambda: find_request(account.world.app, "ada", entry.id))
    assert found.entry == entry
    assert calls == {"GetItem": 2, "BatchGetItem": 2}
    assert items == 1 + ACCOUNT_KEYS_MAX + 1 + 1
