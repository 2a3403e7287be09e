"""One model in the words of models.yaml, which explains them: read strictly, and shown again."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from osiris.catalogue import UPSTREAM_KINDS, Model, prices_from_dollars
from osiris.errors import InvalidRequest
from osiris.money import NANO_PER_DOLLAR, dollars_from_nano, nano_from_dollars

if TYPE_CHECKING:
    from collections.abc import Callable

# In the order of `Prices`.
PRICES = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
CACHE_PRICES = PRICES[1:4]
# No model sold anywhere costs more; one that does is a price in cents, or per token.
PRICE_NANO_MAX = 1_000 * NANO_PER_DOLLAR
# Prices outside of this are taken, and pointed out.
USUAL_PRICE_NANO = (NANO_PER_DOLLAR // 1_000, 200 * NANO_PER_DOLLAR)
# The largest context sold is 10 million tokens.
TOKENS_MAX = 100_000_000
LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,99}", re.ASCII)
_SECRET_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}", re.ASCII)
_TEXT_LENGTH_MAX = 200


def model_from(given: object, place: int) -> Model:
    """The model that a list has in this place (from 1). Raises InvalidRequest: what is wrong."""
    if not isinstance(given, dict) or not isinstance(given.get("id"), str):
        raise InvalidRequest(f"Model {place}: it must have an 'id', a text.")
    id = given["id"]
    if _ID.fullmatch(id) is None:
        raise InvalidRequest(f"Model {place}: an id is letters, digits and . _ : @ -, not {id!r}.")
    try:
        return _model(given)
    except ValueError as error:
        raise InvalidRequest(f"{id}: {error}.") from error


def model_fields(model: Model) -> dict[str, str | int]:
    """The model's fields as models.yaml has them, without those that say what is so anyway."""
    prices = {
        name: dollars_from_nano(price)
        for name, price in zip(PRICES, model.prices, strict=True)
        if name not in CACHE_PRICES or price != model.prices.input_nano_per_mtok
    }
    images = {"image_tokens_max": model.image_tokens_max} if model.image_tokens_max else {}
    return {
        "id": model.id,
        "name": model.name,
        "upstream": model.upstream,
        "base_url": model.base_url,
        "upstream_model": model.upstream_model,
        "secret": model.secret,
        **prices,
        "context_tokens": model.context_tokens,
        "output_tokens": model.output_tokens,
        **images,
        "created": datetime.fromtimestamp(model.created_at_s, UTC).date().isoformat(),
    }


def model_doubts(model: Model) -> list[str]:
    """What is allowed but looks like a slip, one sentence each."""
    fields, prices = model_fields(model), model.prices
    least, most = USUAL_PRICE_NANO
    found = [
        f"{model.id}: {name} is ${fields[name]} per million tokens, which is unusual."
        for name, price in zip(PRICES, prices, strict=True)
        if name in fields and not least <= price <= most
    ]
    if prices.input_nano_per_mtok > prices.output_nano_per_mtok:
        found.append(f"{model.id}: input is dearer than output.")
    if prices.cache_read_nano_per_mtok > prices.input_nano_per_mtok:
        found.append(f"{model.id}: cache reads are dearer than input.")
    return found


def checked_base_url(text: str) -> str:
    """A base URL without the slash at its end. Raises ValueError for one that is not usable.

    Plain HTTP is for this machine alone: requests carry the upstream's API key.
    """
    parts = urlsplit(text)
    plain_allowed = parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS
    if not parts.hostname or not (parts.scheme == "https" or plain_allowed):
        raise ValueError(f"base_url must begin with https:// and name a host, not {text!r}")
    # Reading a port that is no number raises ValueError by itself.
    if parts.query or parts.fragment or "@" in parts.netloc or parts.port == 0:
        raise ValueError(f"base_url must be host and path alone, not {text!r}")
    return text.rstrip("/")


def checked_secret_name(text: str) -> str:
    """A secret's name, which is the end of a parameter's. Raises ValueError."""
    if _SECRET_NAME.fullmatch(text) is None:
        raise ValueError(f"a secret's name is letters, digits and . _ -, not {text!r}")
    return text


def _model(given: dict[str, Any]) -> Model:
    """Raises ValueError."""
    unknown = sorted(str(name) for name in given.keys() - _READERS.keys())
    if unknown:
        raise ValueError(f"there is no field {unknown[0]!r}")
    read: dict[str, Any] = {"image_tokens_max": 0}
    for name, reader in _READERS.items():
        if name in given:
            read[name] = reader(name, given[name])
        elif name not in _OPTIONAL:
            raise ValueError(f"{name} is missing")
    if read["output_tokens"] > read["context_tokens"]:
        raise ValueError("output_tokens is above context_tokens")
    prices = {name: read.pop(name) for name in PRICES if name in read}
    created = datetime.combine(read.pop("created"), datetime.min.time(), UTC)
    return Model(
        **read,
        prices=prices_from_dollars(**prices),
        created_at_s=int(created.timestamp()),
    )


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > _TEXT_LENGTH_MAX:
        raise ValueError(f"{name} must be a text of at most {_TEXT_LENGTH_MAX} characters")
    if value != value.strip() or not value.isprintable():
        raise ValueError(f"{name} has spaces around it, or characters that can't be seen")
    return value


def _upstream(name: str, value: object) -> str:
    if value not in UPSTREAM_KINDS:
        raise ValueError(f"{name} must be one of {', '.join(UPSTREAM_KINDS)}, not {value!r}")
    return str(value)


def _base_url(name: str, value: object) -> str:
    return checked_base_url(_text(name, value))


def _secret_name(name: str, value: object) -> str:
    return checked_secret_name(_text(name, value))


def _price(name: str, value: object) -> str:
    """A number would have lost digits before we see it, so a price is a text."""
    if not isinstance(value, str):
        raise ValueError(f'{name} must be dollars in quotes, such as "0.27", not {value!r}')
    if not 0 <= nano_from_dollars(value) <= PRICE_NANO_MAX:
        most = dollars_from_nano(PRICE_NANO_MAX)
        raise ValueError(f"{name} must be $0 to ${most} per million tokens, not {value!r}")
    return value


def _tokens(name: str, value: object) -> int:
    if type(value) is not int or not 0 < value <= TOKENS_MAX:
        raise ValueError(f"{name} must be a number from 1 to {TOKENS_MAX}, not {value!r}")
    return value


def _day(name: str, value: object) -> date:
    try:
        return date.fromisoformat(_text(name, value))
    except ValueError as error:
        raise ValueError(f'{name} must be a day in quotes, such as "2026-02-05"') from error


_READERS: dict[str, Callable[[str, object], Any]] = {
    "id": _text,
    "name": _text,
    "upstream": _upstream,
    "base_url": _base_url,
    "upstream_model": _text,
    "secret": _secret_name,
    **dict.fromkeys(PRICES, _price),
    "context_tokens": _tokens,
    "output_tokens": _tokens,
    "image_tokens_max": _tokens,
    "created": _day,
}
_OPTIONAL = {*CACHE_PRICES, "image_tokens_max"}
