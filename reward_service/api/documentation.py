"""Serve the pages of the API's documentation from the files of a package: no browser needs the internet."""

import base64
import hashlib
import re
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

FILES = "docs/files"
"""Those of the package fastapi-offline.

Addresses are relative to the pages, so that a proxy may serve the API below any path.
"""

POLICY = (
    "default-src 'none'; script-src 'self' {inline}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; worker-src blob:; frame-ancestors 'none'; base-uri 'none'"
)
"""What a page may load: this service's own files, and the one script that the page itself holds."""

RELATIVE, WITHOUT_KEY = b"url: 'openapi.json'", b"url: new URL('openapi.json', location.href).href"

SWAGGER: dict[str, Any] = {"validatorUrl": None, "defaultModelsExpandDepth": 0, "docExpansion": "list"}


def documentation_router(title: str) -> APIRouter:
    """Make the routes of the two pages: Swagger UI, from which calls can be tried, and ReDoc, for reading."""
    icon = f"{FILES}/favicon.png"
    swagger = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=f"{title}: the API",
        swagger_js_url=f"{FILES}/swagger-ui-bundle.js",
        swagger_css_url=f"{FILES}/swagger-ui.css",
        swagger_favicon_url=icon,
        swagger_ui_parameters=SWAGGER,
    )
    redoc = get_redoc_html(
        openapi_url="openapi.json",
        title=f"{title}: the API to read",
        redoc_js_url=f"{FILES}/redoc.standalone.js",
        redoc_favicon_url=icon,
        with_google_fonts=False,
    )
    router = APIRouter(include_in_schema=False)
    for path, page in (("/docs", _within_policy(swagger)), ("/redoc", _within_policy(redoc))):
        router.add_api_route(path, lambda page=page: page, methods=["GET"], response_class=HTMLResponse)
    return router


def serve_files(app: FastAPI) -> None:
    """Serve the files that the pages load."""
    app.mount(f"/{FILES}", StaticFiles(packages=[("fastapi_offline", "static")]), name="documentation")


def _within_policy(page: HTMLResponse) -> HTMLResponse:
    """Allow the page its own script by the script's digest, and nothing from another host.

    A browser asks for nothing below an address that holds a key, so the script leaves the key out.
    """
    page = HTMLResponse(bytes(page.body).replace(RELATIVE, WITHOUT_KEY))
    scripts = re.findall(rb"<script>(.*?)</script>", bytes(page.body), re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(each).digest()).decode() for each in scripts]
    page.headers["content-security-policy"] = POLICY.format(inline=" ".join(f"'sha256-{each}'" for each in digests))
    return page
