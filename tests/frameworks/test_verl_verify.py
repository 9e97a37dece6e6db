"""`verify` in Ray's actors and tasks, in an environment whose ANTLR is hydra's."""

import pytest
from conftest import Program

from tests.support.hostile_answers import own_hostile, wrong

pytestmark = [pytest.mark.framework, pytest.mark.timeout(300)]


def test_rays_workers_verify(program: Program) -> None:
    found: dict[str, list[list[str]]] = {}
    for line in program("verl", "verl_verify_program.py"):
        found.setdefault(line["how"], []).append(line["verdicts"])
    assert len(found["actor"]) == 2
    for verdicts in found["actor"]:
        assert wrong(own_hostile(), verdicts) == []
        assert verdicts[[text.name for text in own_hostile()].index("identity")] == "same"
    assert (found["tasks"], found["driver"]) == ([["same"] * 4], [["same"]])
