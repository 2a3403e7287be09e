"""DynamoDB calls and units of a request, and the size of a key, on the local cloud's DynamoDB.

Every call of the real flow is made with ReturnConsumedCapacity, and what happens is noted in order.
"""

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bench import answers
from bench.measuring import aim, table
from bench.noted import Call, Noted, app_over, cloud_transport
from bench.stand_in import HOST, StandIn
from bench.subject import ROOT
from bench.surroundings import chat
from local.cloud import LocalCloud
from local.state import StateDirectory
from osiris.app.full import FullApp
from osiris.app.lean import now_ms
from osiris.flows.completion import complete
from osiris.flows.exchange import Exchange
from osiris.ids import request_id
from osiris.store.items import key_item
from osiris.upstream import Upstreams
from osiris.wire.tls import shared_context
from tests.dynamodb.schemas import schemas
from tests.dynamodb.values import item_bytes

HOLDS = (0, 5, 20)
KEY_BYTES_MAX = 1024
# What one request may do, in this order.
EXPECTED = ["UpdateItem", "upstream", "PutItem", "UpdateItem"]


class NotedUpstreams(Upstreams):
    """Upstreams whose calls are noted among those of the store."""

    def __init__(self, calls: list[Call]) -> None:
        super().__init__(shared_context)
        self._calls = calls

    def open(self, *args: Any, **named: Any) -> Any:
        """Forward the request."""
        self._calls.append(Call("upstream", 0))
        return super().open(*args, **named)


class Lab(NamedTuple):
    """The app over a local cloud that holds a key and a model, and what it did."""

    app: FullApp
    noted: Noted


@contextlib.contextmanager
def lab() -> Iterator[Lab]:
    """A local cloud and an upstream of this bench's own."""
    stand_in = StandIn(None)
    stand_in.start()
    with tempfile.TemporaryDirectory() as made:
        state = StateDirectory(Path(made))
        cloud = LocalCloud(state, repository=ROOT)
        cloud.start(lock=state.lock(timeout_s=1))
        try:
            for schema in schemas().values():
                cloud.client("dynamodb").create_table(**schema)
            name = "/osiris/OPENAI_API_KEY"
            cloud.client("ssm").put_parameter(Name=name, Value="sk-upstream", Type="SecureString")
            yield _lab(cloud, f"http://{HOST}:{stand_in.plain_port}/v1")
        finally:
            cloud.stop()
            state.unlock()
            stand_in.close()


def _lab(cloud: LocalCloud, base_url: str) -> Lab:
    app, noted = app_over(
        cloud_transport(cloud.endpoint), entropy=os.urandom, endpoint=cloud.endpoint
    )
    app.upstreams = NotedUpstreams(noted.calls)
    app.models.put(answers.the_model(answers.MODELS[0], base_url))
    put_key(Lab(app, noted), holds=0)
    return Lab(app, noted)


def put_key(lab: Lab, *, holds: int) -> int:
    """Put the key anew, with so many requests open; returns its size in bytes."""
    now = now_ms()
    held = {request_id(now, os.urandom(16)): answers.HOLD_NANO for _ in range(holds)}
    key = answers.the_key()
    available_nano = key.balance_nano - sum(held.values())
    item = key_item(key._replace(holds=held, available_nano=available_nano))
    lab.noted.call("PutItem", {"TableName": "KeysTable", "Item": item})
    return item_bytes(item)


def request(lab: Lab) -> list[Call]:
    """The calls of one whole request by a process that has the catalogue and the secret."""
    lab.noted.calls.clear()
    exchange = Exchange(lab.app, now_ms() + 60_000)
    body = json.dumps(chat(tokens=3, model=answers.MODELS[0])).encode()
    answer = b"".join(complete(lab.app, exchange, answers.SECRET, body).body)
    assert b'"cost":' in answer, answer
    return list(lab.noted.calls)


def main() -> bool:
    """Print the tables; whether the aims were met."""
    sizes = {}
    with lab() as made:
        first = request(made)
        warm = request(made)
        for holds in HOLDS:
            size = put_key(made, holds=holds)
            sizes[holds] = size, [call.units for call in request(made)]
    table(
        "Calls of a request",
        ("process", "calls, in order", "write units"),
        [
            ("its first request", _told(first), f"{_written(first):g}"),
            ("warm", _told(warm), f"{_written(warm):g}"),
        ],
    )
    table(
        "A key's item, beside a request's writes",
        ("other requests open", "bytes", "Admit", "Record", "Settle"),
        [
            (str(holds), str(size), f"{units[0]:g}", f"{units[2]:g}", f"{units[3]:g}")
            for holds, (size, units) in sizes.items()
        ],
    )
    in_order = [call.operation for call in warm] == EXPECTED
    aim("one call before the upstream's, three writes in all", met=in_order)
    cheap = aim("a request is 3 write units", met=_written(warm) == len(EXPECTED) - 1)
    small = all(sizes[holds][0] <= KEY_BYTES_MAX for holds in HOLDS[:2])
    return aim("a key in ordinary use is below 1 KB", met=small) and in_order and cheap


def _told(calls: list[Call]) -> str:
    return ", ".join(call.operation for call in calls)


def _written(calls: list[Call]) -> float:
    return sum(call.units for call in calls if call.operation in ("UpdateItem", "PutItem"))


if __name__ == "__main__":
    sys.exit(not main())
