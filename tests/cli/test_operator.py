"""Who runs the command: credentials from wherever the operator keeps them."""

from pathlib import Path

import boto3
import pytest

from osiris.cli.operator import Operator

PROFILE = """\
[me]
aws_access_key_id = AKIDEXAMPLE
aws_secret_access_key = example
aws_session_token = token
region = ap-southeast-3
"""


@pytest.fixture(autouse=True)
def aws_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile in a file, and nothing of the machine's own."""
    file = tmp_path / "credentials"
    file.write_text(PROFILE)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_PROFILE", "me")
    # boto3 keeps the session that another test may have made.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


def test_a_profile_signs_what_asks_a_provider() -> None:
    """Secrets are read with the credentials that boto3 finds."""
    settings = Operator({}).app("region").settings
    assert (settings.access_key_id, settings.secret_access_key) == ("AKIDEXAMPLE", "example")
    assert (settings.session_token, settings.region) == ("token", "ap-southeast-3")


def test_the_environment_goes_before_a_profile() -> None:
    """Its credentials and its region are meant, as for boto3 itself."""
    given = {"AWS_ACCESS_KEY_ID": "AKIDOTHER", "AWS_REGION": "us-east-1"}
    settings = Operator(given).app("region").settings
    assert (settings.access_key_id, settings.session_token) == ("AKIDOTHER", "")
    settings = Operator({"AWS_REGION": "us-east-1"}).app("region").settings
    assert (settings.access_key_id, settings.region) == ("AKIDEXAMPLE", "us-east-1")
