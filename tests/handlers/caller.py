"""Someone signed in who calls `/api/keys`: REST proxy events in, checked answers out."""

import json
import re
from pathlib import Path
from typing import Any

from osiris.http.keys import keys_api
from osiris.identity import IdTokens, account_id
from osiris.identity.jwks import IssuerKeys, reader
from osiris.ids import is_request_id
from osiris.wire.tls import shared_context
from tests.builders import World
from tests.issuer import AUDIENCE, ISSUER, JwksServer, public_jwk, rsa_key, token

REPOSITORY = Path(__file__).parents[2]
RSA = rsa_key()
ADA = account_id(ISSUER, "ada")


class Caller:
    """A signed-in person, the API they speak to, and the world behind it."""

    def __init__(self, server: JwksServer) -> None:
        server.publish(public_jwk(RSA, "one"))
        self.server = server
        self.world = World({"OSIRIS_TRIAL_AMOUNT": "5"})
        keys = IssuerKeys(reader(server.url, shared_context), self.world.app.now_ms)
        self.api = keys_api(self.world.app, IdTokens(keys, issuer=ISSUER, audience=AUDIENCE))

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: dict[str, str] | None = None,
        bearer: str | None = None,
        **changes: Any,
    ) -> "Answered":
        text = body if isinstance(body, str | None) else json.dumps(body)
        return Answered(self.api.answer(event(method, path, text, query, bearer, changes), None))


class Answered:
    """An answer, checked for what every answer has."""

    def __init__(self, answer: dict[str, Any]) -> None:
        headers = dict(answer["multiValueHeaders"])
        assert is_request_id(headers["X-Request-Id"][0])
        assert headers["Content-Type"] == ["application/json"]
        assert headers["Cache-Control"] == ["no-store"]
        assert answer["isBase64Encoded"] is False
        self.status: int = answer["statusCode"]
        self.headers = headers
        self.text: str = answer["body"]
        self.json: dict[str, Any] = json.loads(self.text)
        # Lambda passes it on as JSON.
        json.dumps(answer)

    @property
    def error(self) -> tuple[int, str, str | None]:
        """Status, code and member at fault."""
        assert self.json.keys() == {"error"}
        error = self.json["error"]
        assert error.keys() == {"message", "type", "param", "code"}
        assert error["message"]
        return self.status, error["code"], error["param"]


def event(
    method: str,
    path: str,
    body: str | None,
    query: dict[str, str] | None,
    bearer: str | None,
    changes: dict[str, Any],
) -> dict[str, Any]:
    """A REST proxy event, as in events/."""
    text = (REPOSITORY / "events" / "keys_no_token.json").read_text()
    resource = re.sub(r"^/api/keys/[^/]+", "/api/keys/{id}", path)
    authorization = f"Bearer {token(RSA)}" if bearer is None else bearer
    given: dict[str, Any] = json.loads(text)
    given["multiValueHeaders"]["Authorization"] = [authorization]
    return (
        given
        | {
            "httpMethod": method,
            "path": path,
            "resource": resource,
            "body": body,
            "queryStringParameters": query,
            "multiValueQueryStringParameters": None,
        }
        | changes
    )


def created(ada: Caller, name: str = "laptop") -> dict[str, Any]:
    answer = ada.call("POST", "/api/keys", {"name": name})
    assert answer.status == 201
    return answer.json
