"""`sam local invoke` of the build, in a container of Lambda's base image, without any database."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.deploy.sam_cli import REPOSITORY, Sam

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.sam, pytest.mark.timeout(900)]

BASE_IMAGE = "public.ecr.aws/lambda/python:3.13-x86_64"
# Nothing answers there: whatever the functions ask for is out of reach, on any machine.
UNREACHABLE = (
    "dynamodb.us-east-1.amazonaws.com",
    "ssm.us-east-1.amazonaws.com",
    "cognito-idp.us-east-1.amazonaws.com",
)
# Between the prelude and the body of a streamed answer (response-transfer-mode-lambda.html).
DELIMITER = "\0" * 8


class Seen(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def engine() -> Iterator[None]:
    """A container engine that holds the base image; the images that SAM made go afterwards."""
    try:
        running = docker("info").returncode == 0
    except (FileNotFoundError, subprocess.TimeoutExpired):
        running = False
    if not running:
        pytest.skip("no container engine runs (`docker info`)")
    if docker("image", "inspect", BASE_IMAGE).returncode != 0:
        pytest.skip(f"the image is missing: docker pull {BASE_IMAGE}")
    before = sam_images()
    yield
    made = sam_images() - before
    if made:
        docker("image", "rm", *made)


def sam_images() -> set[str]:
    listed = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "samcli/lambda-python")
    return set(listed.stdout.split())


def invoke(sam: Sam, built: Path, function: str, event: str) -> Seen:
    unreachable = [f"--add-host={host}:127.0.0.1" for host in UNREACHABLE]
    done = sam.run(
        *("local", "invoke", function),
        *("--template-file", str(built / "template.yaml")),
        *("--parameter-overrides", "Architecture=x86_64"),
        *("--event", str(REPOSITORY / "events" / f"{event}.json")),
        "--skip-pull-image",
        *unreachable,
    )
    return answer_of(done.stdout)


def answer_of(text: str) -> Seen:
    """What was answered: a streamed answer's prelude and body, or a buffered one's object."""
    prelude, delimiter, body = text.strip().partition(DELIMITER)
    answer = json.loads(prelude)
    pairs = answer.get("headers") or {}
    pairs |= {name: values[-1] for name, values in answer.get("multiValueHeaders", {}).items()}
    headers = {name.lower(): str(value) for name, value in pairs.items()}
    return Seen(answer["statusCode"], headers, body if delimiter else answer["body"])


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("function", "event", "status", "code"),
    [
        ("ProxyFunction", "proxy_no_key", 401, "missing_api_key"),
        ("ProxyFunction", "proxy_not_json", 400, "invalid_json"),
        ("ProxyFunction", "proxy_store_unreachable", 503, "store_unavailable"),
        ("KeysFunction", "keys_no_token", 401, "invalid_token"),
        ("TopupsFunction", "topups_no_token", 401, "invalid_token"),
        ("TopupWebhookFunction", "topup_webhook_unknown_provider", 404, "route_not_found"),
    ],
)
def test_a_packaged_function_answers_without_a_database(
    sam: Sam, built_for_this_machine: Path, function: str, event: str, status: int, code: str
) -> None:
    """The build starts on Lambda's image, the proxy through its wrapper, and answers as it must."""
    seen = invoke(sam, built_for_this_machine, function, event)
    assert (seen.status, json.loads(seen.body)["error"]["code"]) == (status, code)
    assert "x-request-id" in seen.headers


@pytest.mark.usefixtures("engine")
def test_a_packaged_page_is_rendered_without_a_database(
    sam: Sam, built_for_this_machine: Path
) -> None:
    """The pages start through the wrapper, too, with their templates, styles and translations."""
    seen = invoke(sam, built_for_this_machine, "WebFunction", "web_start")
    assert (seen.status, seen.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert seen.body.startswith("<!doctype html>")
    assert seen.body.rstrip().endswith("</html>")
