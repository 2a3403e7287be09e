"""The list of models, in OpenAI's and in Anthropic's form. Any other name is answered too."""

from __future__ import annotations

from typing import Any

from local.upstream.openai_wire import CREATED_AT_S

_CREATED_AT = "2025-11-24T16:00:00Z"  # CREATED_AT_S in Anthropic's form
_OWNERS = {
    "gpt-5.4-mini": "system",
    "claude-opus-4-6": "anthropic",
    "deepseek-chat": "deepseek",
}


def listing(*, is_native: bool) -> dict[str, Any]:
    """All models."""
    models = [model(id, is_native=is_native) for id in _OWNERS]
    if is_native:
        ids = list(_OWNERS)
        return {"data": models, "has_more": False, "first_id": ids[0], "last_id": ids[-1]}
    return {"object": "list", "data": models}


def model(id: str, *, is_native: bool) -> dict[str, Any] | None:
    """One model; None for an unknown one."""
    if id not in _OWNERS:
        return None
    if is_native:
        return {"type": "model", "id": id, "display_name": id, "created_at": _CREATED_AT}
    return {"id": id, "object": "model", "created": CREATED_AT_S, "owned_by": _OWNERS[id]}
