"""A sweep reads and writes in proportion to what expired, whatever else there is."""

import random

import pytest

from bench.noted import app_over
from bench.sweep import CALLS_BESIDE_MAX, Size, fill, swept
from osiris.app.lean import now_ms
from tests.dynamodb.engine import MemoryDynamoDB
from tests.dynamodb.schemas import schemas

pytestmark = pytest.mark.timeout(300)

# Two reads of the key table for each that expired would be one too many.
READ_UNITS_A_KEY_MAX = 1.1
# The key and its entry in a transaction, twice one unit each, and the index.
WRITE_UNITS_A_KEY = 5


@pytest.mark.parametrize("size", [Size(2_000, 1_000), Size(100_000, 1_000)], ids=str)
def test_a_sweep_forfeits_exactly_what_expired(size: Size) -> None:
    """Of 100,000 keys the 1,000 expired ones are forfeited, by as many calls as of 2,000."""
    memory = MemoryDynamoDB(schemas().values())
    app, noted = app_over(memory, entropy=random.Random(1).randbytes)
    fill(memory, size, now_ms())
    cost = swept(app, noted)
    assert cost.forfeited == size.expired
    assert cost.calls <= 2 * size.expired + CALLS_BESIDE_MAX
    assert cost.read_units <= READ_UNITS_A_KEY_MAX * size.expired
    assert cost.write_units == WRITE_UNITS_A_KEY * size.expired + 1
    again = swept(app, noted)
    assert (again.forfeited, again.calls <= CALLS_BESIDE_MAX) == (0, True)
    left = [item for item in memory.items("KeysTable") if "expiry_day" in item]
    assert len(left) == size.keys - size.expired
