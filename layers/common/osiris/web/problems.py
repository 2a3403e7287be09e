"""Errors in the words of the pages: what happened, what was not lost, what to do.

The API's messages speak to programs; these speak to whoever looks at a page, in their language.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from osiris.web.words import N_

if TYPE_CHECKING:
    from osiris.errors import OsirisError
    from osiris.web.words import Words


class Told(NamedTuple):
    """An error as a page tells it: a title and a text."""

    title: str
    text: str


_BY_CODE: dict[str, tuple[str, str]] = {
    "invalid_request": (
        N_("That could not be read"),
        N_("Something in the form or the address is not what it must be. Nothing was changed."),
    ),
    "request_too_large": (
        N_("That was too long"),
        N_("The form had more in it than we take. Nothing was changed. Send less."),
    ),
    "sign_in_failed": (
        N_("You are not signed in"),
        N_("The sign-in was not completed, or was begun in another window. Sign in again."),
    ),
    "invalid_token": (
        N_("You are not signed in"),
        N_("The sign-in did not give what it must. Nothing was changed. Sign in again."),
    ),
    "identity_unavailable": (
        N_("Sign-in can't be checked now"),
        N_("The sign-in service does not answer. Your keys go on working. Try again in a moment."),
    ),
    "form_refused": (
        N_("This form is too old"),
        N_(
            "The page that it came from belongs to an earlier sign-in, or to another site."
            " Nothing was changed. Go back, reload the page and send it again."
        ),
    ),
    "route_not_found": (
        N_("There is no such page"),
        N_("The address may be mistyped, or what it named is gone."),
    ),
    "key_not_found": (
        N_("There is no such key"),
        N_("It was deleted, or it belongs to another account. Nothing was changed or ordered."),
    ),
    "request_not_found": (
        N_("No request with this id was charged"),
        N_(
            "Your keys have no settled request with this id. A request that we refused (400, 401,"
            " 402, 403, 404, 413, 429) never ran and cost nothing, so there is no record of it. One"
            " that is still running shows here once it has ended."
        ),
    ),
    "order_not_found": (
        N_("There is no such order"),
        N_("Your account has no order with this id."),
    ),
    "too_many_keys": (
        N_("You have 10 keys"),
        N_("That is the most an account can have. Delete one that you no longer use first."),
    ),
    "trial_already_granted": (
        N_("You have had your trial"),
        N_("There is one trial key an account. Create an ordinary key and top it up."),
    ),
    "trials_not_offered": (
        N_("There are no trials here"),
        N_("Create an ordinary key and top it up."),
    ),
    "trial_not_topped_up": (
        N_("A trial key can't be topped up"),
        N_("Create an ordinary key and top that up. Nothing was ordered."),
    ),
    "confirmation_required": (
        N_("The name does not match"),
        N_("Type the key's name exactly to delete it. Nothing was deleted."),
    ),
    "changed_meanwhile": (
        N_("It changed at the same moment"),
        N_("Somebody, or something, changed it while you did. Look at it again, then repeat."),
    ),
    "order_open": (
        N_("This key has an open order already"),
        N_("Pay that one, cancel it, or wait until it ends. No second order was made."),
    ),
    "too_many_orders": (
        N_("That were many orders"),
        N_("Your account made many orders in the last hour. Pay one of them, or wait an hour."),
    ),
    "order_ended": (
        N_("This order can't be cancelled any more"),
        N_("It is paid, or it has ended. Nothing was changed."),
    ),
    "idempotency_mismatch": (
        N_("This form was used before"),
        N_("It made another order. Begin again for a new one; nothing was ordered twice."),
    ),
    "payment_method_not_offered": (
        N_("This way of paying is not offered"),
        N_("Choose another way of paying. Nothing was ordered."),
    ),
    "payment_refused": (
        N_("The amount can't be paid so"),
        N_(
            "The payment provider takes no such amount in this coin. Choose another package or"
            " another coin. Nothing was ordered."
        ),
    ),
    "provider_unavailable": (
        N_("The payment provider does not answer"),
        N_("Nothing was ordered and nothing is lost. Try again in a few minutes."),
    ),
    "rate_unavailable": (
        N_("There is no rate to rely on"),
        N_(
            "The sources of the rupiah's rate disagree or are out of reach. Pay by crypto, or wait."
        ),
    ),
    "store_unavailable": (
        N_("That can't be done right now"),
        N_("Our database does not answer. Nothing is lost. Try again in a moment."),
    ),
    "internal_error": (
        N_("Something went wrong on our side"),
        N_("Nothing was charged. Try again; if it stays, write to us with the id below."),
    ),
}

_BY_PARAM: dict[str, tuple[str, str]] = {
    "name": (
        N_("That name can't be used"),
        N_("A name has 1 to 64 printable characters. Nothing was changed."),
    ),
    "days": (
        N_("These days can't be exported"),
        N_(
            "A file has 1 to 400 days, of which the first is not after the last. Choose other days,"
            " and put several files together where you need more."
        ),
    ),
}


def told(words: Words, error: OsirisError) -> Told:
    """The error in the language of the page; one that no page should meet in the API's words."""
    found = _BY_CODE.get(error.code, (N_("That did not work"), ""))
    title, text = _BY_PARAM.get(error.param or "", found)
    return Told(words.text(title), words.text(text) if text else error.message)
