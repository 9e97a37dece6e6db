"""The real vLLM with SmolLM2-135M as the rewriter, from the terminal: what it gets wrong is rejected, and by what."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from reward_service.paraphrasing.rewriter import REASONS
from tests.paraphrasing.twenty_questions import QUESTIONS
from tests.support.rollout_files import jsonl

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / os.environ.get("OPENRLHF_VENV", ".venv-openrlhf") / "bin" / "python"
MODEL = ROOT / os.environ.get("SMOLLM2", "runs/smollm2-135m")
ALONE = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
ENGINE = {"enforce_eager": "true", "max_model_len": 2048, "kv_cache_memory_bytes": 1 << 29}
WITHIN_S = 900.0

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(WITHIN_S + 60),
    pytest.mark.skipif(not PYTHON.exists(), reason="vLLM is not installed: the Python at OPENRLHF_VENV"),
    pytest.mark.skipif(not MODEL.exists(), reason="SmolLM2 is not there: make runs/smollm2-135m/tokenizer.json"),
]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Questions, and what became of them."""
    made = tmp_path_factory.mktemp("rewritten")
    rows = [{"question": question, "ground_truth": truth} for question, truth in QUESTIONS]
    engine = [word for name, value in ENGINE.items() for word in ("--engine", f"{name}={value}")]
    run = subprocess.run(
        [PYTHON, "-m", "reward_service.cli", "paraphrase", jsonl(made / "in.jsonl", rows), made / "out.jsonl",
         "--model", MODEL, "--backend", "vllm", *engine, "--max-tokens", "200"],
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST")} | ALONE,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=WITHIN_S, check=False,
    )  # fmt: skip
    print(run.stdout)
    assert run.returncode in (0, 1), run.stdout[-6000:]
    return made


def plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def test_every_question_has_a_fate_and_every_text_is_kept(folder: Path) -> None:
    report = json.loads((folder / "out.jsonl.report.json").read_text())
    candidates = lines(folder / "out.jsonl.candidates.jsonl")

    assert sum(report["fates"].values()) == len(QUESTIONS)
    assert report["fates"]["failed"] == 0
    assert report["pairs"] == len(lines(folder / "out.jsonl")) == report["fates"]["rewritten"]
    assert len(candidates) == report["candidates"] >= len(QUESTIONS)
    assert {candidate["prompt"] for candidate in candidates} <= {"paper", "reword", "scenario"}


def test_nothing_that_is_solved_or_copied_is_accepted(folder: Path) -> None:
    """Told by other means than the checks': the answer is in no question, so it is in no paraphrase either."""
    for candidate in lines(folder / "out.jsonl.candidates.jsonl"):
        question, truth = QUESTIONS[int(candidate["question_id"]) - 1]
        copied = plain(candidate["text"]) == plain(question)
        solved = re.search(rf"(?<![\d.]){re.escape(truth)}(?![\d.]*\d)", candidate["text"])
        assert not (candidate["accepted"] and (copied or solved)), candidate


def test_what_is_rejected_says_by_what_and_why(folder: Path) -> None:
    candidates = lines(folder / "out.jsonl.candidates.jsonl")
    rejected = [candidate for candidate in candidates if not candidate["accepted"]]

    assert len(rejected) > len(candidates) / 2
    for candidate in rejected:
        assert candidate["rejected_by"].keys() <= REASONS.keys()
        assert candidate["rejected_by"]
        assert all(candidate["rejected_by"].values())
    assert {"copy", "solved"} & {name for candidate in rejected for name in candidate["rejected_by"]}
