"""rediss+sentinel:// and rediss+cluster:// reach their servers by TLS, and believe no certificate but the given."""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from reward_service.errors import StoreUnavailableError
from reward_service.store.connecting import connection_to
from tests.support.ports import free_port
from tests.support.waiting import wait_until

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Secured:
    """The URL of a store, and the certificate that its servers show."""

    url: str
    certificate: Path


@pytest.fixture(scope="module", params=["sentinel", "cluster"])
def secured(request: pytest.FixtureRequest) -> Iterator[Secured]:
    binary, openssl = shutil.which("redis-server"), shutil.which("openssl")
    if binary is None or openssl is None:
        pytest.skip("no redis-server or openssl on this machine: install them (apt install redis-server openssl)")
    with tempfile.TemporaryDirectory(prefix="cr-tls-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        certificate, key = folder / "certificate.pem", folder / "key.pem"
        made = ["-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate), "-days", "1"]
        names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
        subprocess.run([openssl, "req", "-x509", *made, *names], check=True, capture_output=True)
        files = f"tls-cert-file {certificate}\ntls-key-file {key}\ntls-ca-cert-file {certificate}\n"
        common = f"port 0\ntls-auth-clients no\ntls-replication yes\ndir {folder}\n{files}"
        started = _sentinel if request.param == "sentinel" else _cluster
        with contextlib.ExitStack() as stack:
            yield Secured(started(stack, Path(binary), folder, common, certificate), certificate)


def _sentinel(stack: contextlib.ExitStack, binary: Path, folder: Path, common: str, certificate: Path) -> str:
    """A primary, and a sentinel that watches it."""
    primary, sentinel = free_port(), free_port()
    (folder / "primary.conf").write_text(f"tls-port {primary}\nsave ''\n{common}")
    watch = f"sentinel monitor mymaster 127.0.0.1 {primary} 1\n"
    (folder / "sentinel.conf").write_text(f"tls-port {sentinel}\n{common}{watch}")
    _start(stack, [str(binary), str(folder / "primary.conf")], primary, certificate)
    _start(stack, [str(binary), str(folder / "sentinel.conf"), "--sentinel"], sentinel, certificate)
    return f"rediss+sentinel://127.0.0.1:{sentinel}/mymaster"


def _cluster(stack: contextlib.ExitStack, binary: Path, folder: Path, common: str, certificate: Path) -> str:
    """A node with all slots."""
    port = free_port(bus=True)
    (folder / "node.conf").write_text(f"tls-port {port}\ntls-cluster yes\ncluster-enabled yes\nsave ''\n{common}")
    _start(stack, [str(binary), str(folder / "node.conf")], port, certificate)
    with redis.Redis(port=port, ssl=True, ssl_ca_certs=str(certificate)) as client:
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        wait_until(lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")
    return f"rediss+cluster://127.0.0.1:{port}"


def _start(stack: contextlib.ExitStack, command: list[str], port: int, certificate: Path) -> None:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.kill)
    with redis.Redis(port=port, ssl=True, ssl_ca_certs=str(certificate)) as client:
        wait_until(lambda: _answers(client))


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


async def test_the_primary_is_reached_by_tls(secured: Secured) -> None:
    connection = connection_to(f"{secured.url}?ssl_ca_certs={secured.certificate}", patience_s=20.0)
    assert await connection.execute("ECHO", "there") == b"there"
    await connection.close()


async def test_a_certificate_that_nobody_knows_is_not_believed(secured: Secured) -> None:
    connection = connection_to(secured.url, patience_s=1.0)
    with pytest.raises(StoreUnavailableError, match=r"(?i)certificate"):
        await connection.execute("ECHO", "there")
    await connection.close()
