"""The plain definition of what may ever be written: DESIGN's invariants, on raw items.

`Rules` looks at each write once it was applied, and remembers in plain dictionaries what the
tables ought to hold. It shares no code with the product but the forms of its ids.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from osiris.ids import PREFIX_LENGTH, made_at_ms
from tests.simulation.money_rules import TAKE_BACKS, Change, MoneyRules
from tests.simulation.violations import plain, require

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.dynamodb.engine import MemoryDynamoDB, Payload

MINUTE_MS = 60_000
KEYS_MAX = 10
KEYS, LEDGER, ORDERS = "KeysTable", "LedgerTable", "OrdersTable"


class Asked(NamedTuple):
    """What is known of a request from its client."""

    key_id: str
    secret_hash: bytes
    by: str


class Rules:
    """What was seen so far. `open_max` is how many requests of a key may be open at once."""

    def __init__(self, memory: MemoryDynamoDB) -> None:
        self._memory = memory
        self.open_max = 0
        self.asked: dict[str, Asked] = {}
        self.items: dict[str, dict[str, Any]] = {}
        self.entries: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        self.admitted: Counter[str] = Counter()
        self.settled: Counter[str] = Counter()
        self.closed_by: dict[str, str] = {}
        self.held: dict[str, int] = {}
        self.admissions: dict[str, list[int]] = defaultdict(list)
        self.resized: set[str] = set()
        self.dearest: Counter[str] = Counter()
        self.overrun: Counter[str] = Counter()
        self.trials: Counter[str] = Counter()
        self.once = True
        self.money = MoneyRules(memory)
        self.now_ms: Callable[[], int] = int

    # -- after each write

    def look(self, operation: str, payload: Payload, who: str) -> None:
        """Hold what a write has changed against the rules. Raises Violation."""
        writes = [(operation, payload)]
        if operation == "TransactWriteItems":
            writes = [next(iter(write.items())) for write in payload["TransactItems"]]
        key_pks = []
        entries = []
        for _, write in writes:
            if write["TableName"] == LEDGER:
                entry = self._look_at_entry(write)
                entries.append(entry)
                key_pks.append(f"key#{entry['key_id']}")
        for _, write in writes:
            if write["TableName"] == KEYS:
                pk = plain((write.get("Item") or write["Key"])["pk"])
                if pk.startswith("key#"):
                    key_pks.append(pk)
                else:
                    self._look_at_account(pk)
        keys = {}
        for pk in dict.fromkeys(key_pks):
            old = self.items.get(pk)
            self._look_at_key(pk, who)
            keys[pk.removeprefix("key#")] = (old, self.items[pk])
        orders = [write for _, write in writes if write["TableName"] == ORDERS]
        self.money.look(Change(who, self.now_ms(), entries, keys, orders), self.items)

    def _read(self, table: str, key: Payload) -> dict[str, Any]:
        answer = self._memory.call("GetItem", {"TableName": table, "Key": key})
        return {name: plain(value) for name, value in answer.get("Item", {}).items()}

    def _look_at_entry(self, write: Payload) -> dict[str, Any]:
        key = {name: write["Item"][name] for name in ("key_id", "entry_id")}
        item = self._read(LEDGER, key)
        key_id, entry_id = item["key_id"], item["entry_id"]
        before = self.entries[key_id].get(entry_id)
        require(before is None, "I3: an entry was written over", before, item)
        self.entries[key_id][entry_id] = item
        if item["type"] == "charge":
            require(item["amount_nano"] <= 0, "a charge gives money", item)
            require(self.admitted[f"req_{entry_id}"] > 0, "I3: charged, never admitted", item)
        if item["type"] in TAKE_BACKS:
            self.money.taken_since_admission[key_id] -= item["amount_nano"]
        return item

    def _look_at_account(self, pk: str) -> None:
        account = self._read(KEYS, {"pk": {"S": pk}})
        before = self.items.get(pk, {})
        self.items[pk] = account
        require(len(account.get("keys", ())) <= KEYS_MAX, "I6: too many keys", account)
        trial, trial_before = (item.get("trial_granted_at_ms") for item in (account, before))
        require(trial_before in (None, trial), "I6: a second trial", before, account)

    def _look_at_key(self, pk: str, who: str) -> None:
        new = self._read(KEYS, {"pk": {"S": pk}})
        require(bool(new), "an entry without its key", pk)
        old = self.items.get(pk)
        self.items[pk] = new
        key_id = pk.removeprefix("key#")
        if old is None:
            self._created(new)
            old = new
        for request in new["holds"].keys() - old["holds"].keys():
            self._admitted(key_id, request, old, new)
        for request in old["holds"].keys() - new["holds"].keys():
            self._settled(key_id, request, new, who)
        for request in old["holds"].keys() & new["holds"].keys():
            require(old["holds"][request] == new["holds"][request], "I2: a hold changed", request)
        if new["window"] != old["window"] and old["holds"].keys() >= new["holds"].keys():
            self._resized(key_id, old, new)
        self._statuses(old, new)
        self._sums(key_id, new)

    def _created(self, new: dict[str, Any]) -> None:
        if new["kind"] == "trial":
            self.trials[new["account_id"]] += 1
            require(self.trials[new["account_id"]] == 1, "I6: a second trial key", new)

    def _statuses(self, old: dict[str, Any], new: dict[str, Any]) -> None:
        require(new["account_id"] == old["account_id"], "a key changed its account", new)
        if old["status"] == "deleted":
            require(new["status"] == "deleted", "a deleted key came back", new)
            for name in ("name", "secret_hash", "window", "expires_at_ms", "kind"):
                require(new[name] == old[name], "a deleted key changed", name, new)
            require(new["balance_nano"] <= old["balance_nano"], "credit to a deleted key", new)
        elif new["status"] == "deleted":
            forfeited = max(0, old["available_nano"])
            require(new["available_nano"] == old["available_nano"] - forfeited, "forfeiture", new)
        if new["secret_hash"] != old["secret_hash"]:
            kept = new.get("old_secret_hash", old["secret_hash"])
            require(kept == old["secret_hash"], "a rotation kept another secret", old, new)
        require(new["expires_at_ms"] >= old["expires_at_ms"], "an expiry came earlier", old, new)

    def _sums(self, key_id: str, key: dict[str, Any]) -> None:
        """I1, I2 and I7 of one key."""
        holds, entries = key["holds"], self.entries[key_id]
        open_entries = {request[PREFIX_LENGTH:] for request in holds}
        total = sum(
            entry["amount_nano"] for name, entry in entries.items() if name not in open_entries
        )
        require(key["balance_nano"] == total, "I1: balance, entries", key["balance_nano"], total)
        available = key["balance_nano"] - sum(holds.values())
        require(key["available_nano"] == available, "I2", key["available_nano"], available)
        taken_nano = self.money.taken_since_admission[key_id]
        least = -self.dearest[key_id] - self.overrun[key_id] - taken_nano
        balance = key["balance_nano"]
        require(balance > least or balance >= 0, "I7: below zero by", balance, least)

    def _admitted(
        self, key_id: str, request: str, old: dict[str, Any], new: dict[str, Any]
    ) -> None:
        """The plain definition of admission, on the item that it was applied to."""
        asked = self.asked[request]
        require(asked.key_id == key_id, "admitted to another key", request)
        used = [
            (before, at_ms)
            for before, at_ms in zip(old["window"], new["window"], strict=True)
            if before != at_ms
        ]
        require(len(used) == 1, "I5: an admission uses one slot", old["window"], new["window"])
        [(_, at_ms)] = used
        require(made_at_ms(request) == at_ms, "I5: not admitted when its id says", request, at_ms)
        self.admitted[request] += 1
        if self.once:
            require(self.admitted[request] == 1, "I3: admitted again", request)
        require(self.settled[request] == 0 or not self.once, "I3: admitted after its end", request)
        require(old["status"] == "live", "admitted by a key that is not live", old["status"])
        is_old = asked.secret_hash == old.get("old_secret_hash")
        in_overlap = is_old and old["old_secret_until_ms"] > at_ms
        require(asked.secret_hash == old["secret_hash"] or in_overlap, "admitted by a wrong secret")
        require(old["available_nano"] > 0, "I7: admitted without credit", old["available_nano"])
        require(old["expires_at_ms"] > at_ms, "admitted on expired credit", old["expires_at_ms"])
        require(len(old["holds"]) < self.open_max, "admitted, too many open", len(old["holds"]))
        self.held[request] = new["holds"][request]
        require(self.held[request] > 0, "a hold of nothing", request)
        self.dearest[key_id] = self.overrun[key_id] = 0
        self.money.taken_since_admission[key_id] = 0
        self._rate(key_id, at_ms, len(new["window"]))

    def _rate(self, key_id: str, at_ms: int, limit: int) -> None:
        """I5, over the times really written."""
        times = self.admissions[key_id]
        times.append(at_ms)
        times.sort()
        if key_id in self.resized:
            recent = [time_ms for time_ms in times if at_ms - MINUTE_MS < time_ms <= at_ms]
            require(len(recent) <= limit, "I5: too many since the limit changed", recent, limit)
            return
        for first, last in zip(times, times[limit:], strict=False):
            require(last - first >= MINUTE_MS, "I5: too many in 60 s", times, limit)

    def _resized(self, key_id: str, old: dict[str, Any], new: dict[str, Any]) -> None:
        require(len(old["window"]) != len(new["window"]), "I5: a window was rewritten", old, new)
        self.resized.add(key_id)

    def _settled(self, key_id: str, request: str, new: dict[str, Any], who: str) -> None:
        entry = self.entries[key_id].get(request[PREFIX_LENGTH:])
        require(entry is not None, "I1: settled without an entry", request)
        assert entry is not None
        self.settled[request] += 1
        self.closed_by[request] = who
        if self.once:
            require(self.settled[request] == 1, "I3: settled again", request)
        cost_nano = -entry["amount_nano"]
        self.dearest[key_id] = max(self.dearest[key_id], cost_nano)
        self.overrun[key_id] += max(0, cost_nano - self.held[request])
        require(new["holds"].get(request) is None, "I3", request)

    # -- at the end of a history

    def end(self) -> None:
        """Every hold is closed, every counter is right, and nothing else stands in the tables."""
        stored = {plain(item["pk"]): item for item in self._memory.items(KEYS)}
        require(stored.keys() == self.items.keys(), "items nobody wrote", stored, self.items)
        for pk, item in stored.items():
            key = {name: plain(value) for name, value in item.items()}
            require(key == self.items[pk], "an item changed by itself", key)
            if pk.startswith("key#"):
                self._end_of_key(pk.removeprefix("key#"), key)
            else:
                self._end_of_account(pk.removeprefix("account#"), key)
        written = sum(map(len, self.entries.values()))
        require(len(self._memory.items(LEDGER)) == written, "entries nobody wrote")

    def _end_of_key(self, key_id: str, key: dict[str, Any]) -> None:
        require(not key["holds"], "a hold was never closed", key["holds"])
        charges = [entry for entry in self.entries[key_id].values() if entry["type"] == "charge"]
        spent = -sum(entry["amount_nano"] for entry in charges)
        require(key["spent_nano"] == spent, "spent_nano", key["spent_nano"], spent)
        paid = sum(entry["amount_nano"] < 0 for entry in charges)
        require(key["requests"] == paid, "requests", key["requests"], paid)
        charged = {f"req_{entry['entry_id']}" for entry in charges}
        mine = {request for request in self.admitted if self.asked[request].key_id == key_id}
        require(charged == mine, "I3: an admitted request without an entry", charged ^ mine)
        account = self.items.get(f"account#{key['account_id']}")
        if account is not None:
            listed = key_id in account.get("keys", ())
            require(listed == (key["status"] != "deleted"), "I6: a key, its account", key, account)

    def _end_of_account(self, account_id: str, account: dict[str, Any]) -> None:
        for key_id in account.get("keys", ()):
            key = self.items[f"key#{key_id}"]
            require(key["account_id"] == account_id, "I6: another's key", key)
