"""Settings as an operator writes them: sizes with units, and files of keys that hold some."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reward_service.errors import SettingsError
from reward_service.serving.children import environment_of
from reward_service.settings import PREFIX, Settings, settings_given
from tests.commands.calling import CommandLine, command_line

SIZES = [name for name in Settings.model_fields if name.endswith("_bytes")]


@pytest.fixture(scope="module")
def call() -> Iterator[CommandLine]:
    with command_line() as calls:
        yield calls


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize(("written", "size"), [("64MiB", 2**26), ("1.5 GiB", 3 * 2**29), ("70000", 70_000)])
def test_a_size_may_have_a_unit(monkeypatch: pytest.MonkeyPatch, name: str, written: str, size: int) -> None:
    variable = f"{PREFIX}{name.upper()}"
    monkeypatch.setenv(variable, written)
    settings = settings_given()
    assert getattr(settings, name) == size
    assert environment_of(settings)[variable] == str(size), "as the processes are told it"


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("written", ["64 apples", "-1", "MiB", ""])
def test_what_is_no_size_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch, name: str, written: str) -> None:
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", written)
    with pytest.raises(SettingsError, match=f"{PREFIX}{name.upper()} in the environment"):
        settings_given()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("content", ["", "\n \t\n", "# only a comment\n"], ids=["empty", "blank", "comment"])
@pytest.mark.parametrize("given", ["option", "environment"])
@pytest.mark.parametrize("others", ["", '["a-key"]'], ids=["alone", "beside keys"])
def test_a_file_of_keys_without_a_key_is_refused(
    call: CommandLine, tmp_path: Path, host: str, content: str, given: str, others: str
) -> None:
    (tmp_path / "keys").write_text(content)
    options = ["--api-keys-file", "keys"] if given == "option" else []
    environment = {"CO_REWARDING_API_KEYS_FILE": "keys"} if given == "environment" else {}
    environment |= {"CO_REWARDING_API_KEYS": others} if others else {}
    ended = call(["serve", "--port", "0", "--host", host, *options], folder=tmp_path, environment=environment)
    (line,) = ended.err.splitlines()
    assert ended.code == 2
    assert line.startswith("co-rewarding: keys holds no key: ")
    assert not (tmp_path / ".co-rewarding").exists(), "nothing was started"


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e300", "-1"])
@pytest.mark.parametrize("name", [name for name in Settings.model_fields if name.endswith("_s")])
def test_no_time_is_for_ever(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", value)
    with pytest.raises(SettingsError, match=name.upper()):
        settings_given()


@pytest.mark.parametrize("name", ["get_reward_hold_s", "remote_rm_hold_s"])
def test_no_seconds_are_told_to_the_processes_too(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """0 is no limit; what is None would not be told, and a process would take the default."""
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", "0")
    settings = settings_given()
    assert environment_of(settings)[f"{PREFIX}{name.upper()}"] == "0.0"
    assert getattr(settings, name) == 0.0
