"""Pictures of every page: `python -m tests.e2e.screenshots FOLDER` (Chromium is needed).

Three of them stand in docs/images: keys, an open order and usage, of the look "light".
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.e2e.chromium import Window, chromium
from tests.e2e.conftest import SHORT_WAITS, running
from tests.e2e.furnished import PUBLIC, furnish
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
    """Make a stack and an account, and take every page in every look."""
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
        for look, options in LOOKS.items():
            window = Window(browser, storage_state=kept, **options)
            for number, path in enumerate([*PUBLIC, *made.paths]):
                window.page.goto(harness.stack.url + path)
                picture = folder / f"{number:02d}-{name(path)}.{look}.png"
                window.page.screenshot(path=picture, full_page=True)
            window.close()
        first.close()


def name(path: str) -> str:
    """A file's name for a page, without the ids in its address."""
    words = [word for word in path.partition("?")[0].split("/") if word.isalpha()]
    return "-".join(words) or "start"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
