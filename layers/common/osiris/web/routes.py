"""Every route of the pages, as the template names them, and who answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osiris.app.identity import id_tokens, sign_in
from osiris.web.pages import exports, finding, keys, ledger, orders, public, topup, usage
from osiris.web.pages.sign_in import SignInPages
from osiris.web.site import Page, Site

if TYPE_CHECKING:
    from osiris.app.full import FullApp


def site(app: FullApp) -> Site:
    """The pages of one app."""
    issuer = sign_in(app)
    signing = SignInPages(issuer, id_tokens(app))
    return Site(
        app,
        {
            ("GET", "/"): Page(public.start, public=True),
            ("GET", "/assets/{name}"): Page(public.asset, public=True),
            ("GET", "/{path+}"): Page(public.by_path, public=True),
            ("GET", "/sign-in"): Page(signing.begin, public=True),
            ("GET", "/signed-in"): Page(signing.finish, public=True),
            ("POST", "/sign-out"): Page(signing.sign_out),
            ("GET", "/keys"): Page(keys.table),
            ("POST", "/keys"): Page(keys.create),
            ("GET", "/keys/{key_id}"): Page(keys.one),
            ("GET", "/keys/{key_id}/meter"): Page(keys.meter, piece=True),
            ("GET", "/keys/{key_id}/secret"): Page(keys.secret),
            ("POST", "/keys/{key_id}"): Page(keys.change),
            ("GET", "/keys/{key_id}/ledger"): Page(ledger.ledger),
            ("GET", "/keys/{key_id}/ledger.csv"): Page(exports.ledger_csv),
            ("GET", "/keys/{key_id}/requests"): Page(ledger.requests),
            ("GET", "/keys/{key_id}/requests.csv"): Page(exports.requests_csv),
            ("GET", "/requests/{request_id}"): Page(finding.request),
            ("GET", "/find"): Page(finding.find),
            ("GET", "/usage"): Page(usage.usage),
            ("GET", "/topup"): Page(topup.choose),
            ("POST", "/orders"): Page(topup.order),
            ("GET", "/orders"): Page(orders.table),
            ("GET", "/orders/{order_id}"): Page(orders.one),
            ("GET", "/orders/{order_id}/state"): Page(orders.state, piece=True),
            ("POST", "/orders/{order_id}"): Page(orders.cancel),
            ("GET", "/orders/{order_id}/receipt"): Page(orders.receipt),
        },
        form_targets=issuer.pages,
    )
