"""What a function process prints, line by line, in order with what its environment says about it.

The process writes stdout and stderr into one pipe. The event loop reads it as it fills; `drain`
reads at once what is there already, so that a REPORT line comes after the lines it reports on.
"""

import asyncio
import os
from collections.abc import Callable

_READ_BYTES = 64 * 1024
# A line longer than this is passed on in parts; CloudWatch's own limit is 1 MB.
_LINE_BYTES_MAX = 1024 * 1024


class Output:
    """One process's output pipe; `write_fd` is the process's end of it."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._rest = b""
        self._read_fd = self.write_fd = -1
        self._is_open = False

    def open(self) -> None:
        """Make the pipe. Errors: OSError."""
        self._read_fd, self.write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        self._is_open = True
        asyncio.get_running_loop().add_reader(self._read_fd, self.drain)

    def started(self) -> None:
        """The process has its end of the pipe, or never came to be: give ours up."""
        os.close(self.write_fd)

    def drain(self) -> None:
        """Pass on every whole line that was printed by now."""
        while self._is_open:
            try:
                piece = os.read(self._read_fd, _READ_BYTES)
            except BlockingIOError:
                return
            if not piece:
                self._end()
                return
            *lines, self._rest = (self._rest + piece).split(b"\n")
            if len(self._rest) > _LINE_BYTES_MAX:
                lines.append(self._rest)
                self._rest = b""
            for line in lines:
                self._tell(_text(line))

    def close(self) -> None:
        """The process has ended: pass on what is left, an unfinished line too."""
        self.drain()
        self._end()

    def _end(self) -> None:
        if self._is_open:
            self._is_open = False
            asyncio.get_running_loop().remove_reader(self._read_fd)
            os.close(self._read_fd)
            if self._rest:
                self._tell(_text(self._rest))
                self._rest = b""


def _text(line: bytes) -> str:
    """A line as text; the runtime client puts carriage returns between the lines of a traceback."""
    return line.decode("utf-8", "replace").rstrip("\r").replace("\r", "\n")
