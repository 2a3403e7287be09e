"""Pages of a ledger: each is that part of it, as it is at that moment, whatever happens meanwhile.

What it is, the statement tells, which adds all entries up from the first.
"""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from osiris.errors import ChangedMeanwhile, InvalidRequest, KeyNotFound
from osiris.flows import ledger_page as pages
from osiris.flows.keys import create, delete
from osiris.flows.ledger_page import Cursor, LedgerPage, ledger_page, requests_page
from osiris.flows.settlement import finish_lapsed
from osiris.flows.statement import Line, statement
from osiris.ids import made_at_ms
from osiris.ledger.key import Key
from tests.builders import Call, World, preceded_by
from tests.flows.used_key import closed, funded, granted, opened, recorded, requested

if TYPE_CHECKING:
    from osiris.ledger.entry import Entry

LAPSE_MS = 960_000
RUN_MS = 900_000
MINUTE_MS = 60_000
ID = "req_" + "0" * 16

type Act = Callable[[], object]


@pytest.fixture
def key(world: World) -> Key:
    return funded(world, "ada")


def truth(world: World, key: Key, cursor: Cursor | None = None) -> list[Line]:
    """The key's lines as they are now, newest first, from behind the cursor on."""
    lines = statement(world.app, key.id, from_ms=0, until_ms=None, lines_max=10_000).lines[::-1]
    if cursor is None:
        return lines
    return [line for line in lines if line.entry.id[4:] < cursor.before_id[4:]]


def walked(world: World, key: Key, most: int) -> list[LedgerPage]:
    """All pages from the newest on."""
    found = [ledger_page(world.app, "ada", key.id, most=most)]
    while (cursor := found[-1].cursor) is not None:
        found.append(ledger_page(world.app, "ada", key.id, cursor=cursor, most=most))
    return found


def calls(world: World, read: Callable[[], object]) -> list[str]:
    """What a reading asks the store."""
    world.transport.calls.clear()
    read()
    return list(world.transport.calls)


def passed(call: Call, payload: Any) -> Any:
    return call(payload)


# ------------------------------------------------------------------------------- joining pages


@pytest.mark.parametrize("most", [1, 2, 7, 9, 50])
@pytest.mark.parametrize("age_ms", [0, 2 * MINUTE_MS, LAPSE_MS, 3 * LAPSE_MS])
def test_the_pages_together_are_the_ledger(world: World, key: Key, age_ms: int, most: int) -> None:
    """Every entry once, newest first, each with its balance; of any size and at any age."""
    for tokens in range(1, 5):
        world.pass_ms(1000)
        requested(world, key, tokens=tokens)
        world.pass_ms(1000)
        granted(world, key)
    world.pass_ms(age_ms)
    found = walked(world, key, most)
    assert [line for page in found for line in page.lines] == truth(world, key)
    assert [len(page.lines) for page in found[:-1]] == [most] * (len(found) - 1)
    assert found[-1].lines


def test_a_key_without_entries_has_one_empty_page(world: World) -> None:
    """Nothing, and no cursor."""
    key = create(world.app, "ada", name="new").key
    assert ledger_page(world.app, "ada", key.id) == LedgerPage(key, [], None)


def test_what_is_not_settled_moves_no_balance(world: World, key: Key) -> None:
    """Its line says so; the balances around it are without it."""
    world.pass_ms(1)
    before = requested(world, key)
    world.pass_ms(1)
    waiting = recorded(world, key, opened(world, key), tokens=5)
    world.pass_ms(1)
    after = requested(world, key)
    balance_nano = world.stored_key(key.id).balance_nano
    assert ledger_page(world.app, "ada", key.id).lines[:3] == [
        Line(after, True, balance_nano),
        Line(waiting, False, balance_nano - after.amount_nano),
        Line(before, True, balance_nano - after.amount_nano),
    ]


@pytest.mark.parametrize("seed", range(12))
def test_any_page_is_right_whatever_happened_since_the_one_before(world: World, seed: int) -> None:
    """Requests begin, are recorded late, settled later or lapse between any two pages."""
    key = funded(world, "ada")
    history = History(world, key, seed)
    history.goes_on(60)
    for most in (1, 3, 8):
        cursor = None
        for _ in range(200):
            page = ledger_page(world.app, "ada", key.id, cursor=cursor, most=most)
            assert page.lines == truth(world, key, cursor)[:most]
            cursor = page.cursor
            if cursor is None:
                break
            history.goes_on(history.chance.randrange(3))
        assert cursor is None
        assert page.lines == truth(world, key)[-len(page.lines) :]


class History:
    """Steps of a key's life, drawn by chance."""

    def __init__(self, world: World, key: Key, seed: int) -> None:
        self.chance = random.Random(seed)
        self._world = world
        self._key = key
        self._open: list[str] = []
        self._waiting: list[Entry] = []

    def goes_on(self, steps: int) -> None:
        for _ in range(steps):
            self._world.pass_ms(self.chance.choice((1, 1000, 20_000, 3 * MINUTE_MS)))
            self.chance.choice((self._request, self._open_one, self._record, self._settle))()
            self.chance.choices((self._nothing, self._grant, self._recover), (8, 1, 1))[0]()

    def _request(self) -> None:
        requested(self._world, self._key, tokens=self.chance.randrange(1, 9))

    def _open_one(self) -> None:
        if len(self._world.stored_key(self._key.id).holds) < 8:
            self._open.append(opened(self._world, self._key))

    def _record(self) -> None:
        """An open request ends; one whose function's time is over does not."""
        if self._open:
            request = self._open.pop(self.chance.randrange(len(self._open)))
            if made_at_ms(request) > self._world.now_ms - RUN_MS:
                tokens = self.chance.randrange(1, 9)
                self._waiting.append(recorded(self._world, self._key, request, tokens=tokens))

    def _settle(self) -> None:
        if self._waiting:
            closed(self._world, self._key, self._waiting.pop())

    def _grant(self) -> None:
        granted(self._world, self._key)

    def _recover(self) -> None:
        finish_lapsed(self._world.app, self._world.stored_key(self._key.id))

    def _nothing(self) -> None:
        pass


# ----------------------------------------------------------------------------------- the races


def acts(world: World, key: Key) -> dict[str, Act]:
    """What others may do between two reads of a page, with a request open and one recorded."""
    running = opened(world, key)
    world.pass_ms(1)
    waiting = recorded(world, key, opened(world, key), tokens=7)
    world.pass_ms(1)
    requested(world, key)
    world.pass_ms(1)
    return {
        "a request": lambda: requested(world, key, tokens=3),
        "an admission": lambda: opened(world, key),
        "a record": lambda: recorded(world, key, running, tokens=5),
        "a settlement": lambda: closed(world, key, waiting),
        "an end": lambda: closed(world, key, recorded(world, key, running, tokens=5)),
        "a grant": lambda: granted(world, key),
    }


ACTS = ["a request", "an admission", "a record", "a settlement", "an end", "a grant"]


@pytest.mark.parametrize("most", [1, 2, 50])
@pytest.mark.parametrize("act", ACTS)
def test_what_happens_between_key_and_entries_is_in_both(
    world: World, key: Key, act: str, most: int
) -> None:
    """The newest page is that of one moment: the balance and the lines belong together."""
    world.meet("Query", preceded_by(acts(world, key)[act]))
    page = ledger_page(world.app, "ada", key.id, most=most)
    assert page.lines == truth(world, key)[:most]


@pytest.mark.parametrize("act", ACTS)
def test_what_happens_after_the_entries_is_in_both_or_neither(
    world: World, key: Key, act: str
) -> None:
    """The same, just before the key is looked at again."""
    happens = acts(world, key)[act]
    before = truth(world, key)
    world.meet("GetItem", passed, preceded_by(happens))
    page = ledger_page(world.app, "ada", key.id)
    assert page.lines in (before, truth(world, key))


@pytest.mark.parametrize("act", ACTS)
def test_a_page_that_is_walked_to_is_of_one_moment_too(world: World, key: Key, act: str) -> None:
    """Behind a young boundary both its queries may be overtaken."""
    happens = acts(world, key)
    cursor = ledger_page(world.app, "ada", key.id, most=1).cursor
    assert cursor is not None
    assert cursor.balance_nano is None
    world.meet("Query", passed, preceded_by(happens[act]))
    page = ledger_page(world.app, "ada", key.id, cursor=cursor, most=2)
    assert page.lines == truth(world, key, cursor)[:2]


def test_a_page_of_an_old_boundary_is_not_overtaken(world: World, key: Key) -> None:
    """A lapsed hold is settled between key and entries: the page is that of the key as read."""
    granted(world, key)
    world.pass_ms(1)
    recorded(world, key, opened(world, key), tokens=4)
    world.pass_ms(1)
    requested(world, key)
    world.pass_ms(LAPSE_MS)
    cursor = ledger_page(world.app, "ada", key.id, most=1).cursor
    assert cursor is not None
    assert cursor.balance_nano is not None
    before = truth(world, key, cursor)
    recovers = preceded_by(lambda: finish_lapsed(world.app, world.stored_key(key.id)))
    world.meet("Query", recovers)
    assert ledger_page(world.app, "ada", key.id, cursor=cursor).lines == before
    again = ledger_page(world.app, "ada", key.id, cursor=cursor)
    assert again.lines == truth(world, key, cursor) != before


def test_a_key_that_never_rests_is_not_told_wrong(world: World, key: Key) -> None:
    """After ten tries the answer is 409."""
    requested(world, key)
    world.meet("Query", *[preceded_by(lambda: requested(world, key))] * pages.READS_MAX)
    with pytest.raises(ChangedMeanwhile):
        ledger_page(world.app, "ada", key.id)
    assert ledger_page(world.app, "ada", key.id).lines == truth(world, key)


# ------------------------------------------------------------------------------------- cursors


@pytest.mark.parametrize(("age_ms", "certain"), [(LAPSE_MS - 1, False), (LAPSE_MS, True)])
def test_a_cursor_carries_the_balance_once_nothing_can_come_behind_it(
    world: World, key: Key, age_ms: int, certain: bool
) -> None:
    """From 16 minutes on a page is read from the key and its own entries alone."""
    for _ in range(3):
        world.pass_ms(1)
        requested(world, key)
    newest = truth(world, key)[0]
    world.pass_ms(age_ms)
    cursor = ledger_page(world.app, "ada", key.id, most=1).cursor
    below_nano = newest.balance_nano - newest.entry.amount_nano
    assert cursor == Cursor(newest.entry.id, below_nano if certain else None)
    read = calls(world, lambda: ledger_page(world.app, "ada", key.id, cursor=cursor, most=1))
    walk = ["GetItem", "Query", "Query", "GetItem"]
    assert read == (["GetItem", "Query"] if certain else walk)


@pytest.mark.parametrize("most", [1, 2])
def test_a_cursor_carries_what_lapsed_holds_will_be_settled_with(
    world: World, key: Key, most: int
) -> None:
    """It stays right when recovery settles them: by the entry that stands, or at no cost.

    So it does when one of them is the last line of its page.
    """
    world.pass_ms(1)
    recorded(world, key, opened(world, key), tokens=4)
    world.pass_ms(1)
    opened(world, key)
    world.pass_ms(1)
    requested(world, key)
    world.pass_ms(LAPSE_MS)
    cursor = ledger_page(world.app, "ada", key.id, most=most).cursor
    assert cursor is not None
    assert cursor.balance_nano is not None
    before = truth(world, key, cursor)
    assert ledger_page(world.app, "ada", key.id, cursor=cursor).lines == before
    finish_lapsed(world.app, world.stored_key(key.id))
    assert ledger_page(world.app, "ada", key.id, cursor=cursor).lines == truth(world, key, cursor)


def test_the_way_to_a_young_boundary_is_bounded(
    world: World, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that too many entries were put before meanwhile sends back to the newest."""
    monkeypatch.setattr(pages, "WALKED_MAX", 5)
    world.pass_ms(1)
    requested(world, key)
    cursor = ledger_page(world.app, "ada", key.id, most=1).cursor
    for _ in range(4):
        world.pass_ms(1)
        requested(world, key)
    assert ledger_page(world.app, "ada", key.id, cursor=cursor).lines == truth(world, key, cursor)
    requested(world, key)
    with pytest.raises(InvalidRequest, match="newest page"):
        ledger_page(world.app, "ada", key.id, cursor=cursor)


@pytest.mark.parametrize(
    "cursor",
    [
        ("", None),
        ("0" * 16, None),
        ("req_" + "0" * 15, None),
        ("req_" + "é" * 16, None),
        ("ord_" + "0" * 16, None),
        ("ent_req_" + "0" * 12, None),
        (ID * 5000, None),
        (5, None),
        (None, None),
        (ID, "5"),
        (ID, True),
        (ID, 1.5),
        (ID, 10**40),
    ],
)
@pytest.mark.parametrize("page", [ledger_page, requests_page])
def test_what_is_no_cursor_is_refused(
    world: World, key: Key, page: Callable[..., object], cursor: tuple[Any, Any]
) -> None:
    """Before anything is read."""
    world.transport.calls.clear()
    with pytest.raises(InvalidRequest):
        page(world.app, "ada", key.id, cursor=Cursor(*cursor))
    assert world.transport.calls == []


@pytest.mark.parametrize("name", ["0" * 16, "z" * 16])
@pytest.mark.parametrize("prefix", ["req_", "ent_"])
def test_a_cursor_to_nowhere_has_what_is_before_it(
    world: World, key: Key, prefix: str, name: str
) -> None:
    """Its entry need not be there: older than all ends the pages, newer than all begins them."""
    requested(world, key)
    cursor = Cursor(prefix + name, None)
    page = ledger_page(world.app, "ada", key.id, cursor=cursor)
    assert page.lines == ([] if name[0] == "0" else truth(world, key))
    assert page.cursor is None


@pytest.mark.parametrize("page", [ledger_page, requests_page])
@pytest.mark.parametrize("whose", ["bob's", "deleted", "unknown", "hostile"])
def test_anothers_key_has_no_pages(
    world: World, key: Key, whose: str, page: Callable[..., object]
) -> None:
    """Nor has one that is not there; and no entry is read."""
    key_id = {"bob's": key.id, "deleted": key.id, "unknown": "0" * 12, "hostile": "x\n" * 500}[
        whose
    ]
    if whose == "deleted":
        delete(world.app, "ada", key.id, confirmed_name="k")
    account = "bob" if whose == "bob's" else "ada"
    world.transport.calls.clear()
    with pytest.raises(KeyNotFound):
        page(world.app, account, key_id)
    assert "Query" not in world.transport.calls
