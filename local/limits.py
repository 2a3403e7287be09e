"""AWS's limits that the local front keeps, each with its source.

"API Gateway quotas" is its developer guide's page of that name (REST APIs), "Lambda quotas" is
Lambda's. They are not settings: a request that passes here should pass there.
"""

from typing import NamedTuple

# API Gateway quotas: payload size; total size of all headers, "including header names, values, any
# line terminators, and whitespaces"; length of the URL of a regional API.
BODY_BYTES_MAX = 10 * 1024 * 1024
HEADER_BYTES_MAX = 20_480
URL_CHARACTERS_MAX = 10_240

# Lambda quotas, synchronous invocation: the event as JSON text. Lambda's own error text names it:
# "Request must be smaller than 6291456 bytes for the InvokeFunction operation".
EVENT_BYTES_MAX = 6_291_456
# "Exceeded maximum allowed payload size (6291556 bytes)", the answer of an ordinary function.
RESPONSE_BYTES_MAX = 6_291_556
# Lambda quotas, streamed responses.
STREAM_BYTES_MAX = 200 * 1024 * 1024

# API Gateway, "Set up a Lambda proxy integration with payload response streaming": the eight NUL
# bytes after the metadata must lie within the first 16 KB.
PRELUDE_BYTES_MAX = 16 * 1024

# Lambda gives on-demand functions this long to start before it tries once more.
INIT_TIMEOUT_S = 10


class Patience(NamedTuple):
    """How long the front waits for a peer; tests give smaller figures."""

    # API Gateway quotas: idle connection timeout.
    keep_alive_s: float = 310
    # A head or a piece of a body that takes longer is given up (AWS does not document its figure).
    receive_s: float = 30
    # API Gateway, response streaming: idle timeout of regional and private endpoints.
    stream_idle_s: float = 300
