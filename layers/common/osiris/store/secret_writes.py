"""Setting secrets: SSM SecureString parameters, which CloudFormation can't make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from osiris.errors import StoreUnavailable
from osiris.store.secrets import SECRET_BYTES_MAX

if TYPE_CHECKING:
    from osiris.settings import Settings


class SecretWrites:
    """Secrets by name, below one path of parameters, over a boto3 client of SSM."""

    def __init__(self, client: Any, settings: Settings) -> None:
        self._client = client
        self._path = settings.secrets_path.rstrip("/")

    def read(self, name: str) -> str:
        """A secret's text as it stands now, or empty. Raises StoreUnavailable."""
        try:
            answer = self._client.get_parameter(Name=f"{self._path}/{name}", WithDecryption=True)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code == "ParameterNotFound":
                return ""
            raise StoreUnavailable(details=f"GetParameter: {code}") from error
        except BotoCoreError as error:
            raise StoreUnavailable(details=f"GetParameter: {type(error).__name__}") from error
        return str(answer["Parameter"]["Value"])

    def put(self, name: str, text: str) -> int:
        """Set a secret, over what stood there; returns the parameter's version, from 1.

        Raises StoreUnavailable, whose details don't hold the text.
        """
        assert len(text.encode()) <= SECRET_BYTES_MAX
        try:
            answer = self._client.put_parameter(
                Name=f"{self._path}/{name}", Value=text, Type="SecureString", Overwrite=True
            )
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            raise StoreUnavailable(details=f"PutParameter: {code}") from error
        except BotoCoreError as error:
            raise StoreUnavailable(details=f"PutParameter: {type(error).__name__}") from error
        return int(answer["Version"])
