"""What the system says about processes that a test started."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path


def children(pid: int) -> list[int]:
    """The processes below one."""
    answer = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    )
    pairs = [tuple(map(int, line.split())) for line in answer.stdout.splitlines()]
    return [child for child, parent in pairs if parent == pid]


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and is not yet waited for does not."""
    answer = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return bool(answer.stdout.strip()) and not answer.stdout.startswith("Z")


def listening(pid: int) -> set[tuple[str, int]]:
    """Addresses on which a process listens, by Linux's tables (proc(5), /proc/net/tcp)."""
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
