"""The Runtime API as a function process meets it, in and out of turn."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from local.invocations import FunctionError, Invocation
from local.runtime_api import RuntimeApi

PREFIX = "/2018-06-01/runtime"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error_type(self) -> str:
        return str(json.loads(self.body)["errorType"])


class Process:
    """Plays the function process of one environment."""

    def __init__(self) -> None:
        self.idle = asyncio.Event()
        self.init_errors: list[FunctionError] = []
        self.api = RuntimeApi(
            function_arn="arn:aws:lambda:::function:F",
            timeout_s=20,
            on_idle=self.idle.set,
            on_init_error=self.init_errors.append,
        )

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.api.port)

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        reader, writer = await self.connect()
        fields = {"Host": "api", "Content-Length": str(len(body)), **(headers or {})}
        lines = [f"{method} {PREFIX}{path} HTTP/1.1", *(f"{n}: {v}" for n, v in fields.items())]
        writer.write("\r\n".join([*lines, "\r\n"]).encode() + body)
        answer = await read_answer(reader)
        writer.close()
        return answer

    async def take(self, invocation: Invocation) -> Answer:
        """Ask for the next invocation, and get this one."""
        self.idle.clear()
        asking = asyncio.create_task(self.ask("GET", "/invocation/next"))
        await self.idle.wait()
        self.api.hand_out(invocation)
        return await asking


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers["content-length"]))
    return Answer(int(first.split()[1]), headers, body)


def play(scenario: Callable[[Process], Awaitable[None]]) -> None:
    """Run a scenario against an API of its own."""

    async def main() -> None:
        process = Process()
        await process.api.start()
        try:
            async with asyncio.timeout(20):
                await scenario(process)
        finally:
            await process.api.stop()

    asyncio.run(main())


def test_an_invocation_comes_with_lambdas_headers() -> None:
    """Id, deadline, ARN and trace id, and the event as it is."""

    async def scenario(process: Process) -> None:
        invocation = Invocation(b'{"a": 1}', trace_id="Root=1-2")
        got = await process.take(invocation)
        assert got.body == b'{"a": 1}'
        assert got.headers["lambda-runtime-aws-request-id"] == invocation.id
        assert got.headers["lambda-runtime-invoked-function-arn"] == "arn:aws:lambda:::function:F"
        assert got.headers["lambda-runtime-trace-id"] == "Root=1-2"
        assert int(got.headers["lambda-runtime-deadline-ms"]) > 1_700_000_000_000

    play(scenario)


def test_an_answer_is_taken_once_and_only_for_the_open_invocation() -> None:
    """Another id, another token and a second answer are refused as InvalidRequestID."""

    async def scenario(process: Process) -> None:
        invocation = Invocation(b"{}")
        await process.take(invocation)
        path = f"/invocation/{invocation.id}/response"
        other = await process.ask("POST", "/invocation/other/response", b"1")
        stale = await process.ask("POST", path, b"2", {"Lambda-Runtime-Invocation-Id": "stale"})
        right = await process.ask("POST", path, b"3")
        again = await process.ask("POST", path, b"4")
        late = await process.ask("POST", f"/invocation/{invocation.id}/error", b"{}")
        statuses = [answer.status for answer in (other, stale, right, again, late)]
        assert statuses == [400, 400, 202, 400, 400]
        assert other.error_type == again.error_type == "InvalidRequestID"
        assert await invocation.reply.read_all() == b"3"

    play(scenario)


def test_an_error_is_named_by_its_header_or_by_itself() -> None:
    """The stock runtime client names the type in the payload alone."""

    async def scenario(process: Process) -> None:
        kinds = []
        for headers in ({"Lambda-Runtime-Function-Error-Type": "Named.Error"}, None):
            invocation = Invocation(b"{}")
            await process.take(invocation)
            body = b'{"errorType": "Own.Error", "errorMessage": "m"}'
            await process.ask("POST", f"/invocation/{invocation.id}/error", body, headers)
            try:
                await invocation.reply.read_all()
            except FunctionError as exc:
                kinds.append((exc.kind, exc.payload))
        assert kinds == [("Named.Error", body), ("Own.Error", body)]

    play(scenario)


def test_asking_for_the_next_without_an_answer_fails_the_last() -> None:
    """A runtime that forgets its answer leaves nobody waiting."""

    async def scenario(process: Process) -> None:
        invocation = Invocation(b"{}")
        await process.take(invocation)
        await process.take(Invocation(b"{}"))
        try:
            await invocation.reply.read_all()
        except FunctionError as exc:
            assert exc.kind == "Runtime.NoResponse"
        else:
            raise AssertionError("the invocation had no answer")

    play(scenario)


def test_asking_twice_at_once_and_unknown_paths_are_refused() -> None:
    """One process waits for one invocation; there is nothing beside the documented paths."""

    async def scenario(process: Process) -> None:
        asking = asyncio.create_task(process.ask("GET", "/invocation/next"))
        await process.idle.wait()
        second = await process.ask("GET", "/invocation/next")
        assert (second.status, second.error_type) == (403, "InvalidStateTransition")
        assert (await process.ask("GET", "/nothing")).status == 404
        process.api.hand_out(Invocation(b"{}"))
        assert (await asking).status == 200

    play(scenario)


def test_an_init_error_is_reported() -> None:
    """What the process says about its failed start reaches its environment."""

    async def scenario(process: Process) -> None:
        body = b'{"errorType": "Runtime.ImportModuleError", "errorMessage": "m"}'
        assert (await process.ask("POST", "/init/error", body)).status == 202
        assert [error.kind for error in process.init_errors] == ["Runtime.ImportModuleError"]

    play(scenario)


def test_what_was_sent_before_the_process_ended_counts() -> None:
    """A whole answer, followed by a question and the end, is an answer; nothing waits for ever."""

    async def scenario(process: Process) -> None:
        invocation = Invocation(b"{}")
        await process.take(invocation)
        answering, asking = await process.connect(), await process.connect()
        path = f"{PREFIX}/invocation/{invocation.id}/response"
        answering[1].write(f"POST {path} HTTP/1.1\r\nContent-Length: 4\r\n\r\nlast".encode())
        asking[1].write(f"GET {PREFIX}/invocation/next HTTP/1.1\r\n\r\n".encode())
        for _, writer in (answering, asking):
            writer.close()
        await process.api.drain()
        assert await invocation.reply.read_all() == b"last"

    play(scenario)


def test_a_cut_stream_is_an_error() -> None:
    """What the client has seen of it cannot be taken back, so the answer has failed."""

    async def scenario(process: Process) -> None:
        invocation = Invocation(b"{}")
        await process.take(invocation)
        _, writer = await process.connect()
        path = f"{PREFIX}/invocation/{invocation.id}/response"
        fields = "Transfer-Encoding: chunked\r\nLambda-Runtime-Function-Response-Mode: streaming"
        writer.write(f"POST {path} HTTP/1.1\r\n{fields}\r\n\r\n4\r\nhalf".encode())
        writer.close()
        assert await invocation.reply.read() == b"half"
        try:
            await invocation.reply.read()
        except FunctionError as exc:
            assert exc.kind == "Runtime.TruncatedResponse"
        else:
            raise AssertionError("half a stream passed for a whole one")

    play(scenario)


def test_a_cut_buffered_answer_may_be_sent_again() -> None:
    """Nobody has seen any of it, so only the whole one counts."""

    async def scenario(process: Process) -> None:
        invocation = Invocation(b"{}")
        await process.take(invocation)
        _, writer = await process.connect()
        path = f"/invocation/{invocation.id}/response"
        writer.write(f"POST {PREFIX}{path} HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf".encode())
        writer.close()
        assert (await process.ask("POST", path, b"whole")).status == 202
        assert await invocation.reply.read_all() == b"whole"

    play(scenario)
