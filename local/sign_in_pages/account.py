"""Makes an account in the local cloud's user pool, as Cognito's sign-up page does.

On AWS a code is mailed, and the account is confirmed with it. Here nobody could read the mail, so
whoever signs up is confirmed at once.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

PASSWORD_LENGTH_MIN = 12  # the pool's policy in template.yaml
PASSWORD_LENGTH_MAX = 256  # this and the next are SignUp's own limits, which ministack lacks
EMAIL_LENGTH_MAX = 128

_UNKNOWN_CLIENT = "The application that sent you here is not known. Go back to it and try again."
_REASONS = {
    "UsernameExistsException": "There is an account with this e-mail address already.",
    "InvalidParameterException": "This is not an e-mail address.",
    "ResourceNotFoundException": _UNKNOWN_CLIENT,
    # The client is another pool's, and so is the account that was made through it.
    "UserNotFoundException": _UNKNOWN_CLIENT,
    "InvalidPasswordException": "The rules for passwords do not allow this one.",
}


class AccountRefused(Exception):
    """No account was made; the text says why, to the person who wanted it."""


def create_account(client: Any, *, pool_id: str, client_id: str, email: str, password: str) -> None:
    """Make a confirmed account through a `cognito-idp` client.

    Raises AccountRefused, and botocore's BotoCoreError when the cloud does not answer.
    """
    _check(client_id=client_id, email=email, password=password)
    try:
        made = client.sign_up(
            ClientId=client_id,
            Username=email,
            Password=password,
            UserAttributes=[{"Name": "email", "Value": email}],
        )
        user = {"UserPoolId": pool_id, "Username": made["UserSub"]}
        client.admin_confirm_sign_up(**user)
        verified = [{"Name": "email_verified", "Value": "true"}]
        client.admin_update_user_attributes(**user, UserAttributes=verified)
    except ClientError as exc:
        code = exc.response["Error"]["Code"]
        raise AccountRefused(_REASONS.get(code, f"The local cloud refused: {code}.")) from exc


def _check(*, client_id: str, email: str, password: str) -> None:
    """Refuse what Cognito would refuse, in better words, and what ministack lets pass."""
    if not client_id:
        raise AccountRefused(_UNKNOWN_CLIENT)
    if not 0 < len(email) <= EMAIL_LENGTH_MAX:
        raise AccountRefused(_REASONS["InvalidParameterException"])
    if len(password) < PASSWORD_LENGTH_MIN:
        raise AccountRefused(f"The password needs at least {PASSWORD_LENGTH_MIN} characters.")
    if len(password) > PASSWORD_LENGTH_MAX:
        raise AccountRefused(f"The password may have {PASSWORD_LENGTH_MAX} characters at most.")
