"""Items of the tables and the nouns they hold: the only place that knows attribute names."""

from __future__ import annotations

from typing import Any

from osiris.catalogue import Model, Prices
from osiris.ids import ENTRY_PREFIX, PREFIX_LENGTH, REQUEST_PREFIX
from osiris.ledger.entry import CHARGE, Charge, Entry
from osiris.ledger.key import Account, Key
from osiris.store.values import plain_item, typed_item
from osiris.times import DAY_MS
from osiris.usage import Tokens

Item = dict[str, Any]

# What most keys never have is not stored.
_ABSENT: Item = {
    "old_secret_hash": b"",
    "old_secret_until_ms": 0,
    "limit_set_at_ms": 0,
    "forfeited_nano": 0,
}
_LISTS = ("tokens", "prices")
_FACTS = {"reason": "", "order_id": "", "payment_id": "", "expired_at_ms": 0, "reverses": ""}


def key_pk(key_id: str) -> str:
    """The partition key of a key's item."""
    return f"key#{key_id}"


def account_pk(account_id: str) -> str:
    """The partition key of an account's item."""
    return f"account#{account_id}"


def key_item(key: Key) -> Item:
    """A key as it is put at its creation."""
    attributes = key._asdict()
    attributes["pk"] = key_pk(attributes.pop("id"))
    for name, absent in _ABSENT.items():
        if attributes[name] == absent:
            del attributes[name]
    if key.expires_at_ms:
        attributes["expiry_day"] = expiry_day(key.expires_at_ms)
    return typed_item(attributes)


def key_of(item: Item) -> Key:
    """The key that an item holds; asserts what the ledger's invariants say of any key."""
    key = key_as_stored(item)
    assert key.available_nano == key.balance_nano - sum(key.holds.values()), key.id
    return key


def key_as_stored(item: Item) -> Key:
    """The key that an item holds, right or wrong: for those who check."""
    attributes = plain_item(item)
    attributes["id"] = attributes.pop("pk").removeprefix("key#")
    attributes.pop("expiry_day", None)
    fields = _ABSENT | attributes
    try:
        return Key(**fields)
    except TypeError:
        # A newer version has written attributes that this one does not know.
        return Key(**{name: fields[name] for name in Key._fields})


def is_key(item: Item) -> bool:
    """Whether an item of the Keys table is a key (else it is an account)."""
    return str(item["pk"]["S"]).startswith("key#")


def account_of(item: Item) -> Account:
    """The account that an item holds."""
    attributes = plain_item(item)
    return Account(
        id=attributes["pk"].removeprefix("account#"),
        keys=frozenset(attributes.get("keys", ())),
        trial_granted_at_ms=attributes.get("trial_granted_at_ms", 0),
    )


def expiry_day(expires_at_ms: int) -> str:
    """The index's partition: the day of the expiry, in days since 1970 (UTC)."""
    return str(expires_at_ms // DAY_MS)


def entry_sort_key(entry_id: str) -> str:
    """An entry's place in its ledger: its id without the prefix, so that all sort by time."""
    return entry_id[PREFIX_LENGTH:]


def entry_item(entry: Entry) -> Item:
    """An entry as it is put, once."""
    attributes: dict[str, Any] = {
        "key_id": entry.key_id,
        "entry_id": entry_sort_key(entry.id),
        "type": entry.type,
        "amount_nano": entry.amount_nano,
        "at_ms": entry.at_ms,
    }
    for name in _FACTS:
        if fact := getattr(entry, name):
            attributes[name] = fact
    if entry.charge is not None:
        attributes |= entry.charge._asdict()
    return typed_item(attributes)


def entry_of(item: Item) -> Entry:
    """The entry that an item holds."""
    attributes = plain_item(item)
    kind = attributes["type"]
    prefix = REQUEST_PREFIX if kind == CHARGE else ENTRY_PREFIX
    facts = None
    if "model" in attributes:
        facts = Charge(
            **{name: attributes[name] for name in Charge._fields if name not in _LISTS},
            tokens=Tokens(*attributes["tokens"]),
            prices=Prices(*attributes["prices"]),
        )
    return Entry(
        key_id=attributes["key_id"],
        id=prefix + attributes["entry_id"],
        type=kind,
        amount_nano=attributes["amount_nano"],
        at_ms=attributes["at_ms"],
        charge=facts,
        **{name: attributes.get(name, absent) for name, absent in _FACTS.items()},
    )


def model_item(model: Model) -> Item:
    """A model as it stands in the catalogue."""
    return typed_item({"kind": "model"} | model._asdict())


def model_of(item: Item) -> Model:
    """The model that an item holds."""
    attributes = plain_item(item)
    prices = Prices(*attributes.pop("prices"))
    fields = {name: attributes[name] for name in Model._fields if name not in _LISTS}
    return Model(**fields, prices=prices)
