"""What is installed is pinned: packages by hash, base images by digest, and each pin is told once or told alike."""

import re
from pathlib import Path

import pytest
import yaml

from tests.deploy.test_requirements import of_extra

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "deploy" / "locks").glob("*.txt"))
DIGEST = re.compile(r"@sha256:[0-9a-f]{64}\b")


def locked(lock: Path) -> dict[str, str]:
    """Each package's version, markers included."""
    return dict(re.findall(r"^([a-z0-9._-]+)==([^\\]+?) \\$", lock.read_text(), re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_locked_package_has_a_hash(lock: Path) -> None:
    entries = re.split(r"^(?=[a-z0-9])", lock.read_text(), flags=re.MULTILINE)[1:]
    assert entries
    for entry in entries:
        assert "--hash=sha256:" in entry, entry


def test_the_images_install_what_is_tested() -> None:
    tested = {name: version.split()[0] for name, version in locked(ROOT / "deploy/locks/dev.txt").items()}
    for lock in LOCKS:
        if lock.stem not in ("dev", "docs", "openrlhf"):
            for name, version in locked(lock).items():
                assert tested[name] == version.split()[0], f"{lock.name}: {name}"


@pytest.mark.parametrize("extra", ["server", "local", "loadtest", "dev", "docs"])
def test_the_locks_hold_what_the_package_asks_for(extra: str) -> None:
    versions = locked(ROOT / f"deploy/locks/{extra}.txt")
    for name, asked in of_extra(extra).items():
        if name != "torch":
            assert asked.specifier.contains(versions[name.lower()].split()[0]), f"{name}: run scripts/lock"


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.gpu"])
def test_images_are_built_from_digests(name: str) -> None:
    text = (ROOT / "deploy" / name).read_text()
    arguments = dict(re.findall(r"^ARG (\w+_IMAGE)=(\S+)$", text, re.MULTILINE))
    assert arguments
    assert all(DIGEST.search(image) for image in arguments.values())
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert set(bases) <= {f"${{{argument}}}" for argument in arguments} | {"scratch"}


def test_services_run_images_by_digest_within_limits() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for name, service in services.items():
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        if "build" not in service:
            assert DIGEST.search(service["image"]), name


def test_the_example_names_the_images_that_are_used() -> None:
    example = (ROOT / ".env.example").read_text()
    files = ("docker-compose.yml", "deploy/Dockerfile", "deploy/Dockerfile.gpu")
    used = "".join((ROOT / name).read_text() for name in files)
    named = re.findall(r"^#?\w+_IMAGE=(.+@sha256:\w+)$", example, re.MULTILINE)
    assert len(named) == 5
    assert all(image in used for image in named)
