"""CPU of a whole warm request: the proxy beside the same work with the usual libraries.

Counted is all that the function's process does for it: taking the invocation, checking the request,
Admit, the upstream's stream over TLS, Record, Settle, the log line, and posting each piece to the
Runtime API. Both run under our streaming runtime: AWS's own can't stream.
"""

import contextlib
import sys
from collections.abc import Iterator

from bench.measuring import Round, Spread, aim, interleaved, table
from bench.runtime_api import RuntimeApi
from bench.subject import Subject
from bench.surroundings import HEAVY, PROXY, Surroundings, event, function, surroundings

AIM = 0.3
TOKENS = (1, 200)
TASKS = {"proxy": PROXY, "boto3 + httpx + pydantic + Powertools": HEAVY}


def measured(around: Surroundings, *, requests: int, times: int) -> dict[str, Spread]:
    """Microseconds of CPU a request, by the stack's name and the number of tokens."""
    with contextlib.ExitStack() as opened:
        rounds = {}
        for name in TASKS:
            api, subject = opened.enter_context(_warm(around, name))
            for tokens in TOKENS:
                rounds[f"{name}, {tokens}"] = _round(api, subject, tokens, requests)
        return interleaved(rounds, times=times)


@contextlib.contextmanager
def _warm(around: Surroundings, name: str) -> Iterator[tuple[RuntimeApi, Subject]]:
    """A function that has answered properly."""
    with RuntimeApi() as api, function(around, api, TASKS[name]) as subject:
        api.wait_until_asked()
        for tokens in (*TOKENS, *TOKENS):
            answer = api.invoke(event(tokens=tokens))
            assert b'"cost":' in answer.replace(b" ", b""), answer[:2000]
            assert answer.count(b" token") == tokens
            api.wait_until_asked()
        yield api, subject


def _round(api: RuntimeApi, subject: Subject, tokens: int, requests: int) -> Round:
    sent = event(tokens=tokens)

    def cost_us() -> float:
        before_ns = subject.cpu_ns
        for _ in range(requests):
            api.invoke(sent)
            api.wait_until_asked()
        return (subject.cpu_ns - before_ns) / 1000 / requests

    return cost_us


def main(requests: int = 30, times: int = 15) -> bool:
    """Print the table; whether the aim was met."""
    with surroundings() as around:
        found = measured(around, requests=requests, times=times)
    ours, heavy = TASKS
    rows, ratios = [], []
    for tokens in TOKENS:
        whole = found[f"{heavy}, {tokens}"].median
        for name in TASKS:
            spread = found[f"{name}, {tokens}"]
            spread_text = f"{spread.least:.0f}–{spread.most:.0f}"
            ratio = f"{spread.median / whole:.2f}"
            rows.append((str(tokens), name, f"{spread.median:.0f}", spread_text, ratio))
        ratios.append(found[f"{ours}, {tokens}"].median / whole)
    table(
        f"CPU of a whole warm request, streamed ({times} rounds of {requests})",
        ("tokens", "stack", "µs", "least–most", "of the usual stack's"),
        rows,
    )
    return aim(f"a request costs ≤ {AIM} of the usual stack's", met=max(ratios) <= AIM)


if __name__ == "__main__":
    sys.exit(not main(*map(int, sys.argv[1:])))
