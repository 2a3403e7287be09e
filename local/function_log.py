"""Where the lines go that functions print: a file, and the terminal when someone wants to see."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class FunctionLog:
    """Takes (function id, line), as :class:`local.environments.Settings` asks for."""

    def __init__(self, path: Path, *, shows: bool) -> None:
        self._file = path.open("a", buffering=1)  # by line, so that `tail -f` shows each
        self._shows = shows

    def __call__(self, function_id: str, line: str) -> None:
        self._file.write(f"{function_id} {line}\n")
        if self._shows:
            sys.stderr.write(f"{function_id} {line}\n")

    def __enter__(self) -> FunctionLog:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._file.close()
