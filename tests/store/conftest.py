"""The store's tests run on every engine (tests/dynamodb)."""

import pytest

from tests.dynamodb.plugin import engine, ministack, new_prefix, tables
from tests.dynamodb.servers import Engine
from tests.store.lab import Lab

__all__ = ["engine", "ministack", "tables"]


@pytest.fixture(scope="module")
def lab(engine: Engine, worker_id: str) -> Lab:
    """Tables of this module on one engine; each test has items of its own."""
    return Lab(engine, new_prefix(worker_id))
