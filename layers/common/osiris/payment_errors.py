"""The errors of money in: orders, payments, their providers and rates; leaves of `errors`' tree."""

from __future__ import annotations

from osiris.errors import Conflict, NotFound, OsirisError, TooManyRequests


class BillRefused(OsirisError):
    """The payment provider takes no such payment: its amount, or its coin."""

    status = 400
    type = "invalid_request_error"
    code = "payment_refused"
    message = "This amount can't be paid so. Choose another package or another coin."


class WebhookUnreadable(OsirisError):
    """A webhook that is not what its provider sends."""

    status = 400
    type = "invalid_request_error"
    code = "webhook_unreadable"
    message = "The body is not a notification of this provider."


class WebhookDiffers(OsirisError):
    """A genuine webhook that the provider's own status of the payment belies."""

    status = 400
    type = "invalid_request_error"
    code = "webhook_differs"
    message = "The notification and the payment's status differ. Nothing was credited."


class WebhookForged(OsirisError):
    """A webhook whose signature does not hold."""

    status = 403
    type = "permission_error"
    code = "webhook_forged"
    message = "The signature does not hold."


class OrderNotFound(NotFound):
    """No such order of this account."""

    code = "order_not_found"
    message = "There is no such order in this account."


class PaymentNotFound(NotFound):
    """The provider knows no such payment."""

    code = "payment_not_found"
    message = "The payment provider knows no such payment."


class OrderOpen(Conflict):
    """The key has an open order of this kind."""

    code = "order_open"
    message = "This key has an open order of this kind. Pay it, cancel it, or wait for its end."


class TooManyOrders(TooManyRequests):
    """The account has made as many orders in the last hour as it may."""

    code = "too_many_orders"
    message = "This account has made many orders in the last hour. Pay one of them, or wait."


class OrderEnded(Conflict):
    """The order can't be cancelled any more."""

    code = "order_ended"
    message = "This order can't be cancelled any more: it is paid, or it has ended. Read it again."


class IdempotencyMismatch(Conflict):
    """The Idempotency-Key was used before, with another body."""

    code = "idempotency_mismatch"
    message = "This Idempotency-Key was used with another body. Send a new one for a new order."


class PaymentsNotOffered(Conflict):
    """The operator takes no payments by this method."""

    code = "payment_method_not_offered"
    message = "This method of payment is not offered here. GET /api/topups/packages lists those."


class RefundByHand(Conflict):
    """The provider can't refund this payment; a person does, and records it."""

    code = "refund_by_hand"
    message = "The provider can't refund this payment. Refund it there, then record it by --manual."


class ProviderUnavailable(OsirisError):
    """A payment provider is out of reach, or its answer is none."""

    status = 503
    code = "provider_unavailable"
    message = "The payment provider does not answer now. Nothing was lost. Try again in a moment."


class RateUnavailable(OsirisError):
    """There is no rate of the rupiah that can be relied on."""

    status = 503
    code = "rate_unavailable"
    message = "The rupiah's rate can't be relied on now. Try again later, or pay by crypto."
