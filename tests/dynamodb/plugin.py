"""Fixtures: every engine in turn, and fresh tables on it. A conftest.py imports what it needs."""

from collections.abc import Iterator
from itertools import count
from secrets import token_hex

import pytest

from local.children import ChildFailed
from local.cloud import LocalCloud
from local.state import StateDirectory
from tests.dynamodb.schemas import REPOSITORY, schemas
from tests.dynamodb.servers import (
    ENGINE_NAMES,
    Engine,
    engine_at,
    local_endpoint,
    memory_engine,
    moto_engine,
    named_endpoint,
)

_numbers = count(1)
_RUN = token_hex(4)


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of a local cloud of this test process's own."""
    if not (REPOSITORY / ".venv-ministack" / "bin" / "ministack").exists():
        pytest.fail("ministack is not installed: `make test` prepares .venv-ministack")
    state = StateDirectory(tmp_path_factory.mktemp("ministack"))
    cloud = LocalCloud(state, repository=REPOSITORY)
    try:
        cloud.start(lock=state.lock(timeout_s=1))
    except ChildFailed as error:
        pytest.fail(str(error))
    yield cloud.endpoint
    cloud.stop()
    state.unlock()


@pytest.fixture(scope="module", params=ENGINE_NAMES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine over each of its transports, one after the other."""
    name: str = request.param
    if name == "memory":
        opened = memory_engine()
    elif name == "moto":
        opened = moto_engine()
    elif name.startswith("ministack"):
        opened = engine_at(name, local_endpoint(request.getfixturevalue("ministack")))
    else:
        opened = engine_at(name, named_endpoint())
    with opened as found:
        yield found


@pytest.fixture
def tables(engine: Engine, worker_id: str) -> dict[str, str]:
    """The product's tables, empty and this test's own: names by logical id ("KeysTable", …)."""
    return engine.create(schemas(new_prefix(worker_id)))


def new_prefix(worker_id: str) -> str:
    """A prefix for table names that no other test has, nor a run before this one had."""
    return f"osiris-test-{_RUN}-{worker_id}-{next(_numbers)}-"
