"""What a page's markup has in it: elements with their attributes, and where its links lead."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import NamedTuple
from urllib.parse import urldefrag

_ADDRESSES = ("href", "src", "action", "formaction", "data")


class Element(NamedTuple):
    """A start tag."""

    tag: str
    attributes: dict[str, str]


class Markup(HTMLParser):
    """A page, read. `inline` is what stands in its script and style elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.inline = ""
        self._within = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))
        self._within = tag

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within in ("script", "style"):
            self.inline += data.strip()

    def of(self, *tags: str) -> list[dict[str, str]]:
        """The attributes of the elements with these tags."""
        return [element.attributes for element in self.elements if element.tag in tags]

    @property
    def links(self) -> set[str]:
        """Where one can go from it, without the place in a page."""
        found = {attributes.get("href", "") for attributes in self.of("a")}
        return {urldefrag(link).url for link in found} - {""}

    def forbidden(self) -> list[str]:
        """What the content security policy would not let work, or should not be there at all."""
        wrong = [self.inline] if self.inline else []
        for tag, attributes in self.elements:
            names = [name for name in attributes if name.startswith("on") or name == "style"]
            values = [
                name
                for name in _ADDRESSES
                if is_script(attributes.get(name, "")) and not is_saved_picture(tag, attributes)
            ]
            wrong += [f"{tag} {each}" for each in (*names, *values)]
            if tag in ("style", "base", "iframe", "object", "embed", "frame"):
                wrong.append(tag)
            if tag in ("script", "link", "img") and "//" in f"{attributes.get('src', '')}":
                wrong.append(f"{tag} from another host")
        return wrong


def is_script(value: str) -> bool:
    """Whether a browser would run the address."""
    return "".join(value.split()).lower().startswith(("javascript:", "vbscript:", "data:"))


def is_saved_picture(tag: str, attributes: dict[str, str]) -> bool:
    """Whether it is a link by which a picture in the page is saved: no browser opens it."""
    is_picture = attributes.get("href", "").startswith("data:image/png;base64,")
    return tag == "a" and "download" in attributes and is_picture
