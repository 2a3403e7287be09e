"""What `make run` prints once everything runs: enough to make the first request by pasting."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.stack import LocalStack

_TEXT = """\
Osiris runs on this machine.

  pages      {url}  (sign up with any e-mail)
  base URL   {base_url}
  API key    {api_key}
             {credit}
  models     {models}
  API        {url}/api/keys and {url}/api/topups, with the bearer token of `make token`
  payments   simulated: QRIS {midtrans}  coins {nowpayments}
  operator   source {env} && {osiris} --help
  logs       {logs}

A request with curl:

curl -N {base_url}/chat/completions \\
  -H 'Authorization: Bearer {api_key}' \\
  -H 'Content-Type: application/json' \\
  -d '{{"model": "{model}", "stream": true, "messages": [{{"role": "user", "content": "Hello!"}}]}}'

The same in Python ({python} has the openai package):

from openai import OpenAI
client = OpenAI(base_url="{base_url}", api_key="{api_key}")
stream = client.chat.completions.create(
    model="{model}",
    messages=[{{"role": "user", "content": "Hello!"}}],
    stream=True,
)
print("".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices))

Ctrl-C ends it.
"""


def welcome(stack: LocalStack) -> str:
    """The text for a stack that runs."""
    return _TEXT.format(
        base_url=stack.base_url,
        url=stack.url,
        midtrans=stack.payments.midtrans_url,
        nowpayments=stack.payments.nowpayments_url,
        api_key=stack.api_key,
        credit=stack.demo.credit,
        models=stack.demo.models,
        model=stack.demo.model,
        env=_short(stack.state.path / "env"),
        logs=_short(stack.state.logs),
        osiris=_short(Path(".venv/bin/osiris").absolute()),
        python=_short(Path(".venv/bin/python").absolute()),
    )


def _short(path: Path) -> str:
    """The path as one would type it here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
