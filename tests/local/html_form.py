"""Reads a page with one form as a browser does, for tests that use nothing else of it."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx


class Page(HTMLParser):
    """What a browser makes of a page with one form."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        self.action = ""
        self.hidden: dict[str, str] = {}
        self.visible: set[str] = set()
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.problem = ""
        self._is_in_problem = False
        self.inputs: dict[str, dict[str, str]] = {}
        self.feed(response.text)

    @property
    def sign_up_link(self) -> str:
        """The address of the one link to the sign-up page."""
        (link,) = (link for link in self.links if link.startswith("/signup?"))
        return link

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what a browser would act on."""
        values = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        self._is_in_problem = values.get("class") == "error"
        if tag == "form":
            assert (self.action, values["method"]) == ("", "POST")
            self.action = values["action"]
        elif tag == "a":
            self.links.append(values["href"])
        elif tag == "input":
            self.inputs[values["name"]] = values
            if values["type"] == "hidden":
                self.hidden[values["name"]] = values["value"]
            else:
                self.visible.add(values["name"])

    def handle_endtag(self, tag: str) -> None:
        """The problem's text ends."""
        self._is_in_problem = False

    def handle_data(self, data: str) -> None:
        """Keep the problem's text."""
        if self._is_in_problem:
            self.problem += data
