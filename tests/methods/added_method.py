"""Run by test_added_method in a copy of the project whose table has one row more: `python added_method.py NAME`."""

import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
from co_rewarding_client import RewardClient, Rollout, RunSettings
from co_rewarding_schema.methods import METHODS
from co_rewarding_trainer.openrlhf.recipe_loader import find_recipe, read_recipe

from reward_service.serving.embedded_service import embedded_service


def served(name: str, folder: Path) -> None:
    """Rewards by the row: the paraphrase's majority is the original's label, both views' the paraphrase's."""
    answers = {"original": ("4", "4", "5"), "paraphrase": ("7", "7", "7")}
    rollouts = [
        Rollout(question_id="q", view=view, response=f"\\boxed{{{answer}}}")  # type: ignore[arg-type]
        for view, group in answers.items()
        for answer in group
    ]
    with embedded_service(folder) as url, RewardClient(url, run="run") as client:
        client.put_run("run", RunSettings(method=name, group_size=3))
        assert client.rewards(rollouts, step=1).rewards == [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]
        assert name in httpx.get(f"{url}/version").json()["methods"]
        document = httpx.get(f"{url}/openapi.json").text
        assert f'"{name}"' in document


def command(*words: str) -> str:
    """What a command of ours says."""
    done = subprocess.run([sys.executable, "-m", "reward_service", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def main(name: str) -> None:
    with tempfile.TemporaryDirectory(prefix="cr-") as temporary:
        folder = Path(temporary)
        served(name, folder / "data")
        recorded = folder / "rollouts.jsonl"
        recorded.write_text('{"question_id": "q", "response": "so \\\\boxed{4}"}\n')
        assert name in command("replay", str(recorded), "--method", name)
        recipe = read_recipe([find_recipe("cpu-smoke")], [f"run.method={name}"])
        assert (recipe.method, recipe.views) == (METHODS[name], "both")
        command("demo", "--method", name, "--steps", "1", "--out", str(folder / "demo"))
        assert name in (folder / "demo" / "series.json").read_text()


if __name__ == "__main__":
    main(sys.argv[1])
