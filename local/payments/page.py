"""The page where a developer "pays": plain HTML and forms, no JavaScript, everything escaped."""

from __future__ import annotations

import datetime
from collections import defaultdict
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from local.payments.wishes import WAYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from local.payments.delivery import Attempt

_CARDS_MAX = 100  # a chaos run makes thousands; the newest are what somebody looks for
_ATTEMPTS_MAX = 30

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem } h2 { font-size: 1.05rem; margin: 0; overflow-wrap: anywhere }
article { border: 1px solid var(--line); border-radius: 10px; padding: 1rem; margin: 1rem 0 }
header { display: flex; gap: .8rem; align-items: baseline; flex-wrap: wrap }
.status { border: 1px solid var(--line); border-radius: 1rem; padding: 0 .7rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .8rem 0 }
dt { opacity: .7 } dd { margin: 0; overflow-wrap: anywhere }
form { display: flex; gap: .5rem; flex-wrap: wrap; align-items: end }
select, input, button { font: inherit; padding: .3rem .6rem }
label { display: grid; font-size: .85rem }
img { float: right; width: 150px; background: #fff; padding: 6px; border-radius: 6px }
table { border-collapse: collapse; width: 100%; font-size: .85rem } details { margin-top: .8rem }
td, th { text-align: left; padding: .15rem .6rem .15rem 0; border-top: 1px solid var(--line) }
code { overflow-wrap: anywhere } .note { opacity: .75 }
"""


@dataclass(frozen=True)
class Card:
    """One payment as the page shows it; `picture` is the address of its QR code, if it has one."""

    payment_id: str
    reference: str
    status: str
    facts: Sequence[tuple[str, str]]
    attempts: Sequence[Attempt] = ()
    picture: str = ""


def render(title: str, now_ms: int, whats: Mapping[str, str], cards: Sequence[Card]) -> str:
    """The whole page."""
    shown = cards[:_CARDS_MAX]
    note = f"{len(cards)} payments" if len(cards) == len(shown) else f"newest {len(shown)} shown"
    body = [
        f"<h1>{escape(title)}</h1>",
        f"<p class=note>No real money here. The clock shows {stamp(now_ms)}; {note}. ",
        'The truth: <a href="/received">money received</a>; ',
        '<a href="/deliveries">all webhooks</a>; <a href="/">look again</a>.</p>',
        *(_card(card, whats) for card in shown),
    ]
    if not cards:
        body.append("<p>No payment yet. Start one by ordering a top-up.</p>")
    return _document(title, body)


def refusal(title: str, reason: str) -> str:
    """A page that says why a wish was refused."""
    return _document(title, [f"<h1>Not possible</h1><p>{escape(reason)}</p><a href='/'>Back</a>"])


def by_payment(attempts: Iterable[Attempt]) -> Mapping[str, list[Attempt]]:
    """The attempts to deliver of each payment."""
    grouped: defaultdict[str, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        grouped[attempt.payment_id].append(attempt)
    return grouped


def stamp(at_ms: int) -> str:
    """A time for reading, in UTC."""
    moment = datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _document(title: str, body: Iterable[str]) -> str:
    head = (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>"
    )
    return head + "".join(body) + "</html>"


def _card(card: Card, whats: Mapping[str, str]) -> str:
    facts = "".join(f"<dt>{escape(name)}<dd>{escape(value)}" for name, value in card.facts)
    picture = f'<img alt="QR code" src="{escape(card.picture)}">' if card.picture else ""
    return (
        f'<article id="{escape(card.payment_id)}">{picture}<header>'
        f"<h2>{escape(card.reference)}</h2><span class=status>{escape(card.status)}</span></header>"
        f"<dl>{facts}</dl>{_form(card.payment_id, whats)}{_attempts(card.attempts)}</article>"
    )


def _form(payment_id: str, whats: Mapping[str, str]) -> str:
    return (
        '<form method=post action="/page">'
        f'<input type=hidden name=payment_id value="{escape(payment_id)}">'
        f"<label>Let happen<select name=what>{_options(whats)}</select></label>"
        f"<label>Webhook<select name=webhook>{_options(WAYS)}</select></label>"
        "<label>Amount, if another<input name=amount size=12></label>"
        "<button>Do it</button></form>"
    )


def _options(meanings: Mapping[str, str]) -> str:
    return "".join(
        f'<option value="{escape(name)}" title="{escape(meaning)}">{escape(name)}</option>'
        for name, meaning in meanings.items()
    )


def _attempts(attempts: Sequence[Attempt]) -> str:
    if not attempts:
        return "<p class=note>No webhook yet.</p>"
    rows = "".join(
        f"<tr><td>{stamp(attempt.at_ms)}<td>{escape(attempt.event)}<td>{attempt.number}"
        f"<td>{escape(str(attempt.status or attempt.error))}"
        f"<td><code>{escape(attempt.body.decode('utf-8', 'replace'))}</code>"
        for attempt in attempts[-_ATTEMPTS_MAX:][::-1]
    )
    return (
        f"<details><summary>{len(attempts)} webhook attempts</summary>"
        f"<table><tr><th>at<th>event<th>try<th>answer<th>body{rows}</table></details>"
    )
