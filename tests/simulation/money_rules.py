"""The plain definition of money in: what may move a key's credit and its expiry, on raw items.

Each change is looked at with all that came in one write: the entries, the keys before and after,
the payments and orders. See `tests.simulation.order_rules` for what orders and payments may say.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from osiris.ids import made_at_ms
from tests.simulation.order_rules import OrderRules, outstanding_nano
from tests.simulation.violations import plain_item, require

if TYPE_CHECKING:
    from tests.dynamodb.engine import MemoryDynamoDB, Payload

    type Item = dict[str, Any]

TAKE_BACKS = ("refund", "chargeback")
ORDERS = "OrdersTable"


class Change(NamedTuple):
    """One write, or one transaction: entries put, keys before and after, writes of orders."""

    who: str
    now_ms: int
    entries: list[Item]
    keys: dict[str, tuple[Item | None, Item]]
    orders: list[Payload]

    def of(self, key_id: str, *types: str) -> list[Item]:
        """The key's entries of these types."""
        return [
            entry for entry in self.entries if entry["key_id"] == key_id and entry["type"] in types
        ]


class MoneyRules:
    """What was seen so far of money in, beside `OrderRules`."""

    def __init__(self, memory: MemoryDynamoDB) -> None:
        self._memory = memory
        self.orders = OrderRules()
        # By key, each in the order in which they were applied.
        self.moved: dict[str, list[Item]] = defaultdict(list)
        self.taken_since_admission: Counter[str] = Counter()
        # By payment and key: what it brought there, less what was taken back.
        self.brought: Counter[tuple[str, str]] = Counter()
        self.credited_after: dict[str, int] = {}

    # -- after each write

    def look(self, change: Change, keys: dict[str, Item]) -> None:
        """Hold a write against the rules; `keys` are all items of the Keys table."""
        extended = {order_id: o["extended_at_ms"] for order_id, o in self.orders.orders.items()}
        grown = self._look_at_orders(change, keys)
        self._of_payments(change, grown)
        for key_id, (old, new) in change.keys.items():
            if old is None:
                old = new | {"expires_at_ms": new["expires_at_ms"], "available_nano": 0}
            self._look_at_key(change, key_id, old, new, extended)

    def _look_at_orders(self, change: Change, keys: dict[str, Item]) -> dict[str, tuple[int, int]]:
        """By how much each payment's credited and taken back amounts have grown."""
        items = [self._read(write) for write in change.orders]
        touched = set()
        for item in items:
            if item["pk"].startswith("order#"):
                key = keys.get(f"key#{item['key_id']}")
                self.orders.look_at_order(item, change.who, change.now_ms, key)
                touched.add(item["pk"].removeprefix("order#"))
        grown = {}
        for item in items:
            kind, _, rest = item["pk"].partition("#")
            if kind == "payment":
                grown[rest] = self.orders.look_at_payment(item)
                touched.add(item["order_id"])
            elif kind == "promise":
                self.orders.look_at_promise(item)
            elif kind == "event":
                self.orders.look_at_event(item)
        for order_id in touched:
            self.orders.check_sums(order_id)
        return grown

    def _read(self, write: Payload) -> Item:
        key = {"pk": (write.get("Item") or write["Key"])["pk"]}
        answer = self._memory.call("GetItem", {"TableName": ORDERS, "Key": key})
        return plain_item(answer["Item"])

    def _of_payments(self, change: Change, grown: dict[str, tuple[int, int]]) -> None:
        """I4: what a payment's entries move is what its figures move."""
        credited: Counter[str] = Counter()
        taken: Counter[str] = Counter()
        for entry in change.entries:
            if entry["type"] == "purchase":
                credited[entry["payment_id"]] += entry["amount_nano"]
            elif entry["type"] in TAKE_BACKS:
                taken[entry["payment_id"]] -= entry["amount_nano"]
        for payment_id in credited.keys() | taken.keys() | grown.keys():
            moved = (credited[payment_id], taken[payment_id])
            require(moved == grown.get(payment_id, (0, 0)), "I4: entries", payment_id, moved, grown)

    def _look_at_key(
        self, change: Change, key_id: str, old: Item, new: Item, extended: dict[str, int]
    ) -> None:
        purchases = change.of(key_id, "purchase")
        grants = change.of(key_id, "grant")
        taken = change.of(key_id, *TAKE_BACKS)
        given_back = change.of(key_id, "adjustment")
        forfeits = change.of(key_id, "forfeiture")
        require(len(purchases) + len(taken) + len(grants) <= 1, "several movements", change)
        require(not given_back or bool(purchases or taken), "an adjustment alone", given_back)
        for entry in forfeits:
            self._forfeited(entry, old, new)
        if purchases:
            self._purchased(purchases[0], given_back, forfeits, old, new, extended)
        elif taken:
            self._taken_back(taken[0], given_back, old, new)
        elif grants:
            now_ms = grants[0]["at_ms"]
            require(new["expires_at_ms"] >= now_ms, "a grant that is expired", new)
            stale = old["expires_at_ms"] <= now_ms and old["available_nano"] > 0
            require(stale == bool(forfeits), "a grant brought credit back", old, new)
        else:
            same = new["expires_at_ms"] == old["expires_at_ms"]
            require(same, "an expiry moved by itself", old, new)
        self.moved[key_id] += [*forfeits, *given_back]
        lost = self._lost_nano(key_id)
        require(new.get("forfeited_nano", 0) == lost, "forfeited_nano", new, lost)
        require(lost >= 0, "I4: more given back than was forfeited", lost)

    def _lost_nano(self, key_id: str, since: int = 0) -> int:
        return -sum(int(entry["amount_nano"]) for entry in self.moved[key_id][since:])

    def _forfeited(self, entry: Item, old: Item, new: Item) -> None:
        """All that is available, and never what is held."""
        lost = -entry["amount_nano"]
        require(lost > 0, "a forfeiture of nothing", entry)
        require(lost == old["available_nano"], "forfeited, available", entry, old)
        if "expired_at_ms" in entry:
            require(entry["expired_at_ms"] == old["expires_at_ms"], "expiry forfeited by", entry)
            require(old["expires_at_ms"] <= entry["at_ms"], "forfeited while alive", entry, old)
        else:
            died = old["status"] != "deleted" and new["status"] == "deleted"
            require(died, "forfeited for no reason", entry, old)

    # -- purchases and take-backs

    def _purchased(
        self,
        entry: Item,
        given_back: list[Item],
        forfeits: list[Item],
        old: Item,
        new: Item,
        extended: dict[str, int],
    ) -> None:
        payment, order = self._source(entry)
        now_ms, paid_at_ms = entry["at_ms"], payment["seen_at_ms"]
        key_id = entry["key_id"]
        require(entry["amount_nano"] > 0, "a purchase of nothing", entry)
        require(old["status"] != "deleted", "credit to a deleted key", entry)
        require(old["kind"] == "paid", "credit to a trial key", entry)
        require(outstanding_nano(payment) == 0, "not all of it was credited", payment)
        expired = old["expires_at_ms"] <= now_ms
        part = order["parts"][payment["part"] - 1]
        counts = 2 * payment["credited_nano"] >= part["credit_nano"]
        if not counts:
            paid_at_ms = now_ms  # a trifle keeps nothing alive
        first = counts and extended[entry["order_id"]] == 0
        wanted = old["expires_at_ms"]
        if first or expired:
            wanted = extended_ms(wanted, now_ms)
        require(new["expires_at_ms"] == wanted, "the expiry after a purchase", old, new, wanted)
        moved = order["extended_at_ms"] != extended[entry["order_id"]]
        require(moved == (first or expired), "an order extends once", order, old)
        died_before = expired and paid_at_ms >= old["expires_at_ms"]
        stale = died_before and old["available_nano"] > 0
        require(stale == bool(forfeits), "forfeited by a purchase", forfeits, old, payment)
        back = sum(each["amount_nano"] for each in given_back)
        least, most = self._lost_alive(key_id, paid_at_ms)
        require(least <= back <= most or stale, "given back by a purchase", back, least, most)
        self.brought[entry["payment_id"], key_id] += entry["amount_nano"]
        own = len(self.moved[key_id]) + len(forfeits) + len(given_back)
        self.credited_after.setdefault(entry["payment_id"], own)
        self._count(given_back, entry)

    def _lost_alive(self, key_id: str, paid_at_ms: int) -> tuple[int, int]:
        """What was forfeited of credit that was alive at the payment, less what was given back."""
        until_ms = months_later(paid_at_ms, 1)
        lost = back = 0
        for entry in self.moved[key_id]:
            if entry["type"] == "adjustment":
                back += entry["amount_nano"] if entry["at_ms"] >= paid_at_ms else 0
            elif paid_at_ms < entry.get("expired_at_ms", 0) < until_ms:
                lost -= entry["amount_nano"]
        return max(0, lost - back), lost

    def _taken_back(self, entry: Item, given_back: list[Item], old: Item, new: Item) -> None:
        """What was forfeited since its purchase is given back before, up to the amount."""
        payment, order = self._source(entry)
        payment_id, key_id, amount = entry["payment_id"], entry["key_id"], -entry["amount_nano"]
        require(amount > 0, "a take-back of nothing", entry)
        require(new["expires_at_ms"] == old["expires_at_ms"], "a take-back moved the expiry", new)
        require(order["taken_back_by"] == entry["type"], "taken back by", order, entry)
        require(outstanding_nano(payment) == 0, "not all of it was taken back", payment)
        since = self.moved[key_id][self.credited_after[payment_id] :]
        forfeited = -sum(each["amount_nano"] for each in since if each["type"] == "forfeiture")
        # What others' take-backs gave back since may have been of it, or of what was lost before.
        least = min(amount, self._lost_nano(key_id, self.credited_after[payment_id]))
        most = min(amount, forfeited)
        back = sum(each["amount_nano"] for each in given_back)
        require(least <= back <= most, "lost twice: given back, forfeited since", back, least, most)
        self.brought[payment_id, key_id] -= amount
        left = self.brought[payment_id, key_id]
        require(left >= 0, "taken back from a key that did not get it", entry, left)
        self._count(given_back, entry)

    def _count(self, given_back: list[Item], movement: Item) -> None:
        for entry in given_back:
            require(entry["amount_nano"] > 0, "nothing given back", entry)
            same = entry["payment_id"] == movement["payment_id"]
            require(same, "given back for another payment", entry, movement)

    def _source(self, entry: Item) -> tuple[Item, Item]:
        payment = self.orders.payments[entry["payment_id"]]
        require(payment["order_id"] == entry["order_id"], "another order's payment", entry)
        require(payment["key_id"] == entry["key_id"], "another key's payment", entry, payment)
        require(made_at_ms(f"ent_{entry['entry_id']}") == entry["at_ms"], "an entry's time", entry)
        return payment, self.orders.orders[entry["order_id"]]


def extended_ms(expires_at_ms: int, now_ms: int) -> int:
    """The expiry that a purchase brings: a month on, three from now at most, never earlier."""
    wanted_ms = months_later(max(expires_at_ms, now_ms), 1)
    return max(expires_at_ms, min(wanted_ms, months_later(now_ms, 3)))


def months_later(at_ms: int, months: int) -> int:
    """The same time of the same day so many months on; days that a month has not are its last."""
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    month = start.month - 1 + months
    first = start.replace(day=1, year=start.year + month // 12, month=month % 12 + 1)
    day = first + timedelta(days=start.day - 1)
    while day.month != first.month:
        day -= timedelta(days=1)
    return (day - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
