"""`python -m bench`: every part in turn, one table each."""

import platform
import sys

from bench import call, chunk, imports, request, writes
from bench.subject import OTHERS_CPU, SUBJECT_CPU


def main() -> int:
    """Run all parts; the exit status is 1 when an aim was missed."""
    where = f"CPU {SUBJECT_CPU}, what they speak to on CPU {OTHERS_CPU}"
    print(f"CPython {platform.python_version()}, {platform.machine()}; subjects on {where}")
    missed = [part.__name__ for part in (imports, request, call, chunk, writes) if not part.main()]
    if missed:
        print(f"\nAims missed in: {', '.join(missed)}")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
