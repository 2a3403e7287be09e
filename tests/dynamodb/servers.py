"""The engines that the store's contract holds on, each with the transport it is reached by.

`memory` is ours; `moto` runs in this process; `ministack` is the local cloud's own DynamoDB over
both transports. OSIRIS_TEST_DYNAMODB=<endpoint> adds any other one (DynamoDB itself too, with
credentials and region from the environment), over both transports as well.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from typing import Any, NamedTuple

import boto3
from botocore.config import Config

from local.cloud import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY
from osiris.store.transport import Transport
from osiris.store.transport_boto3 import CONFIG, Boto3Transport
from osiris.store.transport_lean import AwsJson, LeanTransport
from osiris.wire.sigv4 import Credentials
from osiris.wire.tls import shared_context
from tests.dynamodb.engine import MemoryDynamoDB

NAMED_ENDPOINT = os.environ.get("OSIRIS_TEST_DYNAMODB", "")
MINISTACK = ("ministack-boto3", "ministack-lean")
NAMED = ("named-boto3", "named-lean") if NAMED_ENDPOINT else ()
ENGINE_NAMES = ("memory", "moto", *MINISTACK, *NAMED)
# boto3's clients share one pool of connections among threads.
_CONNECTIONS_MAX = 100


class Engine:
    """One engine over one transport."""

    def __init__(
        self,
        name: str,
        *,
        new_transport: Callable[[], Transport],
        create_table: Callable[[Mapping[str, Any]], object],
    ) -> None:
        self.name = name
        self._new_transport = new_transport
        self._create_table = create_table
        self.transport = new_transport()

    @property
    def kind(self) -> str:
        """`memory`, `moto`, `ministack` or `named`."""
        return self.name.partition("-")[0]

    def transport_of_a_thread(self) -> Transport:
        """Another transport: a lean one has one connection and serves one thread."""
        return self._new_transport()

    def create(self, schemas: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """Create these tables; returns their names by the schemas' ids."""
        for schema in schemas.values():
            self._create_table(schema)
        return {logical_id: schema["TableName"] for logical_id, schema in schemas.items()}


class Endpoint(NamedTuple):
    """Where a DynamoDB listens and who we are to it."""

    url: str
    region: str
    credentials: Credentials

    def client(self) -> Any:
        return boto3.client(
            "dynamodb",
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id=self.credentials.access_key_id,
            aws_secret_access_key=self.credentials.secret_access_key,
            aws_session_token=self.credentials.session_token,
            config=CONFIG.merge(Config(proxies={}, max_pool_connections=_CONNECTIONS_MAX)),
        )

    def lean(self, opened: ExitStack) -> LeanTransport:
        """A lean transport, whose connection is closed with `opened`."""
        dynamodb = AwsJson(
            service="dynamodb",
            target="DynamoDB_20120810",
            version="1.0",
            region=self.region,
            endpoint_url=self.url,
            credentials=self.credentials,
            now_ms=lambda: time.time_ns() // 1_000_000,
            tls=shared_context,
        )
        opened.callback(lambda: dynamodb._connection.close())
        return LeanTransport(dynamodb)


def local_endpoint(url: str) -> Endpoint:
    """An endpoint of the local cloud."""
    return Endpoint(url, REGION, Credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY, None))


def named_endpoint() -> Endpoint:
    """The endpoint of OSIRIS_TEST_DYNAMODB."""
    given = os.environ
    credentials = Credentials(
        given.get("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
        given.get("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
        given.get("AWS_SESSION_TOKEN"),
    )
    return Endpoint(NAMED_ENDPOINT, given.get("AWS_REGION", REGION), credentials)


@contextmanager
def memory_engine() -> Iterator[Engine]:
    dynamodb = MemoryDynamoDB()

    def create_table(schema: Mapping[str, Any]) -> None:
        dynamodb.call("CreateTable", dict(schema))

    yield Engine("memory", new_transport=lambda: dynamodb, create_table=create_table)


@contextmanager
def moto_engine() -> Iterator[Engine]:
    from moto import mock_aws  # slow to import, and only this engine needs it

    # An AWS_ENDPOINT_URL of the caller would lead past moto. (The stubs lack the option.)
    unconfigured = Config(ignore_configured_endpoint_urls=True)  # type: ignore[call-arg]
    config = CONFIG.merge(unconfigured)
    with mock_aws(), closing(boto3.client("dynamodb", region_name=REGION, config=config)) as client:
        yield Engine(
            "moto",
            new_transport=lambda: Boto3Transport(client),
            create_table=lambda schema: client.create_table(**schema),
        )


@contextmanager
def engine_at(name: str, endpoint: Endpoint) -> Iterator[Engine]:
    """The engine at an endpoint; `name` ends in the transport. Its tables go when it ends."""
    created: list[str] = []
    with ExitStack() as opened, closing(endpoint.client()) as client:

        def create_table(schema: Mapping[str, Any]) -> None:
            client.create_table(**schema)
            created.append(schema["TableName"])
            client.get_waiter("table_exists").wait(
                TableName=schema["TableName"], WaiterConfig={"Delay": 1}
            )

        lean = name.endswith("-lean")
        yield Engine(
            name,
            new_transport=lambda: endpoint.lean(opened) if lean else Boto3Transport(client),
            create_table=create_table,
        )
        for table_name in created:
            client.delete_table(TableName=table_name)
