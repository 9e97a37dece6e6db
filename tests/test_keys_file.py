"""The file of keys: one a line, or TOML. What is written about keys is no key, and a wrong file says where."""

from hashlib import sha256
from pathlib import Path

import pytest

from reward_service.domain.access import ALL_SCOPES, Grant, Quotas, Rate, RunQuotas, Scope, digest_of
from reward_service.errors import SettingsError
from reward_service.settings import Settings

WHOLE = f"""
[[keys]]
name = "team-a"
sha256 = "{sha256(b"the key of team a").hexdigest()}"
scopes = ["score", "teach"]
runs = ["team-a."]

[keys.quotas]
rollouts_per_s = 500
bytes_per_s = "10MiB"
bytes_burst = 1000000000
held_requests = 2048

[[keys]]
name = "operator"
key = "the-key-of-the-operator"
scopes = ["read", "admin"]

[[runs]]
prefix = "team-a."
quotas = {{open_cohorts = 1000, rollouts_per_s = 0.5, rollouts_burst = 4096}}
"""


def test_blank_lines_and_comments_are_no_keys(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# alice\nfirst\n\n   \n  # of the trainer\n  second  \r\nthird#3\n")
    grants = Settings.model_validate({"api_keys": ["other"], "api_keys_file": file}).access().grants
    names = {"other": "api-keys-1", "first": "line-2", "second": "line-6", "third#3": "line-7"}
    assert grants == {digest_of(key.encode()): Grant(name) for key, name in names.items()}
    assert all(grant.scopes == ALL_SCOPES for grant in grants.values())


@pytest.mark.parametrize("name", ["keys.toml", "api_keys"])
def test_a_table_names_scopes_runs_and_quotas(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text(WHOLE)
    access = Settings(api_keys_file=file).access()
    team = Quotas(Rate(500, 5000), Rate(10 * 2**20, 1e9), 2048)
    assert access.grants == {
        sha256(b"the key of team a").digest(): Grant(
            "team-a", frozenset({Scope.SCORE, Scope.TEACH}), ("team-a.",), team
        ),
        sha256(b"the-key-of-the-operator").digest(): Grant("operator", frozenset({Scope.READ, Scope.ADMIN})),
    }
    assert access.runs == (RunQuotas("team-a.", Quotas(Rate(0.5, 4096), open_cohorts=1000)),)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("[[keys]]\nname", "[[keys]\nname", ["no TOML", "line 2"]),
        ('"score", "teach"', '"score", "teech"', ["line 2", "keys[0].scopes[1]", "'admin'"]),
        ('["team-a."]', '["team-a/"]', ["line 2", "keys[0].runs[0]"]),
        ('["team-a."]', "[]", ["line 2", "keys[0].runs"]),
        ('["read", "admin"]', "[]", ["line 14", "keys[1].scopes"]),
        ('key = "the-key-of-the-operator"', "", ["line 14", "either key or sha256"]),
        ('key = "the-key-of-the-operator"', 'key = "short"', ["line 14", "keys[1].key"]),
        ('key = "the-key-of-the-operator"', f'sha256 = "{sha256(b"the key of team a").hexdigest()}"', ["same key"]),
        ('"operator"', '"team-a"', ["line 14", "another key has the name"]),
        ("rollouts_per_s = 500", "rollouts_per_s = 0", ["line 2", "keys[0].quotas.rollouts_per_s"]),
        ("rollouts_per_s = 500", "rollouts_burst = 500", ["line 2", "rollouts_burst"]),
        ("rollouts_per_s = 500", "rollout_per_s = 500", ["line 2", "keys[0].quotas.rollout_per_s", "no such name"]),
        ("held_requests = 2048", "open_cohorts = 2048", ["line 2", "keys[0].quotas.open_cohorts"]),
        ('prefix = "team-a."', 'prefix = ""', ["line 19", "runs[0].prefix"]),
    ],
)
def test_a_wrong_file_says_where_and_quotes_no_key(tmp_path: Path, before: str, after: str, words: list[str]) -> None:
    file = tmp_path / "keys.toml"
    assert before in WHOLE
    file.write_text(WHOLE.replace(before, after, 1))
    with pytest.raises(SettingsError) as error:
        Settings(api_keys_file=file).access()
    for word in words:
        assert word in str(error.value)
    assert "the-key-of-the-operator" not in str(error.value)
    assert "short" not in str(error.value)


@pytest.mark.parametrize(
    "wrong",
    [
        "x = " + "[" * 5000 + "]" * 5000,
        "held_requests = " + "9" * 5000,
        "held_requests = " + "9" * 400,
        "bytes_per_s = " + "9" * 400,
        "x = 'y\0'",
        "# " + "x" * 2**24,
    ],
    ids=["deep", "no int of Python", "no float", "no float of bytes", "binary", "huge"],
)
def test_whatever_a_file_holds_is_told_as_a_wrong_file(tmp_path: Path, wrong: str) -> None:
    """Any other error would end the process that takes the file again while it serves."""
    file = tmp_path / "keys.toml"
    file.write_text(WHOLE.replace("rollouts_per_s = 500", wrong))
    with pytest.raises(SettingsError, match=r"keys\.toml"):
        Settings(api_keys_file=file).access()


def test_a_path_that_leads_to_no_file_is_told_as_a_wrong_file(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path, tmp_path / "loop"):
        with pytest.raises(SettingsError, match="cannot be read"):
            Settings(api_keys_file=path).access()


@pytest.mark.parametrize(
    "text", ["keys = [{name = 'a', key = 'the-key-of-the-operator', scopes = ['read']}]", "[[ 'keys' ]]", "name = 'a'"]
)
def test_no_word_of_tables_is_a_key_where_the_name_does_not_tell(tmp_path: Path, text: str) -> None:
    """As lines, `=` would be a key with all rights."""
    file = tmp_path / "keys"
    file.write_text(f"# keys of = teams\n{text}\n")
    with pytest.raises(SettingsError, match=r"line 2, looks like TOML"):
        Settings(api_keys_file=file).access()


def test_a_mark_of_the_order_of_bytes_is_part_of_nothing(tmp_path: Path) -> None:
    for name, text in (("keys", WHOLE.lstrip()), ("lines", "first\n")):
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
    grants = Settings(api_keys_file=tmp_path / "keys").access().grants
    assert {grant.name for grant in grants.values()} == {"team-a", "operator"}
    assert Settings(api_keys_file=tmp_path / "lines").access().grants == {digest_of(b"first"): Grant("line-1")}
