"""What the API shows of its nouns, as JSON: money as decimal texts, times in RFC 3339 (UTC)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from osiris import window
from osiris.ledger.entry import LAPSED
from osiris.money import ceil_div, decimal_text, dollars_from_nano
from osiris.secrets_text import shown_prefix
from osiris.usage import cost_nano

if TYPE_CHECKING:
    from osiris.catalogue import Model, Prices
    from osiris.ledger.entry import Charge, Entry
    from osiris.ledger.key import Key

# Dollars per token are nano-dollars per million tokens, 15 places down.
_PRICE_PER_TOKEN_PLACES = 15


def time_json(at_ms: int) -> str | None:
    """A time in RFC 3339, or None for one that never was (0)."""
    if not at_ms:
        return None
    seconds, milliseconds = divmod(at_ms, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{milliseconds:03d}Z"


def key_json(key: Key, now_ms: int) -> dict[str, Any]:
    """A key, as its owner sees it."""
    return {
        "id": key.id,
        "object": "key",
        "name": key.name,
        "prefix": shown_prefix(key.id),
        "kind": key.kind,
        "status": key.status,
        "balance": dollars_from_nano(key.balance_nano),
        "available": dollars_from_nano(key.available_nano),
        "held": dollars_from_nano(key.held_nano),
        "expires_at": time_json(key.expires_at_ms),
        "rate_limit": {
            "limit": len(key.window),
            "window_s": window.WINDOW_MS // 1000,
            "remaining": window.remaining(key.window, now_ms),
            "reset_at": time_json(window.frees_at_ms(key.window, now_ms)),
        },
        "usage": {"requests": key.requests, "cost": dollars_from_nano(key.spent_nano)},
        "created_at": time_json(key.created_at_ms),
        "last_used_at": time_json(key.last_used_at_ms),
    }


def request_json(entry: Entry) -> dict[str, Any]:
    """A settled request: what it used, at which prices, and what it cost."""
    shown: dict[str, Any] = {
        "id": entry.id,
        "object": "request",
        "state": LAPSED if entry.charge is None else entry.charge.state,
        "cost": dollars_from_nano(entry.cost_nano),
        "settled_at": time_json(entry.at_ms),
    }
    if entry.charge is not None:
        shown |= _charge_json(entry.charge, entry.cost_nano)
    return shown


def model_json(model: Model) -> dict[str, Any]:
    """A model in OpenAI's form, with prices and limits in OpenRouter's field names."""
    prices = model.prices
    pricing = {
        "prompt": _per_token(prices.input_nano_per_mtok),
        "completion": _per_token(prices.output_nano_per_mtok),
        "request": "0",
        "image": "0",
        "input_cache_read": _per_token(prices.cache_read_nano_per_mtok),
        "input_cache_write": _per_token(prices.cache_write_5m_nano_per_mtok),
        "input_cache_write_1h": _per_token(prices.cache_write_1h_nano_per_mtok),
    }
    return {
        "id": model.id,
        "object": "model",
        "created": model.created_at_s,
        "owned_by": model.upstream,
        "name": model.name,
        "context_length": model.context_tokens,
        "architecture": {
            "input_modalities": ["text", "image"] if model.image_tokens_max else ["text"],
            "output_modalities": ["text"],
        },
        "pricing": pricing,
        "top_provider": {
            "context_length": model.context_tokens,
            "max_completion_tokens": model.output_tokens,
            "is_moderated": False,
        },
    }


def rate_limit_headers(key: Key, now_ms: int) -> list[tuple[str, str]]:
    """Where the key's rate limit stands."""
    return [
        ("X-RateLimit-Limit", str(len(key.window))),
        ("X-RateLimit-Remaining", str(window.remaining(key.window, now_ms))),
        ("X-RateLimit-Reset", str(ceil_div(window.frees_at_ms(key.window, now_ms), 1000))),
    ]


def _charge_json(charge: Charge, charged_nano: int) -> dict[str, Any]:
    return {
        "model": charge.model,
        "upstream": charge.upstream,
        "streamed": charge.streamed,
        "tokens": charge.tokens._asdict(),
        "prices_per_mtok": _prices_json(charge.prices),
        "minimum_applied": charged_nano > cost_nano(charge.tokens, charge.prices),
        "estimated": charge.estimated,
        "bounded": charge.bounded,
        "duration_ms": charge.duration_ms,
    }


def _prices_json(prices: Prices) -> dict[str, str]:
    return {
        name.removesuffix("_nano_per_mtok"): dollars_from_nano(price)
        for name, price in prices._asdict().items()
    }


def _per_token(nano_per_mtok: int) -> str:
    return decimal_text(nano_per_mtok, _PRICE_PER_TOKEN_PLACES)
