"""Pictures of every page: `python -m tests.e2e.screenshots FOLDER` (Chromium is needed).

Three of them stand in docs/images: keys, an open order and usage, of the look "light".
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.e2e.chromium import Window, chromium
from tests.e2e.conftest import SHORT_WAITS, running
from tests.e2e.furnished import EMPTY, PUBLIC, furnish
from tests.e2e.visitor import Visitor

PHONE = {"width": 390, "height": 844}
LOOKS: dict[str, dict[str, object]] = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": PHONE},
    "light-id": {"locale": "id-ID"},
    "phone-id": {"viewport": PHONE, "locale": "id-ID", "color_scheme": "dark"},
}


def main(folder: Path) -> None:
    """Make a stack and accounts, and take every page in every look: a folder for each."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as state,
        chromium() as browser,
        running(Path(state), SHORT_WAITS, {"TrialAmount": "5"}) as harness,
    ):
        first = Window(browser)
        visitor = Visitor(first, harness.stack)
        visitor.sign_up("ann@example.com")
        made = furnish(visitor, harness)
        kept = first.context.storage_state()
        first.close()
        for look, options in LOOKS.items():
            outside = Window(browser, **options)
            take(folder / f"public.{look}", Visitor(outside, harness.stack), PUBLIC)
            outside.close()
            inside = Window(browser, storage_state=kept, **options)
            take(folder / f"account.{look}", Visitor(inside, harness.stack), made.paths)
            inside.close()
            second = Window(browser)
            Visitor(second, harness.stack).sign_up(f"{look}@example.com")
            new = Window(browser, storage_state=second.context.storage_state(), **options)
            second.close()
            visitor = Visitor(new, harness.stack)
            take(folder / f"new.{look}", visitor, EMPTY)
            visitor.go("/keys")
            visitor.create_first_key()
            new.page.screenshot(path=folder / f"new.{look}" / "secret.png", full_page=True)
            new.close()


def take(folder: Path, visitor: Visitor, paths: list[str]) -> None:
    """Pictures of these pages, in their order."""
    for number, path in enumerate(paths):
        visitor.go(path)
        picture = folder / f"{number:02d}-{name(path)}.png"
        visitor.page.screenshot(path=picture, full_page=True)


def name(path: str) -> str:
    """A file's name for a page, without the ids in its address."""
    words = [word for word in path.partition("?")[0].split("/") if word.isalpha()]
    return "-".join(words) or "start"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
