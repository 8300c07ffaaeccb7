"""The running server: a socket on 127.0.0.1, uvicorn on it until Ctrl-C."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Sequence

from ..common.packages import need
from ..errors import UserError

ADDRESS = "127.0.0.1"  # and no other: what is read here is nobody else's business
SHUTDOWN_TIMEOUT = 3  # seconds for answers on their way at Ctrl-C


def serve(weights: Sequence[str | os.PathLike], port: int = 8000, threads: int = 0) -> None:
    """Serve the page until Ctrl-C.

    Args:
        weights: one file that reads, or two: what it is compared with on request.
        port: on 127.0.0.1; 0 takes any that is free.
        threads: CPU threads for reading; 0 takes one per core.

    Raises:
        UserError: a port that cannot be had, a package that is missing, unusable weights.
    """
    if threads < 0:
        raise UserError(f"--threads {threads}: give 0, for one per core, or more.")
    for package in ("starlette", "uvicorn", "python_multipart"):
        need(package, "quantvietocr serve")
    import uvicorn

    from .app import make_app
    from .reading import PageReading

    with listen(port) as listener:
        reading = PageReading(weights, threads)
        for reader in reading.readers:
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
                timeout_graceful_shutdown=SHUTDOWN_TIMEOUT,
            )
        )
        print(f"Open http://{ADDRESS}:{listener.getsockname()[1]}/ in a browser; Ctrl-C stops the server.", flush=True)
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:  # uvicorn raises it again once it has stopped
            print("Stopped.", flush=True)


def listen(port: int, host: str = ADDRESS) -> socket.socket:
    """A socket that listens on a port of this machine. Raises UserError."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the last server's connections may linger
    try:
        listener.bind((host, port))
        listener.listen()
    except socket.gaierror as error:
        listener.close()
        raise UserError(f"--host {host}: no address of this machine; 0.0.0.0 is every one.") from error
    except (OSError, OverflowError) as error:
        listener.close()
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        reason = "is in use" if taken else f"cannot be had ({error})"
        raise UserError(f"Port {port} {reason}: name another with --port, or --port 0 for any that is free.") from error
    return listener
