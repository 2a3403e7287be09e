"""Run histories by seed, as many as asked for: `python -m tests.simulation --seeds 10000`.

The first that breaks an invariant is printed, with its seed: `--seeds 1 --from SEED` is the same
history again. `--small` runs every history of the small cases instead, which takes minutes.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from typing import TYPE_CHECKING

from tests.simulation.histories import by_seed
from tests.simulation.small_cases import LARGE_CASES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulation.histories import History


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many (1000)")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--small", action="store_true", help="small cases, whole")
    parser.add_argument("--most", type=int, default=100_000, help="of one small case (100000)")
    parser.add_argument("--show", action="store_true", help="print every history")
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    named = _small(arguments.most) if arguments.small else _by_seed(seeds)
    held = 0
    for name, history in named:
        try:
            history.run()
        except Exception:  # noqa: BLE001 - whatever it is, its history is told
            _write(*history.world.history, traceback.format_exc(), f"{name} fails")
            return 1
        if arguments.show:
            _write(*history.world.history, name, "")
        held += 1
    _write(f"{held} histories hold")
    return 0


def _by_seed(seeds: range) -> Iterator[tuple[str, History]]:
    for seed in seeds:
        yield f"seed {seed}", by_seed(seed)


def _small(most: int) -> Iterator[tuple[str, History]]:
    for name, case in LARGE_CASES.items():
        for number, history in enumerate(case.histories(most)):
            yield f"{name}, history {number}", history
        _write(f"{name}: {number + 1} histories")


def _write(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
