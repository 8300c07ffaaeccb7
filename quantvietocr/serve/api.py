"""The HTTP API, version 1.

    POST /v1/lines      pictures of one line each: a body, or a form with up to some hundred files
    POST /v1/receipts   a receipt or another document: a body, or a form with one file; a long one becomes a job
    GET  /v1/jobs/ID    how far a job is, and its pages
    GET  /healthz       the process lives;  /readyz  it takes requests;  /metrics  for Prometheus;  /openapi.json

What goes wrong is {"error": a sentence}: 400 a request that makes no sense, 401 no key or a wrong one, 404 no such job,
413 too many bytes or pixels, 415 no picture, 422 a file that cannot be read, 503 no room now: Retry-After says when.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from .. import __version__
from ..errors import UserError
from ..pictures.image import NotAPictureError, TooLargeError
from .answers import JOB, LINES, PAGES, JobAnswer, LinesAnswer, PagesAnswer, upload_of
from .batching import FullError
from .counts import Counts
from .keys import Keys
from .service import MAX_PAGES_AT_ONCE, Service
from .uploads import Upload

OPEN_PATHS = ("/healthz", "/readyz", "/metrics", "/openapi.json")  # need no key: orchestrators ask them
NOBODY = ""  # owner of what comes without a key, where none is needed
JOB_SECONDS = 20.0  # that open jobs may go on after the last request, when the service stops


def make_api(service: Service, keys: Keys | None) -> FastAPI:
    """The ASGI application.

    Args:
        service: what reads. It is closed with the application.
        keys: who may ask; None lets everybody.
    """
    counts = _counts(service)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncGenerator[None, None]:
        yield
        await service.wait_for_jobs(JOB_SECONDS)
        service.close()

    app = FastAPI(
        title="quantvietocr",
        version=__version__,
        description="Reads printed Vietnamese lines, receipts and pages.",
        docs_url=None,  # its page loads scripts from elsewhere; /openapi.json is what programs need
        redoc_url=None,
        lifespan=life,
        exception_handlers=HANDLERS,
    )
    app.middleware("http")(_watching(service, keys, counts))
    _add_reading(app, service, counts)
    _add_watching(app, service, counts)
    return app


def _counts(service: Service) -> Counts:
    counts = Counts()
    counts.watch("lines_waiting", "Lines that wait to be read", lambda: service.batcher.waiting)
    counts.watch("requests_now", "Requests that are here", lambda: service.requests)
    counts.watch("jobs_open", "Jobs that are not done", lambda: service.jobs.open)
    counts.watch("line_seconds", "Mean time of a line lately", lambda: service.batcher.line_seconds)
    counts.watch(
        "batch_lines", "Mean lines of a batch", lambda: service.batcher.lines / max(service.batcher.batches, 1)
    )
    return counts


def _watching(service: Service, keys: Keys | None, counts: Counts) -> Callable[..., Awaitable[Response]]:
    """Middleware: asks for the key, and counts."""

    async def watch(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        started = time.perf_counter()
        path = request.url.path
        owner: str | None = NOBODY
        if keys is not None and path not in OPEN_PATHS:
            owner = keys.name_of(request.headers.get("authorization", ""), request.headers.get("x-api-key", ""))
        if owner is None:
            response: Response = JSONResponse(
                {"error": "No key, or one that is not known here: send the header `Authorization: Bearer KEY`."},
                401,
                {"WWW-Authenticate": "Bearer"},
            )
        else:
            request.state.owner = owner
            response = await call_next(request)
        route = request.scope.get("route")
        label = getattr(route, "path", "other")  # not the address itself: anybody could make up endless labels
        counts.requests.labels(label, response.status_code).inc()
        counts.seconds.labels(label).observe(time.perf_counter() - started)
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return watch


def _add_reading(app: FastAPI, service: Service, counts: Counts) -> None:
    limits = service.limits

    @app.post(
        "/v1/lines",
        response_model=LinesAnswer,
        response_model_exclude_none=True,
        openapi_extra=upload_of("files", several=True),
        responses=LINES,
    )
    async def read_lines(request: Request) -> Any:
        """Read pictures of one line each. Of several, one that cannot be read has an error in place of its text."""
        with service.place():
            files = await Upload(limits.max_bytes, limits.max_files).files_of(request)
            answers = await service.read_lines(files)
        if len(answers) == 1 and isinstance(answers[0], UserError):
            raise answers[0]
        counts.lines.inc(len(answers))
        return {
            "lines": [
                {"name": name, "error": str(answer)} if isinstance(answer, UserError) else answer
                for (name, _), answer in zip(files, answers)
            ]
        }

    def count_page(page: dict[str, Any]) -> None:
        counts.pages.labels("error" not in page).inc()

    @app.post("/v1/receipts", response_model=PagesAnswer, openapi_extra=upload_of("file"), responses=PAGES)
    async def read_receipts(request: Request) -> Any:
        """Read a receipt or another document. More than a few pages are a job: 202, and where to ask for it."""
        with service.place():
            ((name, content),) = await Upload(limits.max_bytes).files_of(request)
            file = await service.open_document(name, content)
            if file.count > MAX_PAGES_AT_ONCE:
                job = service.start_job(file, request.state.owner, count_page)
                return JSONResponse(job.to_json(), 202, {"Location": f"/v1/jobs/{job.number}"})
            pages = await service.read_pages(file, range(1, file.count + 1))
        for page in pages:
            count_page(page)
        if len(pages) == 1 and "error" in pages[0]:
            raise UserError(pages[0]["error"])
        return {"pages": pages}

    @app.get("/v1/jobs/{number}", response_model=JobAnswer, responses=JOB)
    async def job(number: str, request: Request) -> Any:
        """How far a job is, with the pages that were read. It can be asked for an hour after it is done."""
        found = service.jobs.find(number, request.state.owner)
        if found is None:
            raise HTTPException(404, "There is no such job here: it was done long ago, or the service has restarted.")
        return found.to_json()


def _add_watching(app: FastAPI, service: Service, counts: Counts) -> None:
    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Whether the process lives."""
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz() -> Response:
        """Whether requests are taken: 503 while the service stops, or is full."""
        full = service.requests >= service.limits.max_requests
        state = "stopping" if service.is_stopping else "full" if full else "ready"
        return JSONResponse({"status": state}, 200 if state == "ready" else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        """Counters for Prometheus."""
        return Response(counts.text(), media_type=counts.content_type)


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    nothing = "Nothing answers to this address and method."
    sentence = nothing if error.detail in ("Not Found", "Method Not Allowed") else error.detail
    return JSONResponse({"error": sentence}, error.status_code, error.headers)


async def _send_away(request: Request, error: Exception) -> Response:
    assert isinstance(error, FullError)
    seconds = str(math.ceil(error.seconds))
    return JSONResponse(
        {"error": f"No room now: try again in {seconds} s."}, 503, {"Retry-After": seconds, "Connection": "close"}
    )


async def _explain(request: Request, error: Exception) -> Response:
    status = 413 if isinstance(error, TooLargeError) else 415 if isinstance(error, NotAPictureError) else 422
    return JSONResponse({"error": str(error)}, status)


async def _apologise(request: Request, error: Exception) -> Response:
    """The traceback goes to the server's terminal."""
    return JSONResponse({"error": "The service failed on this request, which is a defect: its log says where."}, 500)


HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    HTTPException: _refuse,
    FullError: _send_away,
    UserError: _explain,
    Exception: _apologise,
}
