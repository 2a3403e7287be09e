"""Who runs in the simulation: requests of clients, changes by owners, the reconciler.

All run the product's own flows; only the transport, the upstreams, the clock and chance are the
simulation's.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from osiris import secrets_text
from osiris.app.full import wired
from osiris.errors import OsirisError, StoreUnavailable
from osiris.flows import credit, keys, reconcile
from osiris.flows.completion import Completion, complete
from osiris.flows.exchange import Exchange
from osiris.money import nano_from_dollars
from osiris.telemetry import HOLDS_LAPSED, SETTLEMENT_FAILED, Telemetry
from tests.simulation.actors import Actor, Killed
from tests.simulation.rules import Asked
from tests.simulation.tills import Lines
from tests.simulation.upstreams import MODEL, FakeUpstreams, Script
from tests.simulation.violations import Violation, require

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from osiris.app.providers import Providers
    from osiris.catalogue import Model
    from osiris.store.events import EventBus
    from osiris.store.models import Models
    from osiris.store.secrets import Secrets
    from osiris.store.transport import Payload
    from osiris.upstream import Upstreams
    from tests.simulation.world import World

_COST = re.compile(rb'"cost": ?([0-9.]+)')
_CHARGED = re.compile(r"was charged: \$([0-9.]+)\.$")
_FREE = "Nothing was charged"


class FakeSecrets:
    """Stands in for `osiris.store.secrets.Secrets`."""

    def read(self, _name: str, _now_ms: int) -> str:
        return "upstream's key"


class FakeModels:
    """Stands in for `osiris.store.models.Models`."""

    def all(self, _now_ms: int) -> dict[str, Model]:
        return {MODEL.id: MODEL}


class Process:
    """One process of a function: it serves one call at a time, and remembers what it saw."""

    def __init__(self, world: World, *, skew_ms: int = 0) -> None:
        self.world = world
        self.actor: Actor | None = None
        self.upstreams = FakeUpstreams()
        self.app = wired(
            world.settings,
            self,
            telemetry=Telemetry(self._write, self._now_ms),
            now_ms=self._now_ms,
            entropy=world.entropy,
            sleep_ms=lambda wait_ms: self.running.wait(wait_ms),
        )
        self.app.models = cast("Models", FakeModels())
        self.app.secrets = cast("Secrets", FakeSecrets())
        self.app.upstreams = cast("Upstreams", self.upstreams)
        self.app.providers = cast("Providers", Lines(self, world.tills))
        self.app.rate_sources = world.tills.sources
        self.app.event_bus = cast("EventBus", world.tills)
        self._skew_ms = skew_ms

    @property
    def idle(self) -> bool:
        return self.actor is None

    def call(self, operation: str, payload: Payload) -> Payload:
        return self.running.call(operation, payload)

    def run(self, name: str, body: Callable[[], object]) -> None:
        """Run this in the process; a process that is killed is never used again."""

        def function(actor: Actor) -> None:
            try:
                body()
            except Killed:
                return
            self.actor = None

        self.actor = self.upstreams.actor = Actor(self.world, name, function)
        self.world.start(self.actor)

    @property
    def running(self) -> Actor:
        """Who is served now."""
        assert self.actor is not None
        return self.actor

    def _now_ms(self) -> int:
        return self.world.now_ms + self._skew_ms

    def _write(self, line: str) -> None:
        if self.running.dead:
            raise Killed
        content = json.loads(line)
        self.world.log(self.running.name, f"logs {content['event']}")
        for metric in (SETTLEMENT_FAILED, HOLDS_LAPSED):
            if metric in content:
                self.world.metrics[f"{metric} {content['request_id']}"] += 1


class Client:
    """One request of a key, and what its client was told."""

    def __init__(self, world: World, name: str, key_id: str, secret: str, script: Script) -> None:
        self.world = world
        self.name = name
        self.key_id = key_id
        self.secret = secret
        self.script = script
        self.life_ms = world.life_ms
        self.leaves_after: int | None = None
        self.request_id = ""
        self.end = "killed"
        self.told_nano: int | None = None

    def run(self, process: Process) -> None:
        """The request, from the first byte to the last."""
        app = process.app
        exchange = Exchange(app, app.now_ms() + self.life_ms)
        self.request_id = exchange.request_id
        asked = Asked(self.key_id, secrets_text.hash_of(self.secret), self.name)
        self.world.rules.asked[self.request_id] = asked
        try:
            completion = complete(app, exchange, self.secret, self.script.body())
            self._receive(completion, process.actor)
        except OsirisError as error:
            self._told_of(error)
        self.world.log(self.name, f"ends: {self.end} {self.told_nano}")

    def _receive(self, completion: Completion, actor: Actor | None) -> None:
        assert actor is not None
        if completion.cost is not None:
            self.told_nano = nano_from_dollars(completion.cost)
            self._look(completion.body[0])  # type: ignore[index]
            self._ends_well()
            return
        body = cast("Generator[bytes]", completion.body)
        try:
            self._read(body)
        except OsirisError:
            raise
        except BaseException:
            # Whatever went wrong, nothing more of this function reaches the store.
            actor.dead = True
            with suppress(Killed):
                body.close()
            raise

    def _read(self, body: Generator[bytes]) -> None:
        seen = b""
        for number, piece in enumerate(body):
            seen += piece
            self._look(piece)
            if number == self.leaves_after:
                self.end = "left"
                body.close()
                return
        require(b"[DONE]" in seen or b"stop" in seen, "I8: ended without an end", seen)
        self._ends_well()

    def _ends_well(self) -> None:
        """The balance is right by then, or a metric says that it is not yet."""
        self.end = "well"
        holds = self.world.rules.items[f"key#{self.key_id}"]["holds"]
        failed = self.world.metrics[f"{SETTLEMENT_FAILED} {self.request_id}"]
        require(self.request_id not in holds or failed == 1, "I8: not settled", self.request_id)

    def _look(self, piece: bytes) -> None:
        """What tells of an end, or of a cost, leaves when the charge stands (I8, I9)."""
        found = _COST.search(piece)
        if found:
            self.told_nano = nano_from_dollars(found[1].decode())
        if found or b"[DONE]" in piece:
            entry = self._entry()
            require(entry is not None, "I8: it leaves before its entry", piece)
            assert entry is not None
            if found:
                require(self.told_nano == -entry["amount_nano"], "I9: cost told", entry)

    def _told_of(self, error: OsirisError) -> None:
        self.end = error.code
        charged = _CHARGED.search(error.message)
        if charged:
            self.told_nano = nano_from_dollars(charged[1])
        elif _FREE in error.message:
            self.told_nano = 0
        # One that we lost track of after the answer is seen by a metric, or by its lapse.
        if isinstance(error, StoreUnavailable) and self._forwarded:
            failed = self.world.metrics[f"{SETTLEMENT_FAILED} {self.request_id}"]
            require(failed == 1, "I8: nobody was told", self.request_id)

    @property
    def _forwarded(self) -> bool:
        return self.name in self.world.forwarded

    def _entry(self) -> dict[str, Any] | None:
        return self.world.rules.entries[self.key_id].get(self.request_id[4:])

    def check(self) -> None:
        """At the end of everything: what the client was told is what was charged."""
        entry = self._entry()
        if self.end == "well":
            require(entry is not None, "I8: a good end without its entry", self.name)
        if self.told_nano is not None:
            charged = -entry["amount_nano"] if entry is not None else 0
            require(charged == self.told_nano, "I9: told, charged", self.told_nano, charged)
        if entry is not None and "model" in entry:
            expected = self.script.cost_nano
            require(
                expected in (None, -entry["amount_nano"]) or self.end != "well",
                "charged by the formula",
                entry,
                expected,
            )
            self._check_free(-entry["amount_nano"])

    def _check_free(self, charged_nano: int) -> None:
        free = self.script.end in ("refused", "rejected", "failed", "empty")
        require(charged_nano == 0 or not free, "charged for nothing", self.script, charged_nano)


class Owner:
    """What owners and the operator do with a key. `secrets` are those they were told."""

    def __init__(self, world: World, account_id: str) -> None:
        self.world = world
        self.account_id = account_id
        self.key_ids: list[str] = []
        self.secrets: dict[str, list[str]] = {}

    def knows(self, issued: keys.Issued) -> None:
        """Remember a secret that was told."""
        key_id = issued.key.id
        if key_id not in self.secrets:
            self.key_ids.append(key_id)
        self.secrets.setdefault(key_id, []).append(issued.secret)

    def act(self, process: Process, what: str, key_id: str) -> None:
        """One change, and what must be so when it was answered well."""
        try:
            self._act(process, what, key_id)
        except OsirisError as error:
            self.world.log(what, f"ends: {error.code}")
        else:
            self.world.log(what, "ends well")

    def _act(self, process: Process, what: str, key_id: str) -> None:
        app, account_id = process.app, self.account_id
        if what.startswith("stranger "):
            self._intrude(process, what.removeprefix("stranger "), key_id)
            return
        match what.split()[0]:
            case "create":
                self.knows(keys.create(app, account_id, name="new"))
            case "stock":
                issued = keys.create(app, account_id, name="new")
                self.knows(issued)
                credit.grant(app, issued.key.id, amount_nano=50_000_000, days=1)
            case "trial":
                self.knows(keys.create(app, account_id, name="new", kind="trial"))
            case "disable":
                keys.set_enabled(app, account_id, key_id, enabled=False)
            case "enable":
                keys.set_enabled(app, account_id, key_id, enabled=True)
            case "rename":
                keys.rename(app, account_id, key_id, "other")
            case "rotate":
                self.knows(keys.rotate(app, account_id, key_id, overlap_hours=0))
            case "overlap":
                self.knows(keys.rotate(app, account_id, key_id, overlap_hours=1))
            case "delete":
                keys.delete(app, account_id, key_id, confirmed_name=None)
            case "confirm":
                name = keys.read(app, account_id, key_id).name
                keys.delete(app, account_id, key_id, confirmed_name=name)
            case "grant":
                credit.grant(app, key_id, amount_nano=50_000_000, days=1)
            case "limit":
                keys.set_rate_limit(app, key_id, int(what.split()[1]))
            case _:
                raise AssertionError(what)

    def _intrude(self, process: Process, what: str, key_id: str) -> None:
        """Another account's owner, who knows the key's id and name."""
        stranger = Owner(self.world, "eve")
        app = process.app
        try:
            if what == "confirm":
                keys.delete(app, "eve", key_id, confirmed_name="laptop")
            elif what == "rotate":
                seen = process.app.keys.read(key_id)
                assert seen is not None
                app.accounts.rotate(
                    seen._replace(account_id="eve"), secret_hash=b"e" * 32, old_until_ms=0
                )
            else:
                stranger._act(process, what, key_id)
        except OsirisError as error:
            self.world.log(what, f"ends: {error.code}")
        else:
            raise Violation(f"another's key was changed: {what}")


def reconcile_all(process: Process) -> None:
    """The reconciler's run, in the actor's own greenlet."""
    try:
        reconcile.reconcile(process.app, segments=1)
    except StoreUnavailable:
        process.world.log("reconciler", "ends: store_unavailable")
