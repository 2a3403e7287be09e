"""A JSON object's text: read as `json` reads it, changed without touching another byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris.json_text import parse_object, with_members

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)
OBJECTS = st.dictionaries(st.text(), VALUES, max_size=5)
LAYOUTS = st.fixed_dictionaries(
    {
        "indent": st.sampled_from([None, 0, 1, "\t"]),
        "separators": st.sampled_from([(",", ":"), (", ", ": "), (" ,\r\n", "\t:\n")]),
        "ensure_ascii": st.booleans(),
    }
)


@given(OBJECTS, LAYOUTS)
def test_reads_what_json_reads(content: dict[str, Any], layout: dict[str, Any]) -> None:
    """Every object's members are those that json.loads finds, each at the place of its text."""
    text = f" \n{json.dumps(content, **layout)}\t"
    parsed = parse_object(text)
    assert {name: member.value for name, member in parsed.members.items()} == content
    for member in parsed.members.values():
        assert json.loads(text[member.start : member.end]) == member.value
    assert text[parsed.end] == "}"


@given(st.text(alphabet='{}[]",:\\ntrue10. \n', max_size=30))
def test_refuses_what_json_refuses(text: str) -> None:
    """A text is taken exactly when it is one JSON object without a repeated name."""
    try:
        parsed = parse_object(text)
    except ValueError:
        try:
            pairs = json.loads(text, object_pairs_hook=lambda pairs: pairs)
        except ValueError:
            return
        is_object = text.lstrip().startswith("{")
        assert not is_object or len({name for name, _ in pairs}) < len(pairs)
    else:
        assert json.loads(text) == {name: member.value for name, member in parsed.members.items()}


@given(OBJECTS, LAYOUTS, st.dictionaries(st.text(), VALUES, max_size=3), st.data())
def test_splices_nothing_else(
    content: dict[str, Any], layout: dict[str, Any], new: dict[str, Any], data: st.DataObject
) -> None:
    """Members are replaced or added; all bytes outside the replaced values stay as they were."""
    if content:
        new |= dict.fromkeys(data.draw(st.sets(st.sampled_from(sorted(content)))), 0)
    text = json.dumps(content, **layout)
    parsed = parse_object(text)
    changed = with_members(parsed, {name: json.dumps(value) for name, value in new.items()})
    assert json.loads(changed) == content | new
    kept, cut = [], 0
    for name, member in sorted(parsed.members.items(), key=lambda pair: pair[1].start):
        if name in new:
            kept.append(text[cut : member.start])
            cut = member.end
    kept.append(text[cut : parsed.end])
    position = 0
    for part in kept:
        position = changed.index(part, position) + len(part)
    assert changed.endswith(text[parsed.end :])


def test_changes_an_object_inside_a_text() -> None:
    """An object that begins further in is changed where it stands, with the text around it."""
    text = '{"usage": {"a": 1 }, "b":[ ]}'
    inner = parse_object(text, parse_object(text).members["usage"].start)
    assert with_members(inner, {"cost": "0.1"}) == '{"usage": {"a": 1 ,"cost":0.1}, "b":[ ]}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        '{"a"',
        '{"a":',
        '{"a":1',
        '{"a":1,',
        '{"a":1,}',
        "{1:2}",
        '{"a" 1}',
        '{"a":1 "b":2}',
        "[]",
        "null",
        '"{}"',
        "{} {}",
        "{}x",
        '{"a":NaN}',
        '{"a":[Infinity]}',
        '{"a":-Infinity}',
        '{"a":1,"a":1}',
        '{"a":1,"\\u0061":2}',
        '{"a":01}',
        "{'a':1}",
        '{"a":"\n"}',
        '{"a":' + "[" * 100_000,
        "{" * 100_000,
        '{"a":' * 100_000,
        "\ufeff{}",
    ],
)
def test_refuses(text: str) -> None:
    """What is no JSON object, names a member twice, or is nested too deeply, is a ValueError."""
    with pytest.raises(ValueError):
        parse_object(text)


def test_a_number_that_python_refuses_is_refused_in_our_words() -> None:
    """Not with advice about an interpreter that the client has never heard of."""
    with pytest.raises(ValueError, match=r"^a number has too many digits$"):
        parse_object('{"a":[' + "9" * 5_000 + "]}")
    assert parse_object('{"a":' + "9" * 4_000 + "}").value("a") == 10**4_000 - 1
