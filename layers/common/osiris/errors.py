"""Every error that can reach a client or an operator, in one tree.

OsirisError
├── InvalidRequest                400  a member of the request is not what it must be
├── InvalidJson                   400  the body can't be read at all
├── BillRefused                   400  the payment provider takes no such payment: amount or coin
├── WebhookUnreadable             400  a webhook that is not what its provider sends
├── WebhookDiffers                400  a genuine webhook that its provider's own status belies
├── AuthenticationFailed          401
│   ├── MissingKey                     no key was sent
│   ├── InvalidKey                     malformed, unknown, wrong or deleted: one answer for all four
│   ├── InvalidToken                   a dashboard token that does not hold
│   └── SignInFailed                   a sign-in on the pages that did not come to its end
├── PaymentRequired               402
│   ├── InsufficientBalance            the balance is used up
│   └── CreditExpired                  there is credit, but its expiry has passed
├── KeyDisabled                   403
├── FormRefused                   403  a form that is not known to come from our own page
├── WebhookForged                 403  its signature does not hold
├── NotFound                      404
│   ├── ModelNotFound
│   ├── RequestNotFound
│   ├── KeyNotFound
│   ├── OrderNotFound
│   ├── PaymentNotFound
│   └── RouteNotFound
├── Conflict                      409
│   ├── TooManyKeys                    an account has as many keys as it may have
│   ├── TrialAlreadyGranted            one trial an account, for ever
│   ├── TrialsNotOffered               the operator gives no trials
│   ├── TrialNotToppedUp               a trial key takes no further credit
│   ├── ConfirmationRequired           deleting a key that still has credit
│   ├── OrderOpen                      the key has an open order of this kind
│   ├── OrderEnded                     an order that can't be cancelled any more
│   ├── IdempotencyMismatch            an Idempotency-Key used before, with another body
│   ├── PaymentsNotOffered             the operator takes no payments by this method
│   ├── RefundByHand                   the provider can't refund it; a person does, and records it
│   └── ChangedMeanwhile               somebody else changed the same thing
├── RequestTooLarge               413
├── TooManyRequests               429  waiting helps; `retry_after_s` says how long
│   ├── RateLimitExceeded
│   ├── TooManyOpenRequests
│   ├── TooManyOrders                  of credit, by one account in an hour
│   └── BalanceHeld                    all of the balance is held by open requests
├── UpstreamRejected              its own status: 400, 404, 413 or 422 about the request
├── UpstreamFailed                502
├── UpstreamRefusedUs             503  the upstream's 401, 402, 403 or 429: ours, not the customer's
├── StoreUnavailable              503
├── ProviderUnavailable           503  a payment provider is out of reach, or answers nonsense
├── RateUnavailable               503  no rate of the rupiah that can be relied on
├── IdentityUnavailable           503  the sign-in's public keys can't be read
├── UpstreamSilent                504
├── DeadlineExceeded              504  our own time limit cut the answer
└── InternalError                 500

Those of money in stand in `payment_errors`, so that no request loads them. Each leaf has a stable
`code`. `message` is safe to show and says what to do; `details` are for the
log alone. A class names its HTTP status once, here; how an answer is written stands in `http`.
"""

from __future__ import annotations


class OsirisError(Exception):
    """The root. Raise a leaf.

    `param` names the request member at fault. `should_retry` is what the OpenAI SDKs are told by
    `x-should-retry`: False where a retry would be paid for twice, None where their rule is right.
    """

    status = 500
    type = "api_error"
    code = "internal_error"
    message = "Something went wrong on our side. Nothing was charged. Try again."

    def __init__(
        self,
        message: str | None = None,
        *,
        param: str | None = None,
        should_retry: bool | None = None,
        details: str | None = None,
    ) -> None:
        self.message = message or type(self).message
        self.param = param
        self.should_retry = should_retry
        self.details = details
        super().__init__(self.message)


class InternalError(OsirisError):
    """A defect of ours that reached the edge."""


class InvalidRequest(OsirisError):
    """The body, a parameter or a header is not what it must be."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_request"
    message = "The request is not valid."


class InvalidJson(OsirisError):
    """The body is not a JSON object in UTF-8."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_json"


class AuthenticationFailed(OsirisError):
    """Who is asking could not be established."""

    status = 401
    type = "authentication_error"
    code = "authentication_failed"


class MissingKey(AuthenticationFailed):
    """No key was sent."""

    code = "missing_api_key"
    message = "No API key was sent. Send it as 'Authorization: Bearer sk-osiris-…'."


class InvalidKey(AuthenticationFailed):
    """Malformed, unknown, wrong or deleted; which of them is not told."""

    code = "invalid_api_key"
    message = "This API key is not valid. Copy it again from the dashboard, or create a new one."


class InvalidToken(AuthenticationFailed):
    """The bearer token of the dashboard's API does not hold."""

    code = "invalid_token"
    message = "The sign-in token is missing, expired or not meant for this service. Sign in again."


class SignInFailed(AuthenticationFailed):
    """A sign-in on the pages that was refused, interrupted or not begun here."""

    code = "sign_in_failed"
    message = "The sign-in was not completed. Nothing was changed. Sign in again."


class PaymentRequired(OsirisError):
    """There is nothing to pay the request with."""

    status = 402
    type = "billing_error"
    code = "payment_required"


class InsufficientBalance(PaymentRequired):
    """The key's balance is $0 or less."""

    code = "insufficient_balance"
    message = "This key has no balance left. Top it up, or use another key."


class CreditExpired(PaymentRequired):
    """The key's expiry has passed."""

    code = "credit_expired"
    message = "This key's credit has expired. Top it up, or use another key."


class KeyDisabled(OsirisError):
    """The key's owner, or the operator, has switched it off."""

    status = 403
    type = "permission_error"
    code = "key_disabled"
    message = "This key is disabled. Enable it in the dashboard, or use another key."


class FormRefused(OsirisError):
    """A form of the pages without its token, or sent from another site."""

    status = 403
    type = "permission_error"
    code = "form_refused"
    message = "This form is too old, or came from another site. Nothing was changed. Send it again."


class NotFound(OsirisError):
    """What was asked for does not exist, or not for this caller."""

    status = 404
    type = "invalid_request_error"
    code = "not_found"


class ModelNotFound(NotFound):
    """No such model in the catalogue."""

    code = "model_not_found"
    message = "There is no such model here. GET /v1/models lists those there are."


class RequestNotFound(NotFound):
    """No such request of this key."""

    code = "request_not_found"
    message = "This key has no settled request with this id."


class KeyNotFound(NotFound):
    """No such key of this account."""

    code = "key_not_found"
    message = "There is no such key in this account."


class RouteNotFound(NotFound):
    """No such path and method."""

    code = "route_not_found"
    message = "There is no such route. The API's routes begin with /v1."


class Conflict(OsirisError):
    """The state of things does not allow it."""

    status = 409
    type = "invalid_request_error"
    code = "conflict"


class TooManyKeys(Conflict):
    """The account holds as many keys as it may."""

    code = "too_many_keys"
    message = "This account has 10 keys, which is the most. Delete one first."


class TrialAlreadyGranted(Conflict):
    """The account's one trial was given before."""

    code = "trial_already_granted"
    message = "This account has had its trial key. Create an ordinary key and top it up."


class TrialsNotOffered(Conflict):
    """The operator has set no amount for trials."""

    code = "trials_not_offered"
    message = "Trial keys are not offered here. Create an ordinary key and top it up."


class TrialNotToppedUp(Conflict):
    """Credit was to be added to a trial key."""

    code = "trial_not_topped_up"
    message = "A trial key takes no further credit. Create an ordinary key and top that up."


class ConfirmationRequired(Conflict):
    """Deleting would forfeit credit, and the name was not given to confirm it."""

    code = "confirmation_required"


class ChangedMeanwhile(Conflict):
    """The same thing was changed by somebody else at the same moment."""

    code = "changed_meanwhile"
    message = "This was changed at the same moment by another call. Read it again, then retry."


class RequestTooLarge(OsirisError):
    """The request's body is above the limit."""

    status = 413
    type = "invalid_request_error"
    code = "request_too_large"


class TooManyRequests(OsirisError):
    """Waiting helps: after `retry_after_s` (1 to 60) there may be room."""

    status = 429
    type = "rate_limit_error"
    code = "too_many_requests"

    def __init__(self, *, retry_after_s: int) -> None:
        assert 1 <= retry_after_s <= 60, retry_after_s
        super().__init__()
        self.retry_after_s = retry_after_s


class RateLimitExceeded(TooManyRequests):
    """As many requests as the key may make in 60 s were admitted in the last 60 s."""

    code = "rate_limit_exceeded"
    message = "This key's rate limit is reached. Retry after the time that Retry-After names."


class TooManyOpenRequests(TooManyRequests):
    """As many requests of the key are open as may be at once."""

    code = "too_many_open_requests"
    message = "Too many requests of this key are open at once. Wait for one to end, then retry."


class BalanceHeld(TooManyRequests):
    """The balance is above $0, but open requests may use all of it."""

    code = "balance_held"
    message = (
        "This key's balance is held by its open requests until they end. Retry then, or top it up."
    )


class UpstreamRejected(OsirisError):
    """The upstream's own word about the request: 400, 404, 413 or 422, passed on."""

    type = "invalid_request_error"
    code = "upstream_rejected"

    def __init__(
        self, status: int, message: str, *, param: str | None, type: str, code: str
    ) -> None:
        super().__init__(message, param=param)
        self.status = status
        self.type = type
        self.code = code


class UpstreamFailed(OsirisError):
    """The upstream answered with an error, or its answer broke off."""

    status = 502
    code = "upstream_failed"
    message = "The model's provider failed to answer. Nothing was charged. Try again."


class UpstreamRefusedUs(OsirisError):
    """The upstream refused us (401, 402, 403, 429, a 400 about us), or we have no secret of it."""

    status = 503
    code = "upstream_refused"
    message = "The model's provider takes no requests from us now. Nothing was charged. Try later."


class StoreUnavailable(OsirisError):
    """DynamoDB is out of reach; nothing is forwarded."""

    status = 503
    code = "store_unavailable"
    message = "The request could not be accounted for now. Nothing was charged. Try again."


class IdentityUnavailable(OsirisError):
    """The issuer's public keys can't be read, so no sign-in token can be checked."""

    status = 503
    code = "identity_unavailable"
    message = "Sign-in can't be checked now. Try again in a moment."


class UpstreamSilent(OsirisError):
    """The upstream sent nothing for as long as we wait."""

    status = 504
    code = "upstream_silent"
    message = "The model's provider did not answer in time. Nothing was charged."


class DeadlineExceeded(OsirisError):
    """The function's time is nearly over; what was answered until then is charged."""

    status = 504
    code = "deadline_exceeded"
    message = "The answer took longer than the service allows and was cut. Ask for a shorter one."
