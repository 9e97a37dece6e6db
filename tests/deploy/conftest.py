"""helm, where it was fetched."""

import subprocess

import pytest

from tests.deploy.helm_chart import TOOLS


@pytest.fixture(scope="session")
def helm() -> None:
    """There is a helm that runs here."""
    try:
        subprocess.run([TOOLS / "helm", "version"], capture_output=True, check=True, timeout=60)
    except OSError as why:  # not fetched, or for another machine
        pytest.skip(f"no helm ({why.strerror}): `make helm` fetches it, on Linux on x86-64")
