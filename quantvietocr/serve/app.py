"""The server's addresses.

    GET  /             the page, with its scripts, style and sample under /static/
    GET  /about        what reads, and the limits: `Reading.about`
    GET  /healthz      {"status": "ok"} while the server answers; it says nothing of the queue
    POST /read         the file's bytes as the body, or a form with a file in it → `Reading.read`; in the query
                       name    what to call it
                       page    from 1
                       reader  0 (default) or 1
                       ticket  any word, to ask /queue with
                       plain   1: without picture and PDF, which is what a form gets unless it says plain=0
    GET  /queue        with a ticket → {"ahead": how many uploads are before that one, 0 while it is read, null if it is
                       not there}

From a shell, with the page's JSON as the answer:

    curl -F file=@receipt.jpg http://127.0.0.1:8000/read

What goes wrong is {"error": a sentence}: 400 a query or form that makes no sense, 403 a foreign Host or Origin, 413 too
many bytes or pixels, 415 neither a picture nor a PDF, 422 a file that cannot be read, 503 too many uploads at once.

A form is kept in memory as a bare file is: nothing of an upload is ever on the disk. Pages of other sites could send
forms without asking; their browser then names them in Origin, and `guard` refuses them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ..errors import UserError
from ..pictures.image import NotAPictureError, TooLargeError
from .guard import Guard
from .reading import MAX_BYTES, Reading
from .turns import Full, Turns
from .uploads import limited

STATIC = {
    "/": ("index.html", "text/html"),
    "/static/app.js": ("app.js", "text/javascript"),
    "/static/view.js": ("view.js", "text/javascript"),
    "/static/style.css": ("style.css", "text/css"),
}
PICTURES = {"/static/sample.jpg": ("sample.jpg", "image/jpeg")}
MAX_NAME_LENGTH = 200  # characters of a file's name
CLIENT_GONE = 499  # nobody sees it: the one who asked has left
FORM = "multipart/form-data"
MAX_FORM_HEADERS = 4096  # bytes of a form beside its file


class InMemoryParser(MultiPartParser):
    """Starlette's parser of forms, which puts no file on the disk."""

    spool_max_size = MAX_BYTES + 1


def make_app(reading: Reading) -> ASGIApp:
    """The ASGI application around what reads."""
    turns = Turns()

    async def about(request: Request) -> Response:
        return JSONResponse(reading.about)

    async def healthz(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def queue(request: Request) -> Response:
        return JSONResponse({"ahead": turns.ahead(request.query_params.get("ticket", ""))})

    async def read(request: Request) -> Response:
        query = request.query_params
        name = query.get("name", "")[:MAX_NAME_LENGTH]
        number = _whole(query.get("page", "1"), 1, None, "page")
        reader = _whole(query.get("reader", "0"), 0, len(reading.about["readers"]) - 1, "reader")
        try:
            with turns.place():
                is_form = request.headers.get("content-type", "").startswith(FORM)
                name, content = await (_form if is_form else _body)(request, name)
                async with turns.turn(query.get("ticket", "")):
                    if await request.is_disconnected():  # while it waited
                        return Response(status_code=CLIENT_GONE)
                    plain = query.get("plain", "1" if is_form else "0") == "1"
                    return JSONResponse(await run_in_threadpool(reading.read, content, name, number, reader, plain))
        except Full:
            raise HTTPException(503, "Too many uploads at once: try again when some are read.") from None

    return Guard(
        Starlette(
            routes=[
                *(Route(path, _file(*about_file)) for path, about_file in (STATIC | PICTURES).items()),
                Route("/about", about),
                Route("/healthz", healthz),
                Route("/queue", queue),
                Route("/read", read, methods=["POST"]),
            ],
            exception_handlers=HANDLERS,
        )
    )


def _file(name: str, kind: str) -> Callable[[Request], Any]:
    content = files(__package__).joinpath("static", name).read_bytes()

    async def answer(request: Request) -> Response:
        return Response(content, media_type=kind)

    return answer


async def _body(request: Request, name: str) -> tuple[str, bytes]:
    """Name and content of a bare upload. Raises HTTPException."""
    name = name or "the upload"
    content = b"".join([part async for part in _limited(request, name, MAX_BYTES)])
    if not content:
        raise HTTPException(400, f"{name}: empty; send the picture or PDF file itself as the request's body.")
    return name, content


async def _form(request: Request, name: str) -> tuple[str, bytes]:
    """Name and content of the first file of a form. Raises HTTPException."""
    stream = _limited(request, name or "the upload", MAX_BYTES + MAX_FORM_HEADERS)
    try:
        form = await InMemoryParser(request.headers, stream, max_files=1).parse()
    except MultiPartException as error:
        raise HTTPException(
            400, f"The form cannot be read ({error.message.rstrip('.')}); send one file in it."
        ) from error
    file = next((value for _, value in form.multi_items() if isinstance(value, UploadFile)), None)
    if file is None:
        raise HTTPException(400, "The form holds no file: send one, as `curl -F file=@receipt.jpg` does.")
    name = name or (file.filename or "")[:MAX_NAME_LENGTH] or "the upload"
    content = await file.read()
    await form.close()
    if not content:
        raise HTTPException(400, f"{name}: empty; send a picture or PDF file.")
    return name, content


def _limited(request: Request, name: str, most: int) -> AsyncGenerator[bytes, None]:
    sentence = f"{name}: larger than {MAX_BYTES // 2**20} MB; save it smaller, or split it."
    return limited(request, most, sentence)


def _whole(text: str, least: int, most: int | None, name: str) -> int:
    """A query's whole number. Raises HTTPException."""
    if not text.isdecimal() or len(text) > 6 or int(text) < least or (most is not None and int(text) > most):
        bounds = f"from {least}" if most is None else f"from {least} to {most}"
        raise HTTPException(400, f"{name} must be a whole number {bounds}.")
    return int(text)


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentence = "Nothing answers to this address and method." if error.status_code in (404, 405) else error.detail
    return JSONResponse({"error": sentence}, error.status_code, error.headers)


async def _explain(request: Request, error: Exception) -> Response:
    status = 413 if isinstance(error, TooLargeError) else 415 if isinstance(error, NotAPictureError) else 422
    return JSONResponse({"error": str(error)}, status)


async def _apologise(request: Request, error: Exception) -> Response:
    """The traceback goes to the server's terminal."""
    return JSONResponse(
        {"error": "The server failed on this file, which is a defect of it: its terminal says where."}, 500
    )


HANDLERS: dict[Any, Callable[[Request, Exception], Any]] = {
    HTTPException: _refuse,
    UserError: _explain,
    Exception: _apologise,
}
