"""The password of Redis comes from a file, and is shown nowhere."""

from pathlib import Path

import pytest

from reward_service.errors import SettingsError
from reward_service.settings import Settings
from reward_service.store.redis_url import check_address, with_password, without_password


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://redis:6379/0", "redis://:s%2Fe%40t@redis:6379/0"),
        ("rediss://user@host/1?timeout=2", "rediss://user:s%2Fe%40t@host/1?timeout=2"),
        ("redis://:known@host", "redis://:known@host"),
        ("redis+sentinel://one:1,[::1]:2/mymaster/0?db=1", "redis+sentinel://:s%2Fe%40t@one:1,[::1]:2/mymaster/0?db=1"),
        ("redis+sentinel://user@one,two/mymaster", "redis+sentinel://user:s%2Fe%40t@one,two/mymaster"),
        ("redis+sentinel://:@one,two/mymaster", "redis+sentinel://:@one,two/mymaster"),
        ("redis+cluster://user@one:1,[::1]:2", "redis+cluster://user:s%2Fe%40t@one:1,[::1]:2"),
    ],
)
def test_a_url_gets_the_password_that_it_lacks(url: str, expected: str):
    assert with_password(url, "s/e@t") == expected


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:secret@redis:6379/0?password=secret", "redis://redis:6379/0"),
        ("redis://:sec@r/e#t@host", "redis://host"),
        ("redis://:sec?ret@host:1", "redis://host:1"),
        ("redis://:secret", "redis://:***"),
        ("redis://:12345", "redis://:***"),
        ("redis://host:secret", "redis://host:***"),
        ("host:secret", "host:***"),
        (":secret@host", "host"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
        (
            "redis+sentinel://u:secret@one:1,[::1],two/mymaster?sentinel_password=secret",
            "redis+sentinel://one:1,[::1],two/mymaster",
        ),
        ("redis+sentinel://one:1,two:secret/mymaster", "redis+sentinel://one:***"),
        ("redis+cluster://u:secret@one:1,[::1],two?password=secret", "redis+cluster://one:1,[::1],two"),
        ("redis://[::1]:6379/2", "redis://[::1]:6379/2"),
    ],
)
def test_what_is_shown_has_no_password(url: str, shown: str):
    assert without_password(url) == shown


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("localhost:6379", "write redis://localhost:6379"),
        ("localhost", "write redis://localhost"),
        (":secret@host", "write redis://host"),
        ("http://host:6379", "write redis://host:6379"),
        ("redis:host", "has no scheme"),
        ("redis://host:99999", "no port from 1 to 65535"),
        ("redis://host:0", "no port from 1 to 65535"),
        ("redis://host:secret", "redis://:PASSWORD@HOST:PORT"),
        ("redis://:secret", "redis://:PASSWORD@HOST:PORT"),
        ("redis://:sec@r/e#t@host", "%40 for @"),
        ("redis://:sec?ret@host", "%3F for ?"),
        ("redis://:secr[et@host", "%5B"),
        ("redis://", "names no host"),
        ("redis:///0", "names no host"),
        ("redis://host/database", "names no database"),
        ("redis://host/0?db=secret", "options that cannot be used"),
        ("redis://host/0?depth=3", "options that cannot be used"),
        ("redis://host/0?retry=3", "options that cannot be used"),
        ("redis://ho st", "white space"),
        ("redis+sentinel://", "names no sentinels"),
        ("redis+sentinel://one,/mymaster", "names no sentinels"),
        ("redis+sentinel://one:99999/mymaster", "names no sentinels"),
        ("redis+sentinel://one:secret/mymaster", "names no sentinels"),
        ("redis+sentinel://one,two", "does not say which primary"),
        ("redis+sentinel://one/0/mymaster", "names no database"),
        ("redis+sentinel://:sec@r/e#t@one/mymaster", "%40 for @"),
        ("redis+sentinel://one/mymaster?sentinel_depth=secret", "not known: depth"),
        ("redis+sentinel://one/mymaster?depth=3", "options that cannot be used"),
        ("redis+sentinel://one/mymaster?retry=3", "options that cannot be used"),
        ("redis+sentinel://one/mymaster?db=secret", "options that cannot be used"),
        ("redis+cluster://", "names no nodes"),
        ("redis+cluster://one,", "names no nodes"),
        ("redis+cluster://one:secret", "names no nodes"),
        ("redis+cluster://one,two/1", "names a database"),
        ("redis+cluster://:sec@r/e#t@one", "%40 for @"),
        ("redis+cluster://one?depth=3", "options that cannot be used"),
        ("redis+cluster://one?retry=3", "options that cannot be used"),
        ("cluster://one", "redis+cluster://HOST,HOST"),
        ("sentinel://one;sentinel://two", "redis+sentinel://HOST,HOST/NAME"),
        ("unix://", "names no socket"),
        ("unix://redis.sock", "names no socket"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused_without_its_password(url: str, advice: str):
    with pytest.raises(SettingsError) as refused:
        Settings(redis_url=url)
    said = str(refused.value)
    assert advice in said
    assert "secret" not in said
    assert not {"sec@", "e#t", "sec?ret", "secr["} & set(said.split())
    assert "\n" not in said


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://localhost:6379/0",
        "redis://user:s%2Fe%40t@host:1/15",
        "redis://:p@ss@host",
        "rediss://host?ssl_cert_reqs=none",
        "redis://[::1]:6379",
        "unix:///run/redis.sock",
        "unix://user:secret@/run/redis.sock?db=1",
        "redis://host/?socket_keepalive=yes",
        "redis+sentinel://one,two:26380/mymaster",
        "redis+sentinel://user:s%2Fe%40t@one,[::1]:26379/mymaster/2?sentinel_password=p&socket_keepalive=yes",
        "rediss+sentinel://one/mymaster/0?ssl_cert_reqs=none",
    ],
)
def test_a_url_that_may_lead_somewhere_is_taken(url: str):
    check_address(url)


def test_an_empty_url_is_none():
    assert Settings(redis_url=" ").redis_url is None


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
