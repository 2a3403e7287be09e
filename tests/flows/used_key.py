"""A key and its requests, step by step: opened, recorded, closed; or all of it at once."""

from osiris.catalogue import Model, prices_from_dollars
from osiris.flows import credit
from osiris.flows.keys import create
from osiris.ids import made_at_ms, request_id
from osiris.ledger.entry import COMPLETED, Entry, charge
from osiris.ledger.key import Key
from osiris.money import NANO_PER_DOLLAR
from osiris.usage import Tokens, Usage
from osiris.window import free_slots
from tests.builders import World

HOLD_NANO = NANO_PER_DOLLAR
# Of one thousand tokens out.
COST_NANO = 2_000_000
MODEL = Model(
    id="m-1",
    name="M",
    upstream="openai",
    base_url="https://api.example/v1",
    upstream_model="m",
    secret="s",
    prices=prices_from_dollars(input="1", output="2"),
    context_tokens=100_000,
    output_tokens=100_000,
    image_tokens_max=0,
    created_at_s=0,
)


def funded(world: World, account_id: str, *, dollars: int = 500) -> Key:
    """A new key with credit for a year."""
    key = create(world.app, account_id, name="k").key
    granted(world, key, dollars=dollars)
    return world.stored_key(key.id)


def granted(world: World, key: Key, *, dollars: int = 1) -> None:
    """Credit by the operator."""
    credit.grant(world.app, key.id, amount_nano=dollars * NANO_PER_DOLLAR, days=365)


def opened(world: World, key: Key) -> str:
    """An open request, by its id."""
    stored = world.stored_key(key.id)
    request = request_id(world.now_ms, world.app.entropy(16))
    admission = world.app.keys.admit(
        key.id,
        secret_hash=stored.secret_hash,
        request_id=request,
        hold_nano=HOLD_NANO,
        slot=free_slots(stored.window, world.now_ms)[0],
        open_requests_max=40,
        now_ms=world.now_ms,
    )
    assert admission.admitted
    return request


def recorded(world: World, key: Key, request: str, *, model: str = "m-1", tokens: int = 1) -> Entry:
    """The entry of an open request: so many thousand tokens out."""
    return world.app.ledger.record(
        charge(
            key_id=key.id,
            request_id=request,
            model=MODEL._replace(id=model),
            state=COMPLETED,
            streamed=True,
            usage=Usage(Tokens(output=tokens * 1000)),
            admitted_at_ms=made_at_ms(request),
            now_ms=world.now_ms,
        )
    )


def closed(world: World, key: Key, entry: Entry) -> None:
    """Settle an open request by its entry."""
    world.app.keys.settle(
        key.id, request_id=entry.id, hold_nano=HOLD_NANO, amount_nano=entry.amount_nano
    )


def requested(world: World, key: Key, *, model: str = "m-1", tokens: int = 1) -> Entry:
    """A whole request."""
    entry = recorded(world, key, opened(world, key), model=model, tokens=tokens)
    closed(world, key, entry)
    return entry
