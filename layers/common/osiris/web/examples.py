"""Examples to paste, each written once: the pages show them, and tests run what the pages show.

`base_url` is this site's /v1. Without a `secret` they take it from the environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris.catalogue import Model

VARIABLE = "OSIRIS_API_KEY"
PLACEHOLDER = "sk-osiris-…"
# What examples name while there is no model, or the catalogue can't be read.
NO_MODEL = "MODEL"


def example_model(models: Mapping[str, Model]) -> str:
    """The id of the cheapest model; empty when there is none."""
    cheapest = min(models.values(), key=lambda model: (sum(model.prices), model.id), default=None)
    return "" if cheapest is None else cheapest.id


def environment() -> str:
    """Puts the secret where the other examples find it."""
    return f'export {VARIABLE}="{PLACEHOLDER}"'


def curl(*, base_url: str, model: str, secret: str = "") -> str:
    """An answer in one piece."""
    return _curl(base_url, f'{{"model": "{model}", "messages": {_MESSAGES}}}', secret)


def curl_stream(*, base_url: str, model: str, secret: str = "") -> str:
    """A streamed answer; -N shows each piece as it comes."""
    body = f'{{"model": "{model}", "stream": true, "messages": {_MESSAGES}}}'
    return _curl(base_url, body, secret, options=" -N")


def curl_cost(*, base_url: str, model: str) -> str:
    """What a request cost, asked for by the id that its answer's headers give."""
    body = f'{{"model": "{model}", "messages": {_MESSAGES}}}'
    request = _curl(base_url, body, options=" -s -o /dev/null -D -")
    return f"""\
id=$({request} \\
  | tr -d '\\r' | awk 'tolower($1) == "x-request-id:" {{ print $2 }}')
curl {base_url}/requests/$id -H "Authorization: Bearer ${VARIABLE}\""""


def python(*, base_url: str, model: str, secret: str = "") -> str:
    """OpenAI's package for Python."""
    return f"""\
# pip install openai
{_python_client(base_url, secret)}
answer = client.chat.completions.create(
    model="{model}",
    messages={_MESSAGES},
)
print(answer.choices[0].message.content)
print(answer.usage)"""


def python_stream(*, base_url: str, model: str, secret: str = "") -> str:
    """The same, streamed: the last piece carries the usage and its cost, and no choices."""
    return f"""\
# pip install openai
{_python_client(base_url, secret)}
stream = client.chat.completions.create(
    model="{model}",
    messages={_MESSAGES},
    stream=True,
)
for piece in stream:
    if piece.choices:
        print(piece.choices[0].delta.content or "", end="", flush=True)
    if piece.usage:
        print()
        print(piece.usage)"""


def javascript(*, base_url: str, model: str, secret: str = "") -> str:
    """OpenAI's package for JavaScript, as an ES module."""
    api_key = f'"{secret}"' if secret else f"process.env.{VARIABLE}"
    return f"""\
// npm install openai
import OpenAI from "openai";

const client = new OpenAI({{ baseURL: "{base_url}", apiKey: {api_key} }});
const answer = await client.chat.completions.create({{
  model: "{model}",
  messages: [{{ role: "user", content: "Hello!" }}],
}});
console.log(answer.choices[0].message.content);
console.log(answer.usage);"""


def javascript_fetch(*, base_url: str, model: str) -> str:
    """JavaScript without any package, as an ES module."""
    return f"""\
const answer = await fetch("{base_url}/chat/completions", {{
  method: "POST",
  headers: {{
    "Authorization": `Bearer ${{process.env.{VARIABLE}}}`,
    "Content-Type": "application/json",
  }},
  body: JSON.stringify({{
    model: "{model}",
    messages: [{{ role: "user", content: "Hello!" }}],
  }}),
}});
const body = await answer.json();
if (!answer.ok) throw new Error(body.error.message);
console.log(body.choices[0].message.content);
console.log(body.usage, answer.headers.get("x-osiris-cost"));"""


def open_webui(*, base_url: str, secret: str = "") -> str:
    """Open WebUI in a container."""
    api_key = secret or f"${VARIABLE}"
    return f"""\
docker run -d -p 3000:8080 \\
  -e OPENAI_API_BASE_URL="{base_url}" \\
  -e OPENAI_API_KEY="{api_key}" \\
  -v open-webui:/app/backend/data ghcr.io/open-webui/open-webui:main"""


def aider(*, base_url: str, model: str, secret: str = "") -> str:
    """A coding tool that speaks Chat Completions."""
    api_key = secret or f"${VARIABLE}"
    return f"""\
# pip install aider-chat
export OPENAI_API_BASE="{base_url}" OPENAI_API_KEY="{api_key}"
aider --model openai/{model}"""


_MESSAGES = '[{"role": "user", "content": "Hello!"}]'


def _curl(base_url: str, body: str, secret: str = "", options: str = "") -> str:
    return f"""\
curl{options} {base_url}/chat/completions \\
  -H "Authorization: Bearer {secret or "$" + VARIABLE}" \\
  -H "Content-Type: application/json" \\
  -d '{body}'"""


def _python_client(base_url: str, secret: str) -> str:
    if secret:
        return f"""\
from openai import OpenAI

client = OpenAI(base_url="{base_url}", api_key="{secret}")"""
    return f"""\
from os import environ
from openai import OpenAI

client = OpenAI(base_url="{base_url}", api_key=environ["{VARIABLE}"])"""
