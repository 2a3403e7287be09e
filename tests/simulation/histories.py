"""One simulated history from its choices: keys, requests, changes, faults; and its checks."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from osiris import secrets_text
from osiris.errors import OsirisError
from osiris.flows.audit import audit
from osiris.flows.keys import Issued
from osiris.flows.settlement import finish_lapsed
from osiris.ids import entry_id
from osiris.ledger.entry import GRANT, Entry
from osiris.ledger.key import new_key
from osiris.store.items import Item, account_pk, entry_item, key_item
from osiris.store.values import typed, typed_item
from tests.simulation.choices import Seeded
from tests.simulation.functions import Client, Owner, Process, reconcile_all
from tests.simulation.money_plans import Plan
from tests.simulation.recovery import recover_money
from tests.simulation.top_ups import TopUps
from tests.simulation.upstreams import Script
from tests.simulation.violations import plain, require
from tests.simulation.world import FAULTS, Weather, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.choices import Choices

LIFE_MS = 900_000
MARGIN_MS = 10_000
LAPSE_MS = 960_000
TOKEN_NANO = 2_000_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Setting(NamedTuple):
    """What a history begins with."""

    limit: int
    open_max: int
    balance_nano: int
    processes: int
    expires_in_ms: int = DAY_MS
    lapse_ms: int = LAPSE_MS
    skews_ms: tuple[int, ...] = (0,)
    tokens_work: bool = True
    keys: int = 1
    eager: bool = False
    reduced: bool = False


class History:
    """A world with one account and one key, its clients and their processes."""

    def __init__(self, choices: Choices, setting: Setting, weather: Weather) -> None:
        environment = {
            "OSIRIS_RATE_LIMIT": str(setting.limit),
            "OSIRIS_OPEN_REQUESTS_MAX": str(setting.open_max),
            "OSIRIS_HOLD_LAPSE_MS": str(setting.lapse_ms),
            "OSIRIS_UPSTREAM_SILENCE_MS": "40000",
            "OSIRIS_TRIAL_AMOUNT": "0.01",
            "OSIRIS_PACKAGES": "1 2 3",
        }
        self.choices = choices
        self.setting = setting
        self.world = World(
            choices,
            weather,
            environment=environment,
            life_ms=LIFE_MS,
            tokens_work=setting.tokens_work,
            eager=setting.eager,
            reduced=setting.reduced,
        )
        self.world.rules.open_max = setting.open_max
        self.world.rules.once = setting.lapse_ms >= LAPSE_MS
        self.owner = Owner(self.world, "ada")
        self.clients: list[Client] = []
        self.processes: list[Process] = []
        self.top_ups = TopUps(self)
        self._begin(setting)

    def _begin(self, setting: Setting) -> None:
        """An account, and its keys: the first has the credit, the others make it full."""
        key_ids = [letter * 12 for letter in "ABCDEFGHIJ"[: setting.keys]]
        for key_id in key_ids:
            self._put_key(key_id, setting.balance_nano if key_id == key_ids[0] else 0)
        self._put("KeysTable", {"pk": typed(account_pk("ada")), "keys": typed(set(key_ids))})
        # The sweeper has come to today.
        begun = {"kind": "sweeper", "id": "progress", "day": self.world.now_ms // DAY_MS}
        item = {**begun, "warned_until_ms": self.world.now_ms}
        payload = {"TableName": "CatalogueTable", "Item": typed_item(item)}
        self.world.memory.call("PutItem", payload)

    def _put_key(self, key_id: str, balance_nano: int) -> None:
        world, entropy = self.world, self.world.entropy
        secret = secrets_text.make(key_id, entropy(32))
        key = new_key(
            id=key_id,
            account_id="ada",
            name="laptop",
            kind="paid",
            secret_hash=secrets_text.hash_of(secret),
            rate_limit=self.setting.limit,
            now_ms=world.now_ms,
            grant_nano=balance_nano,
            expires_at_ms=world.now_ms + self.setting.expires_in_ms,
        )
        self._put("KeysTable", key_item(key._replace(balance_nano=0, available_nano=0)))
        if balance_nano:
            first = entry_id(world.now_ms, entropy(16))
            grant = Entry(key_id, first, GRANT, balance_nano, world.now_ms)
            self._put("KeysTable", key_item(key), ("LedgerTable", entry_item(grant)))
        self.owner.knows(Issued(key, secret))

    def _put(self, table: str, item: Item, *more: tuple[str, Item]) -> None:
        puts = [{"Put": {"TableName": t, "Item": i}} for t, i in ((table, item), *more)]
        payload = {"TransactItems": puts}
        self.world.memory.call("TransactWriteItems", payload)
        self.world.rules.look("TransactWriteItems", payload, "begin")

    # -- what is to happen

    def request(
        self,
        script: Script,
        *,
        key: int = 0,
        wrong_secret: bool = False,
        life_ms: int = LIFE_MS - MARGIN_MS,
        leaves_after: int | None = None,
    ) -> None:
        """A client's request, to start when the scheduler lets it."""

        def start() -> None:
            key_ids = self.owner.key_ids
            key_id = key_ids[key % len(key_ids)]
            name = f"client {len(self.clients) + 1}"
            secret = self.owner.secrets[key_id][-1]
            if wrong_secret:
                secret = secrets_text.make(key_id, b"x" * secrets_text.ENTROPY_LENGTH)
            client = Client(self.world, name, key_id, secret, script)
            client.life_ms, client.leaves_after = life_ms, leaves_after
            self.clients.append(client)
            process = self._process()
            process.run(name, lambda: client.run(process))

        self.world.starts.append(start)

    def lost_request(self, script: Script) -> None:
        """A request that was admitted, and whose function died, as long ago as a hold lasts."""
        self.request(script)
        self.world.starts.pop()()
        [actor] = self.world.actors
        while not self.world.rules.admitted:
            self.world.step(actor, "ok")
        self.world.step(actor, "crash_before")
        self.world.move_clock(self.world.now_ms + self.setting.lapse_ms)

    def change(self, what: str, key: int = 0) -> None:
        """An owner's or the operator's change, to start when the scheduler lets it."""

        def act(process: Process) -> None:
            key_ids = self.owner.key_ids
            self.owner.act(process, what, key_ids[key % len(key_ids)])

        self.later(what, act)

    def reconciler(self) -> None:
        """A run of the reconciler."""
        self.later("reconciler", reconcile_all)

    def finisher(self) -> None:
        """Somebody who meets the first key, and finishes what has lapsed."""

        def finish(process: Process) -> None:
            with suppress(OsirisError):
                key = process.app.keys.read(self.owner.key_ids[0])
                assert key is not None
                finish_lapsed(process.app, key)

        self.later("finisher", finish)

    def later(self, name: str, body: Callable[[Process], None]) -> None:
        """A function that starts when the scheduler lets it."""

        def start() -> None:
            process = self._process()
            process.run(name, lambda: body(process))

        self.world.starts.append(start)

    def before(self, plan: Callable[[], None]) -> None:
        """What has happened by now: this plan, without faults."""
        world = self.world
        faults, jumps = world.faults_left, world.jumps_left
        world.faults_left = world.jumps_left = 0
        plan()
        while world.starts:
            world.starts.pop(0)()
            world.run()
        world.faults_left, world.jumps_left = faults, jumps

    def _process(self) -> Process:
        """An idle process, or a new one."""
        idle = [(1.0, process) for process in self.processes if process.idle]
        if idle and len(self.processes) >= self.setting.processes:
            return self.choices.pick(idle)
        skews = self.setting.skews_ms
        skew_ms = skews[len(self.processes) % len(skews)]
        process = Process(self.world, skew_ms=skew_ms)
        self.processes.append(process)
        return process

    # -- how it goes

    def run(self) -> None:
        """Everything, then the recovery, then the checks. Raises Violation."""
        if self.world.eager:
            while self.world.starts:
                self.world.starts.pop(0)()
        self.world.run()
        if self.world.is_redundant:
            return
        self.recover()
        self.world.rules.end()
        for client in self.clients:
            client.check()

    def recover(self) -> None:
        """Long after: the reconciler runs without faults."""
        world = self.world
        world.faults_left = world.jumps_left = 0
        world.move_clock(world.now_ms + self.setting.lapse_ms + LIFE_MS)
        self.alone(reconcile_all)
        lapsed = [
            request
            for request in world.rules.settled
            if world.rules.asked[request].by != world.rules.closed_by[request].strip("()")
        ]
        self._check_lapsed(lapsed)
        if world.rules.money.orders.orders or not world.eager:
            recover_money(self)
        if world.eager:
            # Small cases are many, and about the money alone.
            if world.rules.money.orders.orders:
                self.alone(self._check_audit)
            return
        world.move_clock(world.now_ms + 2 * HOUR_MS)
        self.alone(reconcile_all)
        self._check_rollups()
        self.alone(self._check_audit)

    def _check_audit(self, process: Process) -> None:
        """The operator's audit sees nothing wrong where nothing is."""
        found = audit(process.app, segments=1).differences
        require(not found, "the audit differs", found)

    def _check_rollups(self) -> None:
        """I9: the usage page shows what was charged, by hour and model."""
        shown: Counter[tuple[str, str]] = Counter()
        for item in self.world.memory.items("UsageTable"):
            if "cost_nano" in item:
                place = (plain(item["key_id"]), plain(item["model"]))
                shown[place] += plain(item["cost_nano"])
        charged: Counter[tuple[str, str]] = Counter()
        for key_id, entries in self.world.rules.entries.items():
            for entry in entries.values():
                if "model" in entry:
                    charged[key_id, entry["model"]] -= entry["amount_nano"]
        require(+shown == +charged, "I9: usage, entries", shown, charged)

    def alone(self, flow: Callable[[Process], object]) -> None:
        """A run of a flow while nothing else happens."""
        process = Process(self.world)
        process.run("recovery", lambda: flow(process))
        self.world.run()

    def _check_lapsed(self, lapsed: list[str]) -> None:
        """Each hold that another closed was counted by a metric, unless its closer died, too."""
        told = {name.split()[1] for name in self.world.metrics if name.startswith("HoldsLapsed")}
        closers = self.world.rules.closed_by
        require(
            all(request in told for request in lapsed if closers[request] == "recovery"),
            "I8: a hold lapsed, and no metric says so",
            lapsed,
        )


# -- histories by seed

SCRIPT_ENDS = (
    (10.0, "done"),
    (1.5, "cut"),
    (1.0, "silent"),
    (1.0, "error"),
    (0.5, "refused"),
    (0.5, "rejected"),
    (0.5, "failed"),
    (0.5, "empty"),
)
# What the owner, a stranger and the operator do, in seeds of their own and mixed.
_SWITCHING = ("disable", "enable", "rename")
_ISSUING = ("create", "trial", "stock")
_ROTATING = ("rotate", "overlap", "overlap")
_CREDIT = ("grant", "grant", "delete", "confirm")
_RESIZING = ("limit 1", "limit 2", "limit 3", "limit 5")
_STRANGE = ("stranger disable", "stranger rename", "stranger rotate", "stranger confirm")
_ALL = _SWITCHING + _ISSUING + _ROTATING + _CREDIT + _RESIZING + _STRANGE
CHANGES = (_ALL, _ALL, _SWITCHING, _ISSUING, _ROTATING, _CREDIT, _RESIZING, _STRANGE)


def by_seed(seed: int) -> History:
    """The history of a seed, before it runs."""
    choices = Seeded(seed)
    chance = choices.random
    early = chance.random() < 0.15
    setting = Setting(
        limit=chance.choice([1, 2, 2, 3, 4]),
        open_max=chance.choice([1, 2, 3, 3]),
        balance_nano=TOKEN_NANO * chance.choice([1, 5, 10, 20, 40, 100]),
        processes=chance.choice([1, 2, 3]),
        expires_in_ms=chance.choice([30_000, DAY_MS, 40 * DAY_MS]),
        lapse_ms=2_000 if early else LAPSE_MS,
        skews_ms=chance.choice([(0,), (0, 3), (0, -3, 5), (0, 400)]),
        tokens_work=chance.random() < 0.5,
        keys=chance.choice([1, 1, 1, 9, 10]),
    )
    history = History(choices, setting, _weather(choices))
    for _ in range(chance.choice([2, 3, 4, 6, 8])):
        _request(history, choices)
    changes = chance.choice(CHANGES)
    for _ in range(chance.choice([0, 0, 1, 2, 3, 5])):
        history.change(chance.choice(changes), key=chance.choice([0, 0, 1, 2]))
    if chance.random() < 0.4:
        history.reconciler()
    chance.shuffle(history.world.starts)
    if seed % 2:
        Plan(history, seed).add()
    return history


def _weather(choices: Seeded) -> Weather:
    chance = choices.random
    kinds = chance.sample(FAULTS, chance.choice([1, 2, 3, 7]))
    rate = chance.choice([0.02, 0.08, 0.2])
    return Weather(
        faults={kind: rate for kind in FAULTS if kind in kinds},
        faults_max=chance.choice([0, 1, 2, 4, 10]),
        jumps={
            1: 0.1,
            1_000: 0.1,
            20_000: chance.choice([0, 0.1]),
            60_000: chance.choice([0, 0.2]),
            LAPSE_MS: chance.choice([0, 0, 0.1]),
            DAY_MS: chance.choice([0, 0, 0.02]),
        },
        jumps_max=chance.choice([0, 2, 6]),
        arrival=chance.choice([0.02, 0.2, 1]),
    )


def _request(history: History, choices: Seeded) -> None:
    chance = choices.random
    held = chance.choice([1, 5, 10])
    script = Script(
        end=choices.pick(SCRIPT_ENDS),
        stream=chance.random() < 0.7,
        chunks=chance.choice([1, 2]),
        tokens=chance.choice([0, 1, held, held, held + 5]),
        reports=chance.random() < 0.8,
        held_tokens=held,
        pause_ms=chance.choice([0, 0, 100, 16_000]),
    )
    history.request(
        script,
        key=chance.choice([0, 0, 0, 1, 2]),
        wrong_secret=chance.random() < 0.05,
        life_ms=chance.choice([1_500, 30_000, LIFE_MS - MARGIN_MS]),
        leaves_after=chance.choice([None, None, None, 0, 1]),
    )
