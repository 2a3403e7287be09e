"""A chat completion's request: what is refused, what is known of it, and what is sent on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris.chat import BODY_BYTES_MAX, CHOICES_MAX, parse_chat, upstream_body
from osiris.errors import InvalidJson, InvalidRequest, RequestTooLarge

MESSAGES = [{"role": "user", "content": "hi"}]


def body(**members: Any) -> bytes:
    """A request's body, as the SDKs write it, with these members changed; None takes one away."""
    content = {"model": "m", "messages": MESSAGES} | members
    return json.dumps({k: v for k, v in content.items() if v is not ...}).encode()


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"model": ...}, "model"),
    ({"model": None}, "model"),
    ({"model": ""}, "model"),
    ({"model": 5}, "model"),
    ({"model": ["m"]}, "model"),
    ({"messages": ...}, "messages"),
    ({"messages": None}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": "hi"}, "messages"),
    ({"messages": {"role": "user"}}, "messages"),
    ({"messages": ["hi"]}, "messages[0]"),
    ({"messages": [*MESSAGES, None]}, "messages[1]"),
    ({"stream": 1}, "stream"),
    ({"stream": "true"}, "stream"),
    ({"stream_options": []}, "stream_options"),
    ({"stream": True, "stream_options": "x"}, "stream_options"),
    ({"n": 0}, "n"),
    ({"n": -1}, "n"),
    ({"n": CHOICES_MAX + 1}, "n"),
    ({"n": 10**30}, "n"),
    ({"n": 1.0}, "n"),
    ({"n": True}, "n"),
    ({"n": "2"}, "n"),
    # Go's encoding/json would take these for the names that they look like.
    ({"Model": "a dearer one"}, "model"),
    ({"N": 128}, "n"),
    ({"\u017ftream": False}, "stream"),
    ({"MAX_TOKEN\u017f": 5}, "max_tokens"),
    ({"stream": True, "stream_options": {"Include_Usage": False}}, "include_usage"),
    # Twice the price, and nothing in the usage tells.
    ({"service_tier": "priority"}, "service_tier"),
    ({"service_tier": ["default"]}, "service_tier"),
]


@pytest.mark.parametrize(("members", "param"), MISTAKES)
def test_names_the_member_at_fault(members: dict[str, Any], param: str) -> None:
    """A member that is missing or mistyped is refused by name."""
    with pytest.raises(InvalidRequest) as refused:
        parse_chat(body(**members))
    assert refused.value.param == param
    assert param.partition("[")[0] in refused.value.message


def test_refuses_to_guess_whether_usage_is_reported() -> None:
    """Two readers of a name given twice may disagree; the one that meters must not lose."""
    options = b'{"include_usage": false, "include_usage": true}'
    text = body(stream=True).replace(b'"stream"', b'"stream_options": %b, "stream"' % options)
    with pytest.raises(InvalidRequest) as refused:
        parse_chat(text)
    assert refused.value.param == "stream_options"


@pytest.mark.parametrize("tier", [None, "auto", "default", "flex"])
def test_takes_the_tiers_that_cost_no_more(tier: str | None) -> None:
    """A tier at the catalogue's prices, or below them, reaches the upstream as it was sent."""
    text = body(service_tier=tier)
    assert upstream_body(parse_chat(text), "openai", "m") == text


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"hi",
        b"[]",
        b"null",
        b'{"model":"m"',
        b"\xff\xfe",
        b'{"model":"m","messages":[],"model":"n"}',
        b'{"model":"\xed\xa0\x80"}',
        b'{"model":NaN}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_refuses_what_is_no_object(text: bytes) -> None:
    """What is not one JSON object in UTF-8, or names a member twice, is refused as such."""
    with pytest.raises(InvalidJson):
        parse_chat(text)


def test_a_long_name_is_not_told_whole() -> None:
    """The refusal of a name that comes twice is short, however long the name."""
    with pytest.raises(InvalidJson) as refused:
        parse_chat(b'{"%b":1,"%b":2}' % (b"x" * 100_000, b"x" * 100_000))
    assert len(refused.value.message) < 200


def test_refuses_what_is_too_large() -> None:
    """One byte above the limit is refused before it is read, and the limit is named."""
    with pytest.raises(RequestTooLarge) as refused:
        parse_chat(b"x" * (BODY_BYTES_MAX + 1))
    assert str(BODY_BYTES_MAX) in refused.value.message
    with pytest.raises(InvalidJson):
        parse_chat(b"x" * BODY_BYTES_MAX)


@pytest.mark.parametrize(
    ("members", "known"),
    [
        ({}, (False, 1, None)),
        ({"stream": None, "n": None}, (False, 1, None)),
        ({"stream": True, "n": 3}, (True, 3, None)),
        ({"max_tokens": 7}, (False, 1, 7)),
        ({"max_tokens": 7, "max_completion_tokens": 5}, (False, 1, 7)),
        ({"max_tokens": 5, "max_completion_tokens": 7}, (False, 1, 7)),
        ({"max_tokens": "7", "max_completion_tokens": 5}, (False, 1, None)),
        ({"max_tokens": 7, "max_completion_tokens": None}, (False, 1, 7)),
        ({"max_tokens": 0}, (False, 1, None)),
        ({"max_tokens": -5}, (False, 1, None)),
        ({"max_tokens": "7"}, (False, 1, None)),
        ({"max_tokens": 7.5}, (False, 1, None)),
        ({"max_tokens": True}, (False, 1, None)),
    ],
)
def test_what_is_known(members: dict[str, Any], known: tuple[bool, int, int | None]) -> None:
    """Stream, choices and the client's own bound; a bound that is none is the upstream's to say."""
    request = parse_chat(body(**members))
    assert (request.stream, request.demand.choices, request.demand.output_tokens_max) == known
    assert request.model == "m"


def test_images_are_counted_not_measured() -> None:
    """An image weighs by its number, not by the bytes of its URL."""
    url = "data:image/png;base64," + "A" * 10_000
    parts = [
        {"type": "text", "text": "what is it?"},
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "image_url", "image_url": "https://x.invalid/a.png"},
        {"type": "image_url"},
        "text",
    ]
    whole = body(messages=[{"role": "user", "content": parts}])
    demand = parse_chat(whole).demand
    assert demand.images == 3
    assert demand.text_bytes == len(whole) - len(url) - len("https://x.invalid/a.png")


@pytest.mark.parametrize(
    ("part", "unmeasured"),
    [
        ({"type": "text", "text": "hi"}, False),
        ({"type": "refusal", "refusal": "no"}, False),
        ({"type": "input_audio", "input_audio": {"data": "", "format": "mp3"}}, False),
        ({"type": "image_url", "image_url": {"url": "data:"}}, False),
        ({"type": "file", "file": {"file_data": "data:application/pdf;base64,"}}, True),
        ({"type": ["text"]}, True),
        ({}, True),
    ],
)
def test_parts_that_bytes_do_not_bound(part: dict[str, Any], unmeasured: bool) -> None:
    """A file may have many pages in few bytes, and what is not known may be such a file."""
    demand = parse_chat(body(messages=[{"role": "user", "content": [part]}])).demand
    assert demand.unmeasured == unmeasured


SPACED = '{ "model" : "m",\n  "messages": [ {"role":"user", "content":"\\u00fc ü"} ], "seed": 1e3 }'


def sent(text: str, upstream_model: str = "m", upstream: str = "openai") -> str:
    """What the upstream gets for a body."""
    return upstream_body(parse_chat(text.encode()), upstream, upstream_model).decode()


def test_a_body_passes_unchanged() -> None:
    """Without a stream, and under the same name, every byte of the body is sent on."""
    assert sent(SPACED) == SPACED


@pytest.mark.parametrize(
    ("members", "added"),
    [
        ({"max_completion_tokens": 5}, {"max_tokens": 5}),
        ({"max_completion_tokens": 5, "max_tokens": None}, {"max_tokens": 5}),
        ({"max_completion_tokens": 5, "max_tokens": 7}, {}),
        ({"max_completion_tokens": "5"}, {}),
        ({}, {}),
    ],
)
def test_deepseek_is_told_the_bound_in_the_name_it_knows(
    members: dict[str, Any], added: dict[str, Any]
) -> None:
    """Else it writes as much as it likes, for a hold that believed the bound."""
    text = body(**members).decode()
    assert json.loads(sent(text, upstream="deepseek")) == json.loads(text) | added
    assert sent(text, upstream="openai") == sent(text, upstream="anthropic") == text


def test_only_the_name_is_replaced() -> None:
    """Where the upstream calls the model otherwise, that name alone is replaced."""
    assert sent(SPACED, "m-2") == SPACED.replace('"m"', '"m-2"')
    assert sent(SPACED, 'a"b') == SPACED.replace('"m"', '"a\\"b"')


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (None, '"stream_options":{"include_usage": true}}'),
        ("null", '"stream_options":{"include_usage": true}}'),
        ("{}", '"stream_options":{"include_usage": true}}'),
        ('{"x":1}', '"stream_options":{"x": 1, "include_usage": true}}'),
        ('{"include_usage":false}', '"stream_options":{"include_usage": true}}'),
        ('{"include_usage": true}', '"stream_options":{"include_usage": true}}'),
    ],
)
def test_a_stream_reports_its_usage(options: str | None, expected: str) -> None:
    """A stream is asked for its usage, whatever its options were, and keeps the other options."""
    start = '{"model":"m","messages":[{}],"stream":true'
    text = start + ("}" if options is None else f',"stream_options":{options}}}')
    assert sent(text) == f"{start},{expected}"


def test_usage_already_asked_for_changes_nothing() -> None:
    """A stream that asks for its usage already is sent on byte for byte."""
    text = '{"stream_options" : {"include_usage":true}, "model":"m","messages":[{}],"stream":true}'
    assert sent(text) == text


_KNOWN = {
    *("model", "messages", "stream", "stream_options", "n", "max_tokens"),
    *("max_completion_tokens", "service_tier"),
}
OTHERS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.text().filter(lambda name: name.casefold() not in _KNOWN),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=5,
    ),
)


@given(OTHERS, st.booleans(), st.booleans())
def test_all_other_parameters_pass(others: dict[str, Any], stream: bool, ascii: bool) -> None:
    """Whatever else a client sends arrives as it was sent."""
    content = others | {"model": "m", "messages": MESSAGES, "stream": stream}
    text = json.dumps(content, ensure_ascii=ascii)
    arrived = json.loads(sent(text, "other"))
    assert arrived.pop("model") == "other"
    assert (arrived.pop("stream_options", None) is not None) == stream
    del content["model"]
    assert arrived == content
