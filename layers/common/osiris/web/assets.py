"""Style sheet, script and icon: our own, compressed, named by their content for ever."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

_FOLDER = Path(__file__).with_name("assets")
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HASH_LENGTH = 12


class Asset(NamedTuple):
    """A file as it is sent: its public name, type, bytes, and the same bytes by gzip."""

    public_name: str
    media_type: str
    content: bytes
    compressed: bytes


@cache
def assets() -> dict[str, Asset]:
    """All assets by their own names ("style.css")."""
    return {path.name: _asset(path) for path in sorted(_FOLDER.iterdir())}


@cache
def by_public_name() -> dict[str, Asset]:
    """All assets by the names that pages give them ("style.3f0c….css")."""
    return {asset.public_name: asset for asset in assets().values()}


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:_HASH_LENGTH]
    return Asset(
        public_name=f"{path.stem}.{digest}{path.suffix}",
        media_type=_MEDIA_TYPES[path.suffix],
        content=content,
        compressed=gzip.compress(content, mtime=0),
    )
