"""A command with a service of its own that is asked to end, as by a batch system, leaves nothing behind."""

import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from reward_service.serving.embedded_service import embedded_service

COMMAND = """
import signal, sys, tempfile
from pathlib import Path
from reward_service.serving.embedded_service import embedded_service
with tempfile.TemporaryDirectory(dir=sys.argv[1]) as folder, embedded_service(Path(folder)) as url:
    print(url, flush=True)
    signal.pause()
"""


def ended_by(number: signal.Signals, folder: Path, *, ignored: bool = False) -> tuple[int, str, str]:
    """The exit code, what was said, and the URL that was served."""
    before = f"import signal; signal.signal({number}, signal.SIG_IGN)\n" if ignored else ""
    process = subprocess.Popen(
        [sys.executable, "-c", before + COMMAND, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert urllib.request.urlopen(f"{url}/health", timeout=30).status == 200
    process.send_signal(number)
    if ignored:
        assert urllib.request.urlopen(f"{url}/health", timeout=30).status == 200
        process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    return process.returncode, said, url


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_service_stops_in_its_order_and_the_folder_is_removed(number: signal.Signals, tmp_path: Path) -> None:
    code, said, url = ended_by(number, tmp_path)
    assert (code, said) == (128 + number, ""), "no process misses the store, because the store goes last"
    assert not list(tmp_path.iterdir())
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{url}/health", timeout=5)


def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    code, said, _ = ended_by(signal.SIGHUP, tmp_path, ignored=True)
    assert (code, said) == (128 + signal.SIGTERM, "")


def test_the_handlers_of_a_program_are_its_own_again(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with embedded_service(tmp_path / "first"):
        pass
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_thread_may_have_a_service(tmp_path: Path) -> None:
    served: list[str] = []

    def serve() -> None:
        with embedded_service(tmp_path) as url:
            served.append(url)

    thread = threading.Thread(target=serve)
    thread.start()
    thread.join(60)
    assert served
