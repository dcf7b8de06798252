"""Traces of requests and of work: sent where OTEL_EXPORTER_OTLP_ENDPOINT says, else nothing is made.

No text of a question, an answer or a document goes into a span, and of an error its type alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

Span = trace.Span
Attributes = Mapping[str, str | int | float | list[str]]

NO_SPAN: Span = INVALID_SPAN
OFF: AbstractContextManager[Span] = nullcontext(NO_SPAN)
CLIENT = SpanKind.CLIENT
PROPAGATOR = TraceContextTextMapPropagator()
INCOMING = ("traceparent", "tracestate")


class _Sending:
    """Ours alone, not the process's provider: libraries that know OpenTelemetry make no spans of theirs."""

    tracer: Tracer | None = None


@contextmanager
def sending(service: str, *, to: str | None) -> Iterator[None]:
    """Send during the block, if there is an address. All else is said by the variables of OpenTelemetry's SDK."""
    if to is None:
        yield
        return
    provider = _open_provider(service)
    _Sending.tracer = provider.get_tracer("kyujang")
    try:
        yield
    finally:
        _Sending.tracer = None
        provider.shutdown()


def _open_provider(service: str) -> TracerProvider:
    # Here, since what sends nothing need not wait for these.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource({"service.name": service}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def is_on() -> bool:
    return _Sending.tracer is not None


def span(name: str) -> AbstractContextManager[Span]:
    """What is done in the block is part of it. Not for blocks that yield to a caller: see beside()."""
    tracer = _Sending.tracer
    return OFF if tracer is None else _current(tracer, name, None, SpanKind.INTERNAL, None)


def asked_by(traceparent: str | None, name: str, attributes: Attributes) -> AbstractContextManager[Span]:
    """A piece of work, which begins a trace of its own: it may be tried again, hours later. A link leads to the span
    that asked for it."""
    tracer = _Sending.tracer
    if tracer is None:
        return OFF
    asking = trace.get_current_span(PROPAGATOR.extract({"traceparent": traceparent or ""}, Context()))
    links = [trace.Link(asking.get_span_context())] if asking.get_span_context().is_valid else []
    return _current(tracer, name, attributes, SpanKind.CONSUMER, None, links)


def at_hand() -> str | None:
    """Name the span at hand for work that is done later, in another process."""
    if _Sending.tracer is None:
        return None
    return headers_of(trace.get_current_span()).get("traceparent")


def beside(
    name: str, attributes: Attributes | None = None, kind: SpanKind = SpanKind.INTERNAL
) -> AbstractContextManager[Span]:
    """A span of which nothing else becomes a part, so that the block may yield to its caller, whoever goes on."""
    tracer = _Sending.tracer
    return OFF if tracer is None else _apart(tracer, name, attributes, kind)


def served(name: str, headers: Mapping[str, str]) -> AbstractContextManager[Span]:
    """A request: a part of the caller's trace, if its headers name one."""
    tracer = _Sending.tracer
    if tracer is None:
        return OFF
    return _current(tracer, name, None, SpanKind.SERVER, PROPAGATOR.extract(headers, Context()))


@contextmanager
def _current(
    tracer: Tracer,
    name: str,
    attributes: Attributes | None,
    kind: SpanKind,
    parent: Context | None,
    links: Sequence[trace.Link] = (),
) -> Iterator[Span]:
    with (
        tracer.start_as_current_span(
            name,
            parent,
            kind=kind,
            attributes=dict(attributes or {}),
            links=links,
            record_exception=False,
            set_status_on_exception=False,
        ) as made,
        _noting_errors(made),
    ):
        yield made


@contextmanager
def _apart(tracer: Tracer, name: str, attributes: Attributes | None, kind: SpanKind) -> Iterator[Span]:
    made = tracer.start_span(name, kind=kind, attributes=dict(attributes or {}))
    try:
        with _noting_errors(made):
            yield made
    finally:
        made.end()


@contextmanager
def _noting_errors(made: Span) -> Iterator[None]:
    try:
        yield
    except GeneratorExit:
        raise
    except BaseException as error:
        # Its words may be a caller's.
        made.set_attribute("error.type", type(error).__name__)
        fail(made)
        raise


def fail(made: Span) -> None:
    made.set_status(Status(StatusCode.ERROR))


def headers_of(made: Span) -> dict[str, str]:
    """What tells the next service of this span."""
    headers: dict[str, str] = {}
    if made is not NO_SPAN:
        PROPAGATOR.inject(headers, trace.set_span_in_context(made, Context()))
    return headers


def ids() -> dict[str, str]:
    """Of the trace and the span at hand, for a line of the log."""
    if _Sending.tracer is None or not (at_hand := trace.get_current_span().get_span_context()).is_valid:
        return {}
    return {"trace_id": f"{at_hand.trace_id:032x}", "span_id": f"{at_hand.span_id:016x}"}


def exemplar() -> dict[str, str] | None:
    """Name the trace at hand for a histogram, if it is sent."""
    if _Sending.tracer is None or not trace.get_current_span().get_span_context().trace_flags.sampled:
        return None
    return ids()
