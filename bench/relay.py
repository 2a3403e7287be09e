"""A plain relay: Starlette and httpx under uvicorn, as most gateways in Python begin.

`python -m bench.relay UPSTREAM_URL` prints its port. It passes each piece on as it came and looks
at none of them: no key, no usage, no database.
"""

import socket
import ssl
import sys
from collections.abc import AsyncIterator

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route


def application(url: str) -> Starlette:
    """The relay of one upstream."""
    client = httpx.AsyncClient(verify=ssl.create_default_context(), timeout=270)

    async def chat(request: Request) -> StreamingResponse:
        headers = {"authorization": "Bearer sk-upstream", "content-type": "application/json"}
        body = await request.body()
        sent = client.build_request("POST", url, content=body, headers=headers)
        response = await client.send(sent, stream=True)

        async def pieces() -> AsyncIterator[bytes]:
            try:
                async for piece in response.aiter_raw():
                    yield piece
            finally:
                await response.aclose()

        return StreamingResponse(pieces(), media_type="text/event-stream")

    return Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])])


def main() -> None:
    """Serve on a free port of loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(application(sys.argv[1]), log_level="error", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
