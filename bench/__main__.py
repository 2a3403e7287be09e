"""`python -m bench`: every part in turn, one table each."""

import platform
import sys
from pathlib import Path

from bench import call, chunk, imports, request, sweep, writes
from bench.subject import OTHERS_CPU, SUBJECT_CPU


def main() -> int:
    """Run all parts; the exit status is 1 when an aim was missed."""
    print(f"CPython {platform.python_version()}, {platform.system()} {platform.release()}")
    print(f"{_processor()}; subjects on CPU {SUBJECT_CPU}, all else on CPU {OTHERS_CPU}")
    missed = [
        part.__name__ for part in (imports, request, call, chunk, writes, sweep) if not part.main()
    ]
    if missed:
        print(f"\nAims missed in: {', '.join(missed)}")
    return bool(missed)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return platform.machine()


if __name__ == "__main__":
    sys.exit(main())
