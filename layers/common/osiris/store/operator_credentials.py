"""AWS credentials of a person: for the lean client, which reads no profiles and no sign-in."""

from __future__ import annotations

import boto3
from botocore.exceptions import BotoCoreError

from osiris.settings import SettingMissing


def operator_credentials() -> dict[str, str]:
    """What boto3 finds by itself, as the variables in which Lambda gives it; empty for nothing.

    Raises SettingMissing when there is something, and it is of no use: a session that has ended.
    """
    try:
        session = boto3.Session()
        region, credentials = session.region_name, session.get_credentials()
        frozen = credentials and credentials.get_frozen_credentials()
    except BotoCoreError as error:
        raise SettingMissing(f"AWS can't be reached so: {error}") from error
    found: dict[str, str | None] = {"AWS_REGION": region}
    if frozen:
        found |= {
            "AWS_ACCESS_KEY_ID": frozen.access_key,
            "AWS_SECRET_ACCESS_KEY": frozen.secret_key,
            "AWS_SESSION_TOKEN": frozen.token,
        }
    return {name: value for name, value in found.items() if value}
