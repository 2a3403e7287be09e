"""Ada, signed in, with a world of her own; and a shop with providers that sign their webhooks."""

from collections.abc import Iterator

import pytest

from tests.handlers.caller import Caller
from tests.handlers.topup_shop import Shop, opened
from tests.issuer import jwks_server


@pytest.fixture
def ada() -> Iterator[Caller]:
    with jwks_server() as server:
        yield Caller(server)


@pytest.fixture
def shop() -> Iterator[Shop]:
    with opened() as shop:
        yield shop
