"""A paid request: admit, forward, relay the answer as it comes, charge what it used.

Three single-item writes, in this order: Admit before anything is forwarded; Record and Settle
before the last of the answer leaves. Whatever dies between them is finished by recovery.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from osiris.app import App
from osiris.catalogue import Model
from osiris.chat import ChatRequest, parse_chat, upstream_body
from osiris.errors import (
    DeadlineExceeded,
    ModelNotFound,
    OsirisError,
    StoreUnavailable,
    UpstreamFailed,
    UpstreamRefusedUs,
    UpstreamRejected,
    UpstreamSilent,
)
from osiris.flows.admission import admit, caller, identify
from osiris.flows.exchange import Exchange
from osiris.flows.settlement import settle
from osiris.ledger import entry as states
from osiris.ledger.entry import Entry, charge
from osiris.ledger.hold import hold_nano
from osiris.metering import Meter, StreamMeter, read_answer, with_cost
from osiris.money import dollars_from_nano
from osiris.sse import EventTooLarge, comment
from osiris.telemetry import (
    UPSTREAM_FAILED,
    UPSTREAM_REFUSED,
    USAGE_ESTIMATED,
    USAGE_OUT_OF_BOUNDS,
)
from osiris.upstream import ANSWER_BYTES_MAX, translated
from osiris.wire.connection import Response, WireError

PIECE_BYTES_MAX = 64 * 1024
KEEP_ALIVE = comment(b"keep-alive")

_STATES: dict[type[OsirisError], str] = {
    UpstreamRejected: states.UPSTREAM_REJECTED,
    UpstreamRefusedUs: states.UPSTREAM_REFUSED,
    UpstreamSilent: states.UPSTREAM_SILENT,
    UpstreamFailed: states.UPSTREAM_FAILED,
    DeadlineExceeded: states.DEADLINE,
}
# An answer that ended like this counts as one, even when nobody reported its usage.
_ANSWERED = frozenset({states.COMPLETED, states.DEADLINE})


class Completion(NamedTuple):
    """An answer of status 200: its media type, its bytes, and its cost where already known."""

    media_type: str
    body: Iterator[bytes] | tuple[bytes]
    cost: str | None


class _Call(NamedTuple):
    """One admitted request on its way."""

    app: App
    exchange: Exchange
    key_id: str
    model: Model
    request: ChatRequest

    @property
    def limits(self) -> tuple[int, int]:
        """The most tokens of input and of output that its usage may have."""
        choices = self.request.demand.choices
        return self.model.context_tokens, self.model.output_tokens * choices


def complete(app: App, exchange: Exchange, secret_text: str | None, body: bytes) -> Completion:
    """Serve a chat completion. Raises the OsirisError that refuses or ends it.

    A stream's body may raise one too, after the answer has begun; it settles before that, and when
    it is closed before its end.
    """
    secret = caller(secret_text)
    try:
        request = parse_chat(body)
        model = app.models.all(app.now_ms()).get(request.model)
        if model is None:
            raise ModelNotFound(param="model")
        upstream_secret = app.secrets.read(model.secret, app.now_ms())
    except StoreUnavailable:
        raise
    except OsirisError:
        # The answer to a known key says where its rate limit stands; an unknown one is told that.
        with suppress(StoreUnavailable):
            identify(app, exchange, secret)
        raise
    admit(app, exchange, secret, hold_nano(request.demand, model))
    call = _Call(app, exchange, secret.key_id, model, request)
    response = _forward(call, upstream_secret)
    if request.stream:
        return Completion("text/event-stream", _relay(call, response), None)
    return _whole(call, response)


def _forward(call: _Call, upstream_secret: str) -> Response:
    try:
        return call.app.upstreams.open(
            call.model,
            secret=upstream_secret,
            body=upstream_body(call.request, call.model.upstream, call.model.upstream_model),
            timeout_ms=max(1, min(call.app.settings.upstream_silence_ms, _time_left_ms(call))),
        )
    except OsirisError as error:
        _settle(call, error, Meter(), streamed=call.request.stream)
        raise


def _whole(call: _Call, response: Response) -> Completion:
    """An answer in one piece, with its cost in `usage.cost`."""
    try:
        text = _read_whole(call, response)
        meter = read_answer(text)
    except OsirisError as error:
        response.leave()
        _settle(call, error, Meter(), streamed=False)
        raise
    try:
        entry = _settle(call, None, meter, streamed=False)
    except StoreUnavailable as error:
        error.should_retry = False
        raise
    cost = dollars_from_nano(entry.cost_nano)
    return Completion("application/json", (with_cost(text.decode(), cost).encode(),), cost)


def _read_whole(call: _Call, response: Response) -> bytes:
    pieces, size = [], 0
    try:
        while True:
            _wait(call, response)
            piece = response.read1(PIECE_BYTES_MAX)
            if not piece:
                break
            pieces.append(piece)
            size += len(piece)
            if size > ANSWER_BYTES_MAX:
                raise UpstreamFailed(details="an answer above the limit", should_retry=False)
        text = b"".join(pieces)
        text.decode()
    except WireError as error:
        raise translated(error) from error
    except UnicodeDecodeError as error:
        raise UpstreamFailed(details="an answer that is not UTF-8", should_retry=False) from error
    return text


def _wait(call: _Call, response: Response) -> None:
    """Until there is more to read. Raises UpstreamSilent, or DeadlineExceeded.

    An answer in one piece leaves us at its end. Blank lines on the way (DeepSeek's, while a request
    waits) do not reach the client, so the silence counts from the beginning.
    """
    silent_at_ms = call.exchange.started_at_ms + call.app.settings.upstream_silence_ms
    patience_ms = min(silent_at_ms - call.app.now_ms(), _time_left_ms(call))
    if patience_ms > 0 and response.wait(patience_ms):
        return
    if _time_left_ms(call) <= 0:
        raise DeadlineExceeded(should_retry=False)
    raise UpstreamSilent(should_retry=False)


def _relay(call: _Call, response: Response) -> Iterator[bytes]:
    """A stream's bytes as they come; Record and Settle before the usage and `[DONE]` leave."""
    meter = StreamMeter()
    ended: OsirisError | None = None
    try:
        yield from _pieces(call, response, meter)
        meter.close()
        if meter.failed or not (meter.ended or meter.finished):
            ended = UpstreamFailed(details="the stream broke off", should_retry=False)
    except WireError as error:
        ended = translated(error)
    except EventTooLarge:
        ended = UpstreamFailed(details="an event above the limit", should_retry=False)
    except OsirisError as error:
        ended = error
    except GeneratorExit:
        response.leave()
        _settle(call, DeadlineExceeded(), meter, streamed=True)
        raise
    if ended is not None:
        response.leave()  # what nobody reads, the upstream need not write
    entry = _settle(call, ended, meter, streamed=True)
    if ended is None:
        response.leave()  # its end has come meanwhile, and the connection is kept
    rest = meter.rest(dollars_from_nano(entry.cost_nano), cut=ended is not None)
    if rest:
        yield rest
    if ended is not None:
        ended.message = _told_late(ended, entry)
        raise ended


def _pieces(call: _Call, response: Response, meter: StreamMeter) -> Iterator[bytes]:
    """What may pass at once, and a comment for each `keep_alive_ms` of silence."""
    settings, now_ms = call.app.settings, call.app.now_ms
    keep_alive_ms, silence_ms = settings.keep_alive_ms, settings.upstream_silence_ms
    deadline_at_ms = call.exchange.deadline_at_ms
    at_ms = heard_at_ms = now_ms()
    while not meter.ended and not meter.failed:
        if at_ms >= deadline_at_ms:
            raise DeadlineExceeded(should_retry=False)
        if response.wait(min(keep_alive_ms, deadline_at_ms - at_ms)):
            piece = response.read1(PIECE_BYTES_MAX)
            if not piece:
                return
            if passing := meter.feed(piece):
                yield passing
            at_ms = heard_at_ms = now_ms()
            continue
        at_ms = now_ms()
        if at_ms - heard_at_ms >= silence_ms:
            raise UpstreamSilent(details="in mid-stream", should_retry=False)
        yield KEEP_ALIVE


def _settle(call: _Call, ended: OsirisError | None, meter: Meter, *, streamed: bool) -> Entry:
    """Decide what the request is charged, and settle it."""
    state = states.COMPLETED if ended is None else _STATES[type(ended)]
    if state == states.COMPLETED and meter.empty:
        state = states.EMPTY
    usage = None
    if state in _ANSWERED or state in (states.UPSTREAM_FAILED, states.UPSTREAM_SILENT):
        usage = meter.usage(
            input_bytes=call.request.demand.text_bytes,
            limits=call.limits,
            complete=state in _ANSWERED and not meter.empty,
        )
    exchange = call.exchange
    entry = settle(
        call.app,
        exchange,
        charge(
            key_id=call.key_id,
            request_id=exchange.request_id,
            model=call.model,
            state=state,
            streamed=streamed,
            usage=usage,
            admitted_at_ms=exchange.started_at_ms,
            now_ms=call.app.now_ms(),
        ),
    )
    _log(call, entry, ended)
    return entry


def _log(call: _Call, entry: Entry, ended: OsirisError | None) -> None:
    facts = entry.charge
    metrics = []
    if facts is not None and facts.estimated:
        metrics.append(USAGE_ESTIMATED)
    if facts is not None and facts.bounded:
        metrics.append(USAGE_OUT_OF_BOUNDS)
    if isinstance(ended, UpstreamRefusedUs):
        metrics.append(UPSTREAM_REFUSED)
    elif isinstance(ended, UpstreamFailed | UpstreamSilent):
        metrics.append(UPSTREAM_FAILED)
    call.app.telemetry.line(
        "request",
        metrics=metrics,
        request_id=entry.id,
        key_id=entry.key_id,
        model=call.model.id,
        upstream=call.model.upstream,
        state=states.LAPSED if facts is None else facts.state,
        streamed=call.request.stream,
        tokens=None if facts is None else facts.tokens,
        cost_nano=entry.cost_nano,
        duration_ms=0 if facts is None else facts.duration_ms,
        details=None if ended is None else ended.details,
    )


def _told_late(ended: OsirisError, entry: Entry) -> str:
    """The message of an error after the answer began: whether that much of it was charged."""
    told = ended.message.removesuffix(" Try again.").removesuffix(" Nothing was charged.")
    if entry.cost_nano:
        cost = dollars_from_nano(entry.cost_nano)
        return f"{told} What was answered until then was charged: ${cost}."
    return f"{told} Nothing was charged."


def _time_left_ms(call: _Call) -> int:
    return call.exchange.deadline_at_ms - call.app.now_ms()
