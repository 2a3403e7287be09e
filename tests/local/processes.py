"""What Linux says about processes that a test started."""

from __future__ import annotations

import socket
from pathlib import Path


def children(pid: int) -> list[int]:
    """The processes below one."""
    others = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [other for other in others if _stat(other)[1:2] == [str(pid)]]


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and is not yet waited for does not."""
    return _stat(pid)[:1] not in ([], ["Z"])


def command_line(pid: int) -> str:
    """What the process was started with."""
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def _stat(pid: int) -> list[str]:
    """State, parent and so on, as proc(5) numbers them from the third; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def listening(pid: int) -> set[tuple[str, int]]:
    """Addresses on which a process listens, by the kernel's tables (proc(5), /proc/net/tcp)."""
    links = Path(f"/proc/{pid}/fd").iterdir()
    sockets = {str(link.readlink()) for link in links if link.is_symlink()}
    found = set()
    for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:  # 0A: TCP_LISTEN
                address, port = fields[1].split(":")
                words = bytes.fromhex(address)
                raw = b"".join(words[i : i + 4][::-1] for i in range(0, len(words), 4))
                found.add((socket.inet_ntop(family, raw), int(port, 16)))
    return found
