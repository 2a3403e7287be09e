"""Reading and changing single members of a JSON object's text, leaving every other byte as it was.

A body is passed through, not written anew: parsing tells where each member's value stands, and a
change is spliced in there. Top-level names must be unique: two readers of a repeated name may
disagree about which one counts, and what we meter must be what the upstream serves.
"""

import json
import re
from collections.abc import Callable
from json.decoder import scanstring  # type: ignore[attr-defined]  # typeshed lacks it
from typing import Any, NamedTuple

_SPACE = re.compile(r"[ \t\n\r]*")
# Python reads no whole number above 4,300 digits, and says so in words for programmers.
_DIGITS_MAX = 4_000
# A name may be as long as the body; what is said of it need not.
_NAME_LENGTH_TOLD = 64


class Member(NamedTuple):
    """One member's value, and where its text stands: `text[start:end]`."""

    value: Any
    start: int
    end: int


class ObjectText(NamedTuple):
    """A JSON object: its text, its members by name, and where its closing brace stands."""

    text: str
    members: dict[str, Member]
    end: int

    def value(self, name: str, default: Any = None) -> Any:
        """The member's value, or the default when it is not there."""
        member = self.members.get(name)
        return default if member is None else member.value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _whole_number(digits: str) -> int:
    if len(digits) > _DIGITS_MAX:
        raise ValueError("a number has too many digits")
    return int(digits)


_decode: Callable[[str, int], tuple[Any, int]] = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_int=_whole_number
).raw_decode


def parse_object(text: str, start: int = 0) -> ObjectText:
    """The object that begins at `start` and, when that is 0, makes up the whole text.

    Raises ValueError, saying what is wrong, when it is not JSON, not an object, nested too deeply,
    or names a member twice.
    """
    try:
        parsed = _parse_members(text, start)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except IndexError:
        raise ValueError("ends too early") from None
    if start == 0 and _skip(text, parsed.end + 1) != len(text):
        raise ValueError("there is more after the object")
    return parsed


def with_members(parsed: ObjectText, changes: dict[str, str]) -> str:
    """The text with these members' values (as JSON texts) replaced, or added at the end."""
    text = parsed.text
    added = [
        f"{json.dumps(name)}:{new}" for name, new in changes.items() if name not in parsed.members
    ]
    if added:
        comma = "," if parsed.members else ""
        text = f"{text[: parsed.end]}{comma}{','.join(added)}{text[parsed.end :]}"
    present = [
        (parsed.members[name], new) for name, new in changes.items() if name in parsed.members
    ]
    for member, new in sorted(present, key=lambda change: -change[0].start):
        text = text[: member.start] + new + text[member.end :]
    return text


def _skip(text: str, position: int) -> int:
    if text[position : position + 1] > " ":
        return position  # as nearly always: programs write no space
    match = _SPACE.match(text, position)
    assert match is not None
    return match.end()


def _parse_members(text: str, start: int) -> ObjectText:
    position = _skip(text, start)
    if text[position] != "{":
        raise ValueError("is not an object")
    members: dict[str, Member] = {}
    position = _skip(text, position + 1)
    if text[position] == "}":
        return ObjectText(text, members, position)
    while True:
        if text[position] != '"':
            raise ValueError(f"a name in double quotes is missing at character {position}")
        name, position = scanstring(text, position + 1, True)
        position = _skip(text, position)
        if text[position] != ":":
            raise ValueError(f"a colon is missing at character {position}")
        value_start = _skip(text, position + 1)
        value, value_end = _decode(text, value_start)
        if name in members:
            raise ValueError(f"names {name[:_NAME_LENGTH_TOLD]!r} twice")
        members[name] = Member(value, value_start, value_end)
        position = _skip(text, value_end)
        if text[position] == "}":
            return ObjectText(text, members, position)
        if text[position] != ",":
            raise ValueError(f"a comma is missing at character {position}")
        position = _skip(text, position + 1)
