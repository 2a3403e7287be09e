"""CPU and memory of a cold start: from bare Python to a function that asks for its first request.

Bytecode is compiled beforehand, and the TLS context is built from a bundle of the system's
authorities. The proxy builds its own at its first connection; here it is built before, so that the
figure has it.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from bench.certificate import authorities
from bench.measuring import Spread, aim, interleaved, table
from bench.runtime_api import RuntimeApi
from bench.subject import LAYER, Subject
from bench.surroundings import HEAVY, PROXY, Surroundings, event, function, surroundings

AIM_MS = 100
AIM_MB = 48
BARE, CLIENT, IMPORTS, OURS, USUAL = (
    "bare Python",
    "AWS's runtime client, http.client, TLS context",
    "the proxy's imports, TLS context",
    "the proxy, up to its first invocation",
    "boto3 + httpx + pydantic + Powertools, likewise",
)

_SCRIPTS = {
    BARE: "import sys",
    CLIENT: "import sys, http.client, ssl; from awslambdaric import bootstrap, "
    "lambda_runtime_client; ssl.create_default_context()",
    IMPORTS: "import sys, osiris.runtime.__main__, handler; "
    "from osiris.wire.tls import shared_context; shared_context()",
}
_STARTED = "; print('started', flush=True); sys.stdin.read()"
_MAIN = "from osiris.runtime.__main__ import main; "
_MAINS = {
    OURS: f"{_MAIN}from osiris.wire.tls import shared_context; shared_context(); main()",
    # Its clients build theirs when the handler is imported.
    USUAL: f"{_MAIN}main()",
}
_TASKS = {OURS: PROXY, USUAL: HEAVY}

# CPU time in milliseconds and resident memory in megabytes.
type Start = tuple[float, float]


def measured(around: Surroundings, *, times: int) -> tuple[dict[str, Spread], dict[str, float]]:
    """CPU milliseconds and resident megabytes of each start."""
    memory: dict[str, float] = {}

    def round_of(name: str) -> Callable[[], float]:
        def cpu_ms() -> float:
            found_ms, memory[name] = start(around, name)
            return found_ms

        return cpu_ms

    rounds = {name: round_of(name) for name in (*_SCRIPTS, *_TASKS)}
    for compiling in rounds.values():
        compiling()
    return interleaved(rounds, times=times), memory


def start(around: Surroundings, name: str) -> Start:
    """Start it once, up to where it waits."""
    if name in _SCRIPTS:
        command = [sys.executable, "-P", "-c", _SCRIPTS[name] + _STARTED]
        path = {"PYTHONPATH": f"{PROXY}:{LAYER}"}
        with Subject(command, around.environment | path) as subject:
            subject.hear()
            return _figures(subject)
    task = _TASKS[name]
    with RuntimeApi() as api:
        environment = around.environment | {
            "AWS_LAMBDA_RUNTIME_API": api.address,
            "LAMBDA_TASK_ROOT": str(task),
            "_HANDLER": "handler.lambda_handler",
        }
        command = [sys.executable, "-P", "-c", _MAINS[name]]
        log = around.bundle.with_name(f"{task.name}.log")
        with Subject(command, environment, log=log) as subject:
            api.wait_until_asked()
            return _figures(subject)


def warm_memory_mb(around: Surroundings, task: Path, *, requests: int = 20) -> tuple[float, float]:
    """Resident memory of a function that has served requests, and the most it ever had."""
    with RuntimeApi() as api, function(around, api, task) as subject:
        for _ in range(requests):
            api.wait_until_asked()
            api.invoke(event(tokens=200))
        api.wait_until_asked()
        return subject.memory_mb(), subject.memory_mb("VmHWM")


def _figures(subject: Subject) -> Start:
    return subject.cpu_ns / 1e6, subject.memory_mb()


def main(times: int = 15) -> bool:
    """Print the tables; whether the aims were met."""
    with surroundings() as around:
        found, memory = measured(around, times=times)
        warm = {name: warm_memory_mb(around, task) for name, task in _TASKS.items()}
        count = authorities(around.bundle)
    bare_ms = found[BARE].median
    table(
        f"A cold start ({times} rounds; {count} certificates in the bundle)",
        ("started", "CPU ms", "least–most", "over bare Python", "MB"),
        [
            (
                name,
                f"{ms.median:.0f}",
                f"{ms.least:.0f}–{ms.most:.0f}",
                f"{ms.median - bare_ms:.0f}",
                f"{memory[name]:.0f}",
            )
            for name, ms in found.items()
        ],
    )
    table(
        "Memory after 20 requests of 200 tokens",
        ("function", "MB", "most"),
        [
            (name.partition(",")[0], f"{now:.0f}", f"{most:.0f}")
            for name, (now, most) in warm.items()
        ],
    )
    over_ms = found[IMPORTS].median - bare_ms
    fast = aim(f"the proxy's imports cost ≤ {AIM_MS} ms over bare Python", met=over_ms <= AIM_MS)
    return aim(f"the proxy has ≤ {AIM_MB} MB", met=warm[OURS][1] <= AIM_MB) and fast


if __name__ == "__main__":
    sys.exit(not main(*map(int, sys.argv[1:])))
