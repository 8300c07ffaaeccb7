"""The server's addresses.

    GET  /                      the page; with /static/app.js and /static/style.css all that is served as files
    GET  /about                 what reads, and the limits: `Reading.about`
    POST /read?name=N&page=P&reader=R&ticket=T&plain=1
                                the file's bytes as the body → `Reading.read`. name: what to call it; page from 1; reader 0
                                (default) or 1; ticket: any word, to ask /queue with
    GET  /queue?ticket=T        {"ahead": how many uploads are before that one, 0 while it is read, null if it is not there}

What goes wrong is {"error": a sentence}: 400 a query that makes no sense, 403 a foreign Host or Origin, 413 too many bytes
or pixels, 415 neither a picture nor a PDF, 422 a file that cannot be read, 503 too many uploads at once.

The body is the bare file and no form: a form's parser puts large files on the disk, and a page of another site can send
forms without asking.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ..errors import UserError
from ..pictures.image import NotAPictureError, TooLargeError
from .guard import Guard
from .reading import MOST_BYTES, Reading
from .turns import Full, Turns

STATIC = {
    "/": ("index.html", "text/html"),
    "/static/app.js": ("app.js", "text/javascript"),
    "/static/view.js": ("view.js", "text/javascript"),
    "/static/style.css": ("style.css", "text/css"),
}
LONGEST_NAME = 200  # characters of a file's name
GONE = 499  # nobody sees it: the one who asked has left


def make_app(reading: Reading) -> ASGIApp:
    """The ASGI application around what reads."""
    turns = Turns()

    async def about(request: Request) -> Response:
        return JSONResponse(reading.about)

    async def queue(request: Request) -> Response:
        return JSONResponse({"ahead": turns.ahead(request.query_params.get("ticket", ""))})

    async def read(request: Request) -> Response:
        query = request.query_params
        name = query.get("name", "")[:LONGEST_NAME] or "the upload"
        number = _whole(query.get("page", "1"), 1, None, "page")
        reader = _whole(query.get("reader", "0"), 0, len(reading.about["readers"]) - 1, "reader")
        try:
            with turns.place():
                content = await _body(request, name)
                async with turns.turn(query.get("ticket", "")):
                    if await request.is_disconnected():  # while it waited
                        return Response(status_code=GONE)
                    plain = query.get("plain", "0") == "1"
                    return JSONResponse(await run_in_threadpool(reading.read, content, name, number, reader, plain))
        except Full:
            raise HTTPException(503, "Too many uploads at once: try again when some are read.") from None

    return Guard(
        Starlette(
            routes=[
                *(Route(path, _file(*about_file)) for path, about_file in STATIC.items()),
                Route("/about", about),
                Route("/queue", queue),
                Route("/read", read, methods=["POST"]),
            ],
            exception_handlers={HTTPException: _refuse, UserError: _explain, Exception: _apologise},
        )
    )


def _file(name: str, kind: str) -> Callable[[Request], Any]:
    content = files(__package__).joinpath("static", name).read_bytes()

    async def answer(request: Request) -> Response:
        return Response(content, media_type=kind)

    return answer


async def _body(request: Request, name: str) -> bytes:
    """The upload, as long as it keeps to the limit. Raises HTTPException."""
    too_large = HTTPException(413, f"{name}: larger than {MOST_BYTES // 2**20} MB; save it smaller, or split it.")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > MOST_BYTES:
        raise too_large
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BYTES:
            raise too_large
        parts.append(part)
    if not size:
        raise HTTPException(400, f"{name}: empty; send the picture or PDF file itself as the request's body.")
    return b"".join(parts)


def _whole(text: str, least: int, most: int | None, name: str) -> int:
    """A query's whole number. Raises HTTPException."""
    if not text.isdecimal() or len(text) > 6 or int(text) < least or (most is not None and int(text) > most):
        bounds = f"from {least}" if most is None else f"from {least} to {most}"
        raise HTTPException(400, f"{name} must be a whole number {bounds}.")
    return int(text)


async def _refuse(request: Request, error: HTTPException) -> Response:
    sentence = "Nothing answers to this address and method." if error.status_code in (404, 405) else error.detail
    return JSONResponse({"error": sentence}, error.status_code, error.headers)


async def _explain(request: Request, error: UserError) -> Response:
    status = 413 if isinstance(error, TooLargeError) else 415 if isinstance(error, NotAPictureError) else 422
    return JSONResponse({"error": str(error)}, status)


async def _apologise(request: Request, error: Exception) -> Response:
    """The traceback goes to the server's terminal."""
    return JSONResponse(
        {"error": "The server failed on this file, which is a defect of it: its terminal says where."}, 500
    )
