"""What docs/security.md says of keys is so, and `co-rewarding keys` makes and checks what it says."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reward_service.access_file import access_in, read_access
from reward_service.api.access.route_rules import RULES
from reward_service.domain.access import ALL_SCOPES, Quotas, Rate, Scope, digest_of
from reward_service.errors import SettingsError
from reward_service.tools.keys.command import keys_app
from tests.snippets.reading import REPOSITORY, snippets

PAGE = "docs/security.md"


def test_the_page_has_the_scopes_of_each_route() -> None:
    rows: list[str] = []
    for route, rule in RULES.items():
        scopes = [f"`{scope}`" for scope in Scope if scope in (rule.scopes or ())]
        told = "none: no key is asked for" if rule.scopes is None else ", ".join(scopes)
        told = "any" if rule.scopes == ALL_SCOPES else told
        rows.append(f"| `{route.replace(':path', '')}` | {told} |")
    assert "\n".join(rows) in (REPOSITORY / PAGE).read_text()


def test_the_pages_file_of_keys_is_one() -> None:
    (snippet,) = [each for each in snippets() if each.page == PAGE and each.language == "toml"]
    access = access_in(snippet.text, PAGE)
    names = {grant.name: grant for grant in access.grants.values()}
    assert names.keys() == {"team-a", "operator"}
    assert len(access.grants) == 3, "the operator has two keys"
    assert names["operator"].scopes == ALL_SCOPES
    assert names["team-a"].quotas.rollouts is not None
    assert access.quotas_of("team-a.x") is not None


def test_a_key_is_shown_once_and_its_entry_opens_the_service(tmp_path: Path) -> None:
    words = ["new", "team-a", "--scope", "score", "--scope", "teach", "--scope", "score", "--runs", "team-a."]
    made = [CliRunner().invoke(keys_app, words) for _ in range(2)]
    assert [each.exit_code for each in made] == [0, 0]
    shown = re.findall(r"kept nowhere: (\S+)$", made[0].stderr.strip())
    assert len(shown) == 1
    assert shown[0] not in made[0].stdout
    assert made[0].stdout != made[1].stdout
    file = tmp_path / "keys.toml"
    file.write_text(made[0].stdout)
    (grant,) = read_access(file).grants.values()
    assert read_access(file).grants == {digest_of(shown[0].encode()): grant}
    assert (grant.name, grant.scopes, grant.prefixes) == ("team-a", {Scope.SCORE, Scope.TEACH}, ("team-a.",))
    checked = CliRunner().invoke(keys_app, ["check", str(file)])
    assert checked.stdout == "team-a: score, teach; team-a.*; no quotas\n"


def test_an_entry_has_the_quotas_of_the_options(tmp_path: Path) -> None:
    words = ["new", "a", "--scope", "score", "--rollouts-per-s", "0.5", "--rollouts-burst", "8192"]
    words += ["--bytes-per-s", "20MiB", "--bytes-burst", "1000000000", "--held-requests", "4096"]
    file = tmp_path / "keys.toml"
    file.write_text(CliRunner().invoke(keys_app, words).stdout)
    (grant,) = read_access(file).grants.values()
    assert grant.quotas == Quotas(Rate(0.5, 8192), Rate(20 * 2**20, 1e9), 4096)


def test_an_entry_that_no_file_may_have_is_not_made() -> None:
    quotas = (["--rollouts-per-s", "0"], ["--rollouts-burst", "9"], ["--bytes-per-s", "much"], ["--held-requests", "0"])
    for words in (
        ["new", "a b", "--scope", "read"],
        ["new", "a", "--scope", "read", "--runs", "a/"],
        *(["new", "a", "--scope", "read", *words] for words in quotas),
    ):
        made = CliRunner().invoke(keys_app, words)
        assert isinstance(made.exception, SettingsError)
        assert made.stdout == ""


def test_a_file_that_is_wrong_is_told_where(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text("# mine\n\n[[keys]]\nname = 'a'\nscopes = ['read']\n")
    checked = CliRunner().invoke(keys_app, ["check", str(file)])
    assert isinstance(checked.exception, SettingsError)
    with pytest.raises(SettingsError, match="line 3"):
        read_access(file)
