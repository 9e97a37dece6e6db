"""Answer a browser's requests for the page, before the API: the page's own files hold no data and need no key."""

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from reward_service.dashboard.files import page_files


class WithPage:
    """An ASGI application: the page, and behind it the API."""

    def __init__(self, api: ASGIApp) -> None:
        """Read the page's files once."""
        self._api = api
        self._files = page_files()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or pass it on."""
        file = self._files.get(scope["path"]) if scope["type"] == "http" else None
        if file is None or scope["method"] not in ("GET", "HEAD"):
            await self._api(scope, receive, send)
        elif Headers(scope=scope).get("if-none-match") == file.tag:
            await Response(status_code=304, headers=file.headers)(scope, receive, send)
        else:
            content = b"" if scope["method"] == "HEAD" else file.content
            headers = {**file.headers, "content-length": str(len(file.content))}
            await Response(content, headers=headers)(scope, receive, send)
