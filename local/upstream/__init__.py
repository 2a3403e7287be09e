"""A stand-in for the model upstreams on this machine: OpenAI, DeepSeek and Anthropic on the wire.

Start it with `python -m local.upstream --port N`, or inside a test:

    with UpstreamSimulator() as upstream:
        client = OpenAI(base_url=upstream.base_url, api_key="any")

The same body always brings the same bytes. The last user message steers the answer; the words it
may use are listed in `steering.py`.
"""

from local.upstream.recording import RecordedRequest
from local.upstream.server import UpstreamSimulator

__all__ = ["RecordedRequest", "UpstreamSimulator"]
