"""Runs a command that ends when its parent does: ``python leash.py PARENT_PID SIGNAL COMMAND…``.

A parent that is killed outright cannot end its children. On Linux the kernel does it for us
(``PR_SET_PDEATHSIG``, prctl(2)); the setting lives through ``exec``, so this process becomes the
command and nothing stands between. Elsewhere the command simply runs.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def _main() -> None:
    parent_pid, signal_number, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
        if os.getppid() != parent_pid:  # it died before the leash was on
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606  (no shell is wanted)


if __name__ == "__main__":
    _main()
