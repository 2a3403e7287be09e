"""The signer against AWS's published vectors and against botocore."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from botocore import auth
from botocore import credentials as botocore_credentials
from botocore.awsrequest import AWSRequest

from osiris.wire.sigv4 import Credentials, sign

PUBLISHED = json.loads((Path(__file__).parent / "sigv4_vectors" / "published.json").read_text())


@pytest.mark.parametrize("name", PUBLISHED["cases"])
def test_published_vectors(name: str) -> None:
    """Each published request gets the published signature."""
    case, context = PUBLISHED["cases"][name], PUBLISHED["context"]
    signed = sign(
        method=case["method"],
        host=context["host"],
        path=case["path"],
        query=case.get("query", ""),
        headers=case.get("headers", {}),
        body=case.get("body", "").encode(),
        service=context["service"],
        region=context["region"],
        credentials=Credentials(
            context["access_key_id"], context["secret_access_key"], case.get("token")
        ),
        now_ms=int(datetime.fromisoformat(context["at"]).timestamp()) * 1000,
    )
    authorization = signed["Authorization"]
    assert authorization.rpartition("Signature=")[2] == case["signature"]
    assert authorization.startswith(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
    )
    assert signed["X-Amz-Date"] == "20150830T123600Z"


CALLS = [
    ("dynamodb", "application/x-amz-json-1.0", "DynamoDB_20120810.UpdateItem"),
    ("dynamodb", "application/x-amz-json-1.0", "DynamoDB_20120810.GetItem"),
    ("ssm", "application/x-amz-json-1.1", "AmazonSSM.GetParameter"),
]


@pytest.mark.parametrize(("service", "content_type", "target"), CALLS)
@pytest.mark.parametrize("token", [None, "a/session+token=="])
@pytest.mark.parametrize("now_ms", [0, 1_795_516_799_999, 1_795_516_800_000])
def test_equals_botocore(
    service: str, content_type: str, target: str, token: str | None, now_ms: int
) -> None:
    """The headers of our calls are those that botocore would send, on both sides of midnight."""
    host = f"{service}.eu-west-1.amazonaws.com"
    headers = {"Content-Type": content_type, "X-Amz-Target": target}
    body = '{"Name": "été"}'.encode()
    theirs = botocore_signed(service, f"https://{host}/", headers, body, token, now_ms)
    ours = sign(
        method="POST",
        host=host,
        path="/",
        query="",
        headers=headers,
        body=body,
        service=service,
        region="eu-west-1",
        credentials=Credentials("AKID", "made-up", token),
        now_ms=now_ms,
    )
    assert ours.pop("Host") == host
    assert ours == theirs


def botocore_signed(
    service: str, url: str, headers: dict[str, str], body: bytes, token: str | None, now_ms: int
) -> dict[str, str]:
    """What botocore makes of the same request at the same time."""
    request: Any = AWSRequest(method="POST", url=url, data=body, headers=headers)
    signer: Any = auth.SigV4Auth(
        botocore_credentials.Credentials("AKID", "made-up", token), service, "eu-west-1"
    )
    now = datetime.fromtimestamp(now_ms // 1000, UTC)
    with mock.patch.object(auth, "get_current_datetime", lambda *_: now):
        signer.add_auth(request)
    return dict(request.headers.items())


def test_does_not_change_what_it_is_given() -> None:
    """Signing is pure: the caller's headers stay as they are."""
    headers = {"A": "b"}
    sign(
        method="GET",
        host="h",
        path="/",
        query="",
        headers=headers,
        body=b"",
        service="s",
        region="r",
        credentials=Credentials("a", "b", None),
        now_ms=0,
    )
    assert headers == {"A": "b"}
