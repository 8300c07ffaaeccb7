"""What /metrics says, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)  # upper ends of the histogram's bins


class Counts:
    """Counters of one service."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "quantvietocr_requests", "Answers, by address and status", ["path", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "quantvietocr_request_seconds",
            "From a request's first byte to its answer",
            ["path"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.lines = Counter("quantvietocr_lines", "Lines read for /v1/lines", registry=self.registry)
        self.pages = Counter("quantvietocr_pages", "Pages read for /v1/receipts", ["ok"], registry=self.registry)

    def watch(self, name: str, about: str, value: Callable[[], float]) -> None:
        """Add a number that is looked up when it is asked for."""
        Gauge(f"quantvietocr_{name}", about, registry=self.registry).set_function(value)

    def text(self) -> bytes:
        """All of them, in Prometheus's form."""
        return generate_latest(self.registry)
