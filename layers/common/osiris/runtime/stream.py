"""An answer as Lambda wants it streamed: a JSON prelude, eight NULs, then the body's pieces.

Source: "Lambda proxy integration format for response streaming", API Gateway Developer Guide,
https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
"""

import json
import logging
from collections.abc import Iterable, Iterator

from osiris.errors import InternalError
from osiris.http.messages import Answer

CONTENT_TYPE = "application/vnd.awslambda.http-integration-response"

_DELIMITER = bytes(8)
# API Gateway looks for the delimiter in the first 16 KB.
_PRELUDE_BYTES_MAX = 16 * 1024

_log = logging.getLogger("osiris.runtime")


class Stream:
    """An answer under way: its prelude, its first piece, and the pieces to come."""

    __slots__ = ("_body", "first", "pieces", "prelude")

    def __init__(self, prelude: bytes, body: Iterable[bytes]) -> None:
        """Fetch the first piece: what fails before it can still be told as a whole error."""
        self.prelude = prelude
        self._body: Iterable[bytes] | None = body
        try:
            self.pieces: Iterator[bytes] = iter(body)
            self.first = next(self.pieces, b"")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the body, once; a generator sees GeneratorExit where it stands.

        A body that fails to close is a line in the log: the answer is out, or has failed already.
        """
        close = getattr(self._body, "close", None)
        self._body = None
        if close is None:
            return
        try:
            close()
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - the edge; nobody above could do more than log it
            _log.exception("the body of an answer failed to close")


def stream_of(answer: Answer) -> Stream:
    """Return the answer's stream, or that of an error when its headers are too large."""
    prelude = _prelude(answer)
    if len(prelude) <= _PRELUDE_BYTES_MAX:
        return Stream(prelude, answer.body)
    _log.error("an answer's headers need %d bytes", len(prelude))
    Stream(b"", answer.body).close()
    error = _too_large(answer)
    return Stream(_prelude(error), error.body)


def _prelude(answer: Answer) -> bytes:
    values: dict[str, list[str]] = {}
    for name, value in answer.headers:
        values.setdefault(name, []).append(value)
    head: dict[str, object] = {
        "statusCode": answer.status,
        "headers": {name: given[0] for name, given in values.items() if len(given) == 1},
    }
    repeated = {name: given for name, given in values.items() if len(given) > 1}
    if repeated:
        head["multiValueHeaders"] = repeated
    return json.dumps(head, separators=(",", ":")).encode("ascii") + _DELIMITER


def _too_large(answer: Answer) -> Answer:
    """The answer for one whose headers do not fit; it keeps the request's id."""
    headers = [("Content-Type", "application/json")]
    headers += [pair for pair in answer.headers if pair[0].lower() == "x-request-id"][:1]
    error = {
        "message": InternalError.message,
        "type": InternalError.type,
        "param": None,
        "code": InternalError.code,
    }
    return Answer(InternalError.status, headers, (json.dumps({"error": error}).encode(),))
