"""The running server: a socket on 127.0.0.1, uvicorn on it until Ctrl-C."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Sequence

from ..errors import UserError

INSTALL = "pip install -r requirements-serve.txt"
ADDRESS = "127.0.0.1"  # and no other: what is read here is nobody else's business
PATIENCE = 3  # seconds for answers on their way at Ctrl-C


def serve(weights: Sequence[str | os.PathLike], port: int = 8000, threads: int = 0) -> None:
    """Serve the page until Ctrl-C. weights, threads: see PageReading. port 0 takes any that is free.

    Raises UserError for a port that cannot be had, where Starlette or uvicorn is missing, and for unusable weights.
    """
    if threads < 0:
        raise UserError(f"--threads {threads}: give 0, for one per core, or more.")
    try:
        import uvicorn

        from .app import make_app
    except ModuleNotFoundError as error:
        if error.name not in ("uvicorn", "starlette"):
            raise
        raise UserError(f"quantvietocr serve needs {error.name}: run `{INSTALL}`.") from error
    from .reading import PageReading

    with listen(port) as listener:
        reading = PageReading(weights, threads)
        for reader in reading.about["readers"]:
            print(f"{reader['file']}: {' '.join(reader['about'])}", file=sys.stderr)
        print(reading.about["detector"], file=sys.stderr)
        server = uvicorn.Server(
            uvicorn.Config(
                make_app(reading),
                log_level="warning",
                access_log=False,
                server_header=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=PATIENCE,
            )
        )
        print(f"Open http://{ADDRESS}:{listener.getsockname()[1]}/ in a browser; Ctrl-C stops the server.", flush=True)
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:  # uvicorn raises it again once it has stopped
            print("Stopped.", flush=True)


def listen(port: int) -> socket.socket:
    """A socket that listens on 127.0.0.1. Raises UserError."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the last server's connections may linger
    try:
        listener.bind((ADDRESS, port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        reason = "is in use" if taken else f"cannot be had ({error})"
        raise UserError(f"Port {port} {reason}: name another with --port, or --port 0 for any that is free.") from error
    return listener
