"""rediss+sentinel:// reaches the sentinels and the primary by TLS, and believes no other certificate than the given."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from reward_service.errors import StoreUnavailableError
from reward_service.store.connection import RedisConnection
from tests.support.ports import free_port
from tests.support.waiting import wait_until

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Secured:
    """A sentinel's URL, and the certificate that it and the primary show."""

    url: str
    certificate: Path


@pytest.fixture(scope="module")
def secured() -> Iterator[Secured]:
    binary, openssl = shutil.which("redis-server"), shutil.which("openssl")
    if binary is None or openssl is None:
        pytest.skip("no redis-server or openssl on this machine: install them (apt install redis-server openssl)")
    with tempfile.TemporaryDirectory(prefix="cr-tls-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        certificate, key = folder / "certificate.pem", folder / "key.pem"
        made = ["-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate), "-days", "1"]
        names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
        subprocess.run([openssl, "req", "-x509", *made, *names], check=True, capture_output=True)
        ports = free_port(), free_port()
        files = f"tls-cert-file {certificate}\ntls-key-file {key}\ntls-ca-cert-file {certificate}\n"
        common = f"port 0\ntls-auth-clients no\ntls-replication yes\ndir {folder}\n{files}"
        (folder / "primary.conf").write_text(f"tls-port {ports[0]}\nsave ''\n{common}")
        watch = f"sentinel monitor mymaster 127.0.0.1 {ports[0]} 1\n"
        (folder / "sentinel.conf").write_text(f"tls-port {ports[1]}\n{common}{watch}")
        commands = [[binary, str(folder / "primary.conf")], [binary, str(folder / "sentinel.conf"), "--sentinel"]]
        quiet = subprocess.DEVNULL
        processes = [subprocess.Popen(command, stdout=quiet, stderr=quiet) for command in commands]
        try:
            for port in ports:
                with redis.Redis(port=port, ssl=True, ssl_ca_certs=str(certificate)) as client:
                    wait_until(lambda client=client: _answers(client))
            yield Secured(f"rediss+sentinel://127.0.0.1:{ports[1]}/mymaster", certificate)
        finally:
            for process in processes:
                process.kill()
                process.wait()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


async def test_the_primary_is_reached_by_tls(secured: Secured) -> None:
    connection = RedisConnection(f"{secured.url}?ssl_ca_certs={secured.certificate}", patience_s=20.0)
    assert await connection.execute("ECHO", "there") == b"there"
    await connection.close()


async def test_a_certificate_that_nobody_knows_is_not_believed(secured: Secured) -> None:
    connection = RedisConnection(secured.url, patience_s=1.0)
    with pytest.raises(StoreUnavailableError, match=r"(?i)certificate"):
        await connection.execute("ECHO", "there")
    await connection.close()
