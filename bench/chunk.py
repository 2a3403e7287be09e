"""CPU of one relayed chunk, saturated: the proxy beside a plain relay of Starlette and httpx.

The upstream sends one event after the other, each a piece of its own, as fast as it is read. What a
request costs beside its chunks is taken away: the figure is the cost of a long stream less that of
a short one, divided by the difference in events. The proxy also splits, meters and withholds; the
plain relay does none of that.
"""

import contextlib
import json
import socket
import sys
from collections.abc import Callable, Iterator

from bench import answers
from bench.measuring import Round, Spread, aim, interleaved, table
from bench.runtime_api import RuntimeApi, read_to_end
from bench.stand_in import HOST
from bench.subject import Subject
from bench.surroundings import Surroundings, chat, event, function, surroundings

AIM_US = 20
AIM = 0.7
SHORT = 1

type Send = Callable[[int], bytes]


def measured(around: Surroundings, *, events: int, times: int) -> dict[str, Spread]:
    """Microseconds of CPU a chunk, by relay and the upstream's scheme."""
    with contextlib.ExitStack() as opened:
        proxy, serve = opened.enter_context(_proxy(around))
        rounds = {
            "proxy, https": _round(proxy, lambda tokens: serve(tokens, 0), events),
            "proxy, http": _round(proxy, lambda tokens: serve(tokens, 1), events),
        }
        for scheme, port in (("https", around.tls_port), ("http", around.plain_port)):
            url = f"{scheme}://{HOST}:{port}/v1/chat/completions"
            relay, send = opened.enter_context(_relay(around, url))
            rounds[f"Starlette + httpx, {scheme}"] = _round(relay, send, events)
        for warm_up in rounds.values():
            warm_up()
        return interleaved(rounds, times=times)


@contextlib.contextmanager
def _proxy(around: Surroundings) -> Iterator[tuple[Subject, Callable[[int, int], bytes]]]:
    with RuntimeApi() as api, function(around, api) as subject:
        api.wait_until_asked()

        def serve(tokens: int, model: int) -> bytes:
            answer = api.invoke(event(tokens=tokens, model=answers.MODELS[model]))
            api.wait_until_asked()
            return answer

        yield subject, serve


@contextlib.contextmanager
def _relay(around: Surroundings, url: str) -> Iterator[tuple[Subject, Send]]:
    command = [sys.executable, "-m", "bench.relay", url]
    with Subject(command, around.environment) as subject:
        port = int(subject.hear())
        with socket.create_connection((HOST, port), timeout=60) as sock:

            def send(tokens: int) -> bytes:
                body = json.dumps(chat(tokens=tokens, model=answers.MODELS[0])).encode()
                head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {HOST}\r\n"
                sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                return read_to_end(sock)

            yield subject, send


def _round(subject: Subject, send: Send, events: int) -> Round:
    def spent_ns(tokens: int) -> int:
        before_ns = subject.cpu_ns
        answer = send(tokens)
        assert answer.count(b" token") == tokens, answer[:1000]
        return subject.cpu_ns - before_ns

    return lambda: (spent_ns(events) - spent_ns(SHORT)) / 1000 / (events - SHORT)


def main(events: int = 2000, times: int = 11) -> bool:
    """Print the table; whether the aims were met."""
    with surroundings() as around:
        found = measured(around, events=events, times=times)
    rows, met = [], True
    for scheme in ("https", "http"):
        plain = found[f"Starlette + httpx, {scheme}"].median
        for name in ("proxy", "Starlette + httpx"):
            spread = found[f"{name}, {scheme}"]
            spread_text = f"{spread.least:.1f}–{spread.most:.1f}"
            ratio = f"{spread.median / plain:.2f}"
            rows.append((scheme, name, f"{spread.median:.1f}", spread_text, ratio))
        met = met and found[f"proxy, {scheme}"].median <= AIM * plain
    table(
        f"CPU of a relayed chunk, saturated ({times} rounds of {events} chunks)",
        ("upstream", "relay", "µs", "least–most", "of the plain relay's"),
        rows,
    )
    met_us = found["proxy, https"].median <= AIM_US
    aim(f"a chunk costs ≤ {AIM_US} µs on this machine (https)", met=met_us)
    return aim(f"a chunk costs ≤ {AIM} of the plain relay's", met=met) and met_us


if __name__ == "__main__":
    sys.exit(not main(*map(int, sys.argv[1:])))
