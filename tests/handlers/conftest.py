"""Ada, signed in, with a world of her own."""

from collections.abc import Iterator

import pytest

from tests.handlers.caller import Caller
from tests.issuer import jwks_server


@pytest.fixture
def ada() -> Iterator[Caller]:
    with jwks_server() as server:
        yield Caller(server)
