"""The password of Redis comes from a file, and is shown nowhere."""

from pathlib import Path

import pytest

from reward_service.errors import SettingsError
from reward_service.settings import Settings, with_password, without_password


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://redis:6379/0", "redis://:s%2Fe%40t@redis:6379/0"),
        ("rediss://user@host/1?timeout=2", "rediss://user:s%2Fe%40t@host/1?timeout=2"),
        ("redis://:known@host", "redis://:known@host"),
    ],
)
def test_a_url_gets_the_password_that_it_lacks(url: str, expected: str):
    assert with_password(url, "s/e@t") == expected


def test_what_is_shown_has_no_password():
    assert without_password("redis://user:secret@redis:6379/0?password=secret") == "redis://redis:6379/0"


def test_the_settings_read_the_file(tmp_path: Path):
    file = tmp_path / "password"
    file.write_text("secret\n")
    settings = Settings(redis_url="redis://redis:6379/0", redis_password_file=file)
    assert settings.redis_url == "redis://:secret@redis:6379/0"
    again = Settings(redis_url=settings.redis_url, redis_password_file=file)  # as a process is told by its parent
    assert again.redis_url == settings.redis_url


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"absent.*cannot be read"):
        Settings(redis_url="redis://redis:6379/0", redis_password_file=tmp_path / "absent")
