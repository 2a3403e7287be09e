"""CPU of one DynamoDB call: the store's Admit on the proxy's transport and on boto3's."""

import sys

from bench.measuring import Round, aim, interleaved, table
from bench.subject import Subject
from bench.surroundings import Surroundings, surroundings

AIM = 0.3
TRANSPORTS = ("lean", "boto3")


def measured(around: Surroundings, *, calls: int, times: int) -> dict[str, tuple[float, ...]]:
    """Microseconds of CPU a call, by transport: median, least and most of the rounds."""
    with (
        Subject([sys.executable, "-m", "bench.caller", "lean"], around.environment) as lean,
        Subject([sys.executable, "-m", "bench.caller", "boto3"], around.environment) as boto3,
    ):
        rounds = {
            "lean": _round(lean, calls),
            "boto3": _round(boto3, calls),
        }
        for warm_up in rounds.values():
            warm_up()
        return dict(interleaved(rounds, times=times))


def _round(subject: Subject, calls: int) -> Round:
    def cost_us() -> float:
        before_ns = subject.cpu_ns
        subject.tell(str(calls))
        subject.hear()
        return (subject.cpu_ns - before_ns) / 1000 / calls

    return cost_us


def main(calls: int = 200, times: int = 15) -> bool:
    """Print the table; whether the aim was met."""
    with surroundings() as around:
        found = measured(around, calls=calls, times=times)
    boto3 = found["boto3"][0]
    table(
        f"CPU of a DynamoDB call over TLS (Admit; {times} rounds of {calls})",
        ("transport", "µs", "least–most", "of boto3's"),
        [
            (name, f"{us:.0f}", f"{least:.0f}–{most:.0f}", f"{us / boto3:.2f}")
            for name, (us, least, most) in found.items()
        ],
    )
    return aim(f"a call costs ≤ {AIM} of boto3's", met=found["lean"][0] <= AIM * boto3)


if __name__ == "__main__":
    sys.exit(not main(*map(int, sys.argv[1:])))
