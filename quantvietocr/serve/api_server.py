"""The running API: a socket, uvicorn on it until SIGTERM or Ctrl-C, and a stop that loses no answer."""

from __future__ import annotations

import ipaddress
import os
import sys
from dataclasses import dataclass, field
from types import FrameType

from ..common.packages import need
from ..errors import UserError
from .guard import Guard
from .server import ADDRESS, listen
from .service import Limits, Service

STOP_SECONDS = 30  # for answers on their way when the service stops; Kubernetes gives as many


@dataclass(frozen=True)
class ApiSettings:
    """How the API is served.

    Attributes:
        weights: the checkpoint's file.
        host: an address of this machine; 0.0.0.0 is every one.
        port: there; 0 takes any that is free.
        keys: the key file; None lets everybody ask.
        is_open: whether everybody may ask from other machines too.
        threads: CPU threads; 0 takes one per core.
        max_wait_ms: milliseconds that a line waits for company.
        detector: what finds the lines of a page.
        limits: what is taken.
        engine: what computes, one of `engines.choose.ENGINES`.
    """

    weights: str | os.PathLike
    host: str = ADDRESS
    port: int = 8000
    keys: str | None = None
    is_open: bool = False
    threads: int = 0
    max_wait_ms: float = 5.0
    detector: str = "auto"
    limits: Limits = field(default_factory=Limits)
    engine: str = "auto"

    def check(self) -> None:
        """Refuse what makes no sense, or would let everybody in unasked. Raises UserError."""
        if self.threads < 0 or self.max_wait_ms < 0:
            raise UserError("--threads and --max-wait-ms must be 0 or more.")
        if min(self.limits.max_bytes, self.limits.max_requests, self.limits.max_files) < 1:
            raise UserError("--max-mb, --max-requests and --max-files must be more than 0.")
        if self.keys is None and not self.is_open and not is_loopback(self.host):
            raise UserError(
                f"--host {self.host} without --keys answers everybody who reaches this machine: name a key file with "
                "--keys, or say --open if a proxy in front asks for keys."
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def serve_api(settings: ApiSettings) -> None:
    """Serve the API until SIGTERM or Ctrl-C.

    Args:
        settings: how.

    Raises:
        UserError: a port that cannot be had, a package that is missing, unusable weights or keys.
    """
    settings.check()
    for package, extra in (
        ("fastapi", "api"),
        ("prometheus_client", "api"),
        ("uvicorn", "api"),
        ("python_multipart", "api"),
        ("rapidfuzz", "receipt"),
    ):
        need(package, "quantvietocr serve --api", extra=extra)
    import uvicorn

    from ..reading.predictor import Predictor
    from ..receipt.detect import about, open_detector
    from .api import make_api
    from .keys import Keys

    keys = None if settings.keys is None else Keys(settings.keys)

    class Server(uvicorn.Server):
        """Says at the first signal that no more is to come."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            service.is_stopping = True
            super().handle_exit(sig, frame)

    with listen(settings.port, settings.host) as listener:
        predictor = Predictor(settings.weights, settings.threads, engine=settings.engine)
        detector = open_detector(settings.detector, settings.threads)
        for sentence in (*predictor.about, about(detector)):
            print(sentence, file=sys.stderr)
        service = Service(settings.weights, predictor, detector, settings.max_wait_ms, settings.limits)
        app = make_api(service, keys)
        # Without keys, a page of another site must not reach it through the browser of whoever sits here.
        guarded = Guard(app) if keys is None and is_loopback(settings.host) else app
        server = Server(
            uvicorn.Config(
                guarded,
                log_level="warning",
                access_log=False,
                server_header=False,
                lifespan="on",
                ws="none",
                timeout_graceful_shutdown=STOP_SECONDS,
            )
        )
        print(
            f"The API answers at http://{settings.host}:{listener.getsockname()[1]}/v1/; Ctrl-C stops it.", flush=True
        )
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:  # uvicorn raises it again once it has stopped
            print("Stopped.", flush=True)
