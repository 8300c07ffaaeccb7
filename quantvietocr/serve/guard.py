"""Who may talk to the server: this computer's own pages. And what browsers must not do with its answers."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL_NAMES = ("127.0.0.1", "localhost")
HEADERS = {
    # Everything the page needs comes from this server; nothing is inline; no other site may frame it.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def refusal(headers: Headers) -> str | None:
    """Why a request with these headers is not answered; None where it is.

    A site elsewhere can point its own name at 127.0.0.1 (DNS rebinding), which Host betrays, or send to this address
    from its page, which Origin betrays. Programs other than browsers send no Origin. The port may be another one than
    the server's, as through an SSH tunnel.
    """
    host = headers.get("host", "")
    if (urlsplit(f"//{host}").hostname or "") not in LOCAL_NAMES:
        return f"The server answers at {' and '.join(LOCAL_NAMES)} alone: open it under one of these names."
    if (origin := headers.get("origin")) is not None and origin != f"http://{host}":
        return "The request comes from another site's page, and this server answers its own page alone."
    return None


class Guard:
    """ASGI middleware: refuses foreign Host and Origin headers with 403, adds HEADERS to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        try:
            sentence = refusal(Headers(scope=scope))
        except ValueError:  # urlsplit's word for a Host that is none
            sentence = "The request's Host header is not a host."
        answer = self.app if sentence is None else JSONResponse({"error": sentence}, 403)
        await answer(scope, receive, send_guarded)
