"""The pages of the API's documentation, with a browser's eyes: nothing is loaded from another host."""

import base64
import hashlib
import re

import httpx
import pytest

SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
ADDRESS = re.compile(r"""(?:src|href)="([^"]+)"|new URL\('([^']+)', location.href\)|spec-url="([^"]+)\"""")


def addresses(page: str) -> set[str]:
    """What a page loads."""
    return {address for found in ADDRESS.findall(page) for address in found if address}


@pytest.mark.parametrize(("path", "needed"), [("/docs", "swagger-ui-bundle.js"), ("/redoc", "redoc.standalone.js")])
def test_all_that_a_page_loads_is_here(client: httpx.Client, path: str, needed: str) -> None:
    page = client.get(path)
    assert page.status_code == 200
    loaded = addresses(page.text)
    assert any(each.endswith(needed) for each in loaded)
    assert any(each.endswith("openapi.json") for each in loaded)
    for each in loaded:
        assert ":" not in each, f"{path} loads {each} from another host"
        assert not each.startswith("/"), "a proxy may serve the API below a path"
        assert client.get(f"/{each}").status_code == 200, each


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_a_page_may_load_nothing_else(client: httpx.Client, path: str) -> None:
    page = client.get(path)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    scripts = policy.partition("script-src ")[2].partition(";")[0].split()
    digests = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in SCRIPT.findall(page.text)]
    assert scripts == ["'self'", *(f"'sha256-{each}'" for each in digests)]


def test_no_file_above_is_served(client: httpx.Client) -> None:
    assert client.get("/docs/files/../core.py").status_code == 404
    assert client.get("/docs/files/%2e%2e/core.py").status_code == 404
