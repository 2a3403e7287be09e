"""Signs the local demo account in: ``python -m local.token`` prints a fresh ID token.

The account's password is random, made once and kept in the state directory.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from local.cloud import client_of, forget_own_aws
from local.environment_file import read_environment
from local.state import STATE_DIR, StateDirectory

if TYPE_CHECKING:
    from collections.abc import Sequence

DEMO_USER = "demo@osiris.local"
_PASSWORD_FILE = "demo-password"  # noqa: S105  (a file name)


def demo_password(state: StateDirectory) -> str:
    """The demo account's password; made up when there is none."""
    kept = state.read(_PASSWORD_FILE)
    if kept is None:
        # One character of each class that Cognito's default policy asks for, then 190 bits.
        kept = "aA1!" + secrets.token_urlsafe(24)
        state.write(_PASSWORD_FILE, kept)
    return kept


def ensure_demo_user(client: Any, *, pool_id: str, password: str) -> str:
    """Create the demo account unless it is there; return its subject (`sub`)."""
    try:
        user = client.admin_get_user(UserPoolId=pool_id, Username=DEMO_USER)["UserAttributes"]
    except client.exceptions.UserNotFoundException:
        client.admin_create_user(
            UserPoolId=pool_id,
            Username=DEMO_USER,
            UserAttributes=[
                {"Name": "email", "Value": DEMO_USER},
                {"Name": "email_verified", "Value": "true"},
            ],
            MessageAction="SUPPRESS",
        )
        user = client.admin_get_user(UserPoolId=pool_id, Username=DEMO_USER)["UserAttributes"]
    client.admin_set_user_password(
        UserPoolId=pool_id, Username=DEMO_USER, Password=password, Permanent=True
    )
    return next(str(part["Value"]) for part in user if part["Name"] == "sub")


def sign_in(client: Any, *, pool_id: str, client_id: str, password: str) -> str:
    """A fresh ID token of the demo account."""
    answer = client.admin_initiate_auth(
        UserPoolId=pool_id,
        ClientId=client_id,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": DEMO_USER, "PASSWORD": password},
    )
    return str(answer["AuthenticationResult"]["IdToken"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a token of the stack that runs on the state directory; 1 when none does."""
    parser = argparse.ArgumentParser(
        prog="python -m local.token", description="Print a bearer token of the demo account."
    )
    parser.add_argument("--state", type=Path, default=STATE_DIR, help="directory of the state")
    forget_own_aws()
    state = StateDirectory(parser.parse_args(arguments).state)
    variables = read_environment(state)
    try:
        print(
            sign_in(
                client_of("cognito-idp", variables["AWS_ENDPOINT_URL"]),
                # A Cognito issuer ends with the id of its pool.
                pool_id=variables["OSIRIS_OIDC_ISSUER"].rpartition("/")[2],
                client_id=variables["OSIRIS_OIDC_AUDIENCE"],
                password=demo_password(state),
            )
        )
    except (KeyError, BotoCoreError, ClientError):
        print("Osiris does not run here; start it with: make run", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
