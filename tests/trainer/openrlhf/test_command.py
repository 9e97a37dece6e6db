"""`co-rewarding train`: dry runs need nothing, real ones prepare in order, and the child is as if it were us."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from co_rewarding_client import RunSettings
from co_rewarding_trainer.openrlhf import command
from co_rewarding_trainer.openrlhf.arguments import RunPaths
from co_rewarding_trainer.openrlhf.command import run_child
from co_rewarding_trainer.openrlhf.compatibility import TESTED
from co_rewarding_trainer.openrlhf.data import DatasetCounts
from co_rewarding_trainer.openrlhf.errors import DataError, PreflightError, TrainingError
from co_rewarding_trainer.openrlhf.preflight import check
from co_rewarding_trainer.openrlhf.preflight_facts import Machine, gather
from co_rewarding_trainer.openrlhf.recipe import Run
from co_rewarding_trainer.openrlhf.service import CheckedService, run_settings
from co_rewarding_trainer.openrlhf.sources import SourceQuestion
from rich.console import Console
from typer.testing import CliRunner

from reward_service.cli import app
from tests.trainer.openrlhf.recipes import SMALL, FakeService, pairs, small, write_pairs

# What this machine may lack and a test of the order of things does not need.
HERE = ["hardware.device=cpu", "model.attention=sdpa", "hardware.pack_rollouts=false"]


def shown(folder: Path, *settings: str, **more: Any) -> str:
    (folder / "small.toml").write_text(SMALL)
    out = io.StringIO()
    order = command.TrainingOrder(recipes=[str(folder / "small.toml")], settings=settings, dry_run=True, **more)
    assert command.train(order, Console(file=out)) == 0
    return out.getvalue()


def test_a_dry_run_tells_all_and_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = shown(tmp_path, "environment.X=a b")
    assert [path.name for path in tmp_path.iterdir()] == ["small.toml"]
    assert f"pairs.jsonl → {tmp_path}/runs/small/data/train.jsonl" in told
    assert '{"method": "co-rewarding-i", "group_size": 4}   # and total_steps' in told
    assert "export CO_REWARDING_RUN=small\n" in told
    assert "export X='a b'\n" in told
    assert f"{sys.executable} -m co_rewarding_trainer.openrlhf.driver \\\n    --actor.model" in told


def test_a_dry_run_shows_no_key(tmp_path: Path) -> None:
    told = shown(tmp_path, api_key="secret/", url="https://rewards", output=tmp_path / "out")
    assert "secret" not in told
    assert "https://x:$CO_REWARDING_API_KEY@rewards/get_reward" in told
    assert f"--ckpt.path {tmp_path}/out/checkpoints" in told


def test_it_is_a_command_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SMALL)
    result = CliRunner().invoke(app, ["train", str(tmp_path / "small.toml"), "--dry-run", "--set", "run.name=other"])
    assert result.exit_code == 0, result.output
    assert "/v1/runs/other" in result.output


def test_what_is_wrong_is_one_line_and_status_2(tmp_path: Path) -> None:
    script = "from reward_service.cli import main; main(['train', 'cpu-smok', '--dry-run'])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("co-rewarding: cpu-smok: there is no such file")
    assert "Traceback" not in done.stderr


MACHINE = Machine(
    gpus=0,
    ray_address=None,
    openrlhf=TESTED,
    missing=(),
    flash_attention=False,
    wandb_key=False,
    free_bytes=lambda _: 10**12,
)


class Words:
    """A tokenizer: a token is a word, and a message a line."""

    chat_template = "a line a message"

    def apply_chat_template(self, messages: Sequence[Mapping[str, str]], **_: bool) -> str:
        return "\n".join(message["content"] for message in messages)

    def __call__(self, text: str, *, add_special_tokens: bool) -> dict[str, list[str]]:
        assert not add_special_tokens, "the template has put them there"
        return {"input_ids": text.split()}


def prepared(
    folder: Path, fake: FakeService, *settings: str, tokenizer_of: Callable[[Any], Any] = lambda _: Words()
) -> tuple[DatasetCounts, RunPaths]:
    source = write_pairs(folder / "pairs.jsonl", pairs(9))
    recipe = small(folder, f"data.source={source}", *HERE, *settings)
    paths = RunPaths.of(recipe, folder / "out")
    with fake.opened() as service:
        return command.prepare(recipe, paths, service, MACHINE, tokenizer_of=tokenizer_of), paths


def test_the_data_set_is_made_and_the_run_registered(tmp_path: Path) -> None:
    fake = FakeService()
    counts, paths = prepared(tmp_path, fake, "training.epochs=2")
    assert (counts.rows, counts.longest_prompt_tokens) == (9, 5)
    assert len(paths.train.read_text().splitlines()) == 9
    put = fake.requests[-1]
    assert (put.method, put.url.path, put.headers["authorization"]) == ("PUT", "/v1/runs/small", "Bearer key")
    assert json.loads(put.content) == {"method": "co-rewarding-i", "group_size": 4, "total_steps": 4}
    assert json.loads((paths.output / "recipe.json").read_text())["run"]["group_size"] == 4


def test_nothing_is_registered_that_would_fail(tmp_path: Path) -> None:
    fake = FakeService(settled=3)
    with pytest.raises(PreflightError, match="has 3 cohorts"):
        prepared(tmp_path, fake)
    assert not (tmp_path / "out/data").exists()
    with pytest.raises(PreflightError, match="9 of 9 questions are left, fewer"):
        prepared(tmp_path, fake := FakeService(), "sampling.questions_per_step=10", "hardware.micro_rollouts_scored=4")
    assert "PUT" not in {request.method for request in fake.requests}


def test_a_model_that_cannot_be_had_is_told(tmp_path: Path) -> None:
    def fails(_: Any) -> Any:
        raise DataError("no such model")

    with pytest.raises(PreflightError, match=r"tokenizer of model.path owner/model-1B cannot be loaded: no such model"):
        prepared(tmp_path, FakeService(), tokenizer_of=fails)


def test_a_run_that_is_not_as_it_was_sent_is_told(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="group_size is 8 and not 4"):
        prepared(tmp_path, FakeService(put={"group_size": 8}))


def test_paraphrases_are_asked_where_the_service_writes_them(tmp_path: Path) -> None:
    fake = FakeService(routes=["/v1/paraphrases"])
    source = write_pairs(tmp_path / "bare.jsonl", [each | {"paraphrase": None} for each in pairs(9)])
    counts, _ = prepared(tmp_path, fake, f"data.source={source}")
    assert (counts.paraphrases_missing, counts.paraphrases_written, counts.rows) == (9, 9, 9)
    (asked,) = [json.loads(each.content) for each in fake.requests if each.url.path == "/v1/paraphrases"]
    assert asked["questions"][0] == {"question_id": "q/0", "question": "What is 0 + 1?"}, "and no ground truth"


def test_paraphrases_that_were_not_accepted_are_missing() -> None:
    fake = FakeService()
    fake.write = lambda question: None if question["question_id"] == "b" else "other words"
    with fake.opened() as service:
        assert service.paraphrases("run", [SourceQuestion("a", "?"), SourceQuestion("b", "?")]) == {"a": "other words"}


def test_a_service_that_is_away_is_one_of_the_problems(tmp_path: Path) -> None:
    recipe = small(tmp_path, *HERE)
    with CheckedService("http://127.0.0.1:9", patience_s=0.0) as service:
        facts = gather(recipe, RunPaths.of(recipe, tmp_path), service, MACHINE, resume=True)
    told = check(recipe, facts)
    assert "http://127.0.0.1:9 does not answer (GET /version at http://127.0.0.1:9 failed" in told[0]
    assert "there are no checkpoints" in told[-1]


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        (None, "there is no such file"),
        ("{", "cannot be read as JSON lines"),
        ('{"question_id": "q"}\n', "has no column 'question'"),
        ("", "holds no rows"),
    ],
)
def test_questions_that_cannot_be_read_are_among_the_problems(
    tmp_path: Path, content: str | None, trouble: str
) -> None:
    source = tmp_path / "questions.jsonl"
    if content is not None:
        source.write_text(content)
    settings = [f"data.source={source}", f"evaluation.source={source}", "model.path=no/such/model"]
    recipe = small(tmp_path, *HERE, *settings)
    with FakeService().opened() as service, pytest.raises(PreflightError) as raised:
        command.prepare(recipe, RunPaths.of(recipe, tmp_path / "runs/out"), service, MACHINE)
    told = raised.value.problems
    assert [each.split()[0] for each in told] == ["model.path", "data.source", "evaluation.source"], told
    assert all(trouble in each and "\n" not in each for each in told[1:])
    assert not (tmp_path / "runs").exists(), "a run that is refused leaves no folder"


def test_questions_of_which_none_is_left_leave_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none is left"):
        prepared(tmp_path, FakeService(), "data.prompt_max_tokens=1")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_was_there_stays(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(PreflightError, match="has 3 cohorts"):
        prepared(tmp_path, FakeService(settled=3))
    assert list((tmp_path / "out").iterdir()) == []


def test_a_disk_s_room_is_asked_of_the_machine(tmp_path: Path) -> None:
    recipe = small(tmp_path, *HERE)
    machine = replace(MACHINE, free_bytes={tmp_path / "out": 10, tmp_path / "out/weights": 20}.get)
    with FakeService().opened() as service:
        facts = gather(recipe, RunPaths.of(recipe, tmp_path / "out"), service, machine, resume=False)
    assert (facts.free_bytes, facts.weights_free_bytes) == (10, 20)
    assert (Machine.here({}).free_bytes(tmp_path / "not/there") or 0) > 0


def test_the_teacher_s_schedule_spans_the_run(tmp_path: Path) -> None:
    recipe = small(tmp_path)
    assert run_settings(recipe, questions=9).total_steps == 2
    assert run_settings(small(tmp_path, "training.updates_per_step=2"), questions=9).total_steps == 2
    assert run_settings(small(tmp_path, "run.total_steps=7"), questions=9).total_steps == 7


def test_the_teacher_samples_as_the_policy_unless_the_recipe_says_otherwise(tmp_path: Path) -> None:
    policy = ["sampling.temperature=0.7", "sampling.top_p=0.9", "run.teacher_temperature=1.0"]
    taught = run_settings(small(tmp_path, "run.method=co-rewarding-ii", *policy))
    assert (taught.teacher_temperature, taught.teacher_top_p, taught.teacher_max_tokens) == (1.0, 0.9, 32)
    untaught = run_settings(small(tmp_path, *policy[:2]))
    assert (untaught.teacher_temperature, untaught.teacher_top_p, untaught.teacher_max_tokens) == (1.0, 1.0, 3072)


def test_a_recipe_has_every_setting_of_a_run() -> None:
    assert set(Run.model_fields) == {*RunSettings.__struct_fields__, "name", "views"}


def test_the_environment_says_what_the_driver_reads(tmp_path: Path) -> None:
    recipe = small(tmp_path, "environment.HF_HUB_OFFLINE=1", "environment.Y=1", "service.url=http://a,http://b")
    paths = RunPaths.of(recipe, tmp_path)
    told = command.variables(recipe, paths, "key", {"Y": "2", "CO_REWARDING_RUN": "stale"})
    assert told == {
        "HF_HUB_OFFLINE": "1",
        "Y": "2",
        "CO_REWARDING_URL": "http://a,http://b",
        "CO_REWARDING_RUN": "small",
        "CO_REWARDING_SEED": "0",
        "CO_REWARDING_TEACHER": "0",
        "CO_REWARDING_PUBLISH_EVERY": "0",
        "CO_REWARDING_API_KEY": "key",
    }
    teacher = small(tmp_path, "run.method=co-rewarding-ii", "weights.publish_every_steps=4")
    told = command.variables(teacher, RunPaths.of(teacher, tmp_path), None, {})
    assert (told["CO_REWARDING_TEACHER"], told["CO_REWARDING_PUBLISH_EVERY"]) == ("1", "4")
    assert told["CO_REWARDING_WEIGHTS_DIR"] == str(tmp_path / "weights")


def test_the_child_s_status_is_ours() -> None:
    assert run_child([sys.executable, "-c", "raise SystemExit(7)"], os.environ) == 7
    assert run_child([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], os.environ) == 128 + 9
    with pytest.raises(TrainingError, match="cannot be started: No such file"):
        run_child(["/no/such/program"], os.environ)


CHILD = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
print("up", flush=True)
signal.pause()
"""
PARENT = f"""
import os, sys
from co_rewarding_trainer.openrlhf.command import run_child
raise SystemExit(run_child([sys.executable, "-c", {CHILD!r}], os.environ))
"""


def test_signals_are_passed_on() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "up\n"
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(timeout=30) == 5
