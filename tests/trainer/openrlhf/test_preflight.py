"""The preflight: each of its checks finds its trouble, says what to do, and all are told at once."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from co_rewarding_trainer.openrlhf import preflight
from co_rewarding_trainer.openrlhf.data import DatasetCounts
from co_rewarding_trainer.openrlhf.errors import PreflightError
from co_rewarding_trainer.openrlhf.preflight_facts import Facts, Machine, ModelFacts, ServiceFacts, parameters_in
from co_rewarding_trainer.openrlhf.size_checks import labels_come_in_time

from tests.trainer.openrlhf.recipes import small

SERVICE = ServiceFacts(
    url="http://127.0.0.1:8000",
    version="0.1.0",
    contract="1",
    methods=frozenset({"co-rewarding-i", "co-rewarding-ii", "ground-truth"}),
)
MODEL = ModelFacts(folder=False, exists=True, parameters=1e9, positions=4096, attention_heads=16, chat_template=True)
COUNTS = DatasetCounts(source="pairs.jsonl", questions=10, rows=10, views="both", longest_prompt_tokens=100)
MACHINE = Machine(
    gpus=2,
    ray_address=None,
    openrlhf="0.11.2",
    missing=(),
    flash_attention=True,
    wandb_key=True,
    free_bytes=lambda _: 10**12,
)
WELL = Facts(
    service=SERVICE,
    model=MODEL,
    output="/runs/small",
    output_trouble=None,
    checkpoints=False,
    free_bytes=10**12,
    weights_free_bytes=10**12,
    machine=MACHINE,
    counts=COUNTS,
    sent={"method": "co-rewarding-i", "group_size": 4, "answer_formats": ("boxed",)},
    registered={"method": "co-rewarding-i", "group_size": 4, "answer_formats": ["boxed"], "cohort_deadline_s": 840.0},
)


def test_nothing_is_found_where_all_is_well(tmp_path: Path) -> None:
    preflight.require(small(tmp_path), WELL)


CASES: list[tuple[str, dict[str, Any], list[str], str]] = [
    (
        "service_reachable",
        {"service": ServiceFacts(url="http://x", trouble="refused")},
        [],
        "does not answer (refused)",
    ),
    ("contract_known", {"service": replace(SERVICE, contract="2")}, [], "speaks contract 2, this trainer 1"),
    ("method_available", {}, ["run.method=majority-voting"], "does not have the method majority-voting"),
    ("method_available", {}, ["run.method=co-rewarding-ii"], "needs a teacher"),
    ("run_unused", {"service": replace(SERVICE, cohorts_of_run=7)}, [], "has 7 cohorts at the service already"),
    ("run_as_sent", {"registered": {"method": "co-rewarding-i", "group_size": 8}}, [], "group_size is 8 and not 4"),
    ("deadline_below_patience", {"registered": None}, ["run.cohort_deadline_s=900"], "gives up after 900 s"),
    (
        "labels_come_in_time",
        {"registered": None},
        ["run.method=co-rewarding-ii", "weights.publish_every_steps=4"],
        "up to 3 steps ahead of the weights",
    ),
    (
        "labels_come_in_time",
        {"registered": {"max_teacher_lag": 1}},
        ["run.method=co-rewarding-ii", "weights.publish_every_steps=2", "openrlhf.train.async_enable=true"],
        "set run.max_teacher_lag = 2",
    ),
    ("workers_reach_service", {"machine": replace(MACHINE, ray_address="10.0.0.1:6379")}, [], "another machine"),
    ("updates_divide", {}, ["training.updates_per_step=3"], "does not divide the 32 rollouts"),
    ("micro_batches_divide", {}, ["hardware.micro_rollouts=3"], "multiple of 6"),
    ("scoring_divides", {}, ["hardware.micro_rollouts_scored=5"], "multiple of 10"),
    ("engines_fit", {}, ["hardware.engines=1"], "take 1 GPUs, and the actor 2"),
    ("enough_gpus", {"machine": replace(MACHINE, gpus=1)}, [], "takes 2 GPUs and this machine has 1"),
    (
        "enough_gpus",
        {"machine": replace(MACHINE, gpus=4)},
        ["hardware.share_gpus=false", "training.kl_coefficient=0.1"],
        "takes 6 GPUs",
    ),
    ("enough_gpus", {}, ["hardware.nodes=2"], "RAY_ADDRESS names no cluster"),
    ("heads_divide", {}, ["hardware.tensor_parallel=3"], "does not divide the model's 16"),
    ("packing_possible", {}, ["model.attention=sdpa"], "needs flash attention"),
    (
        "packing_possible",
        {"machine": replace(MACHINE, flash_attention=False)},
        [],
        "flash-attn, which is not installed",
    ),
    ("model_known", {"model": replace(MODEL, exists=False)}, [], "no folder here and no name on the hub"),
    ("model_known", {"model": replace(MODEL, exists=False, folder=True)}, [], "holds no config.json"),
    ("model_known", {"model": replace(MODEL, trouble="offline")}, [], "cannot be loaded: offline"),
    ("questions_readable", {"questions_trouble": "x.jsonl: there is no such file"}, [], "data.source x.jsonl: there"),
    ("evaluation_readable", {"evaluation_trouble": "y: not a source"}, [], "evaluation.source y: not a source"),
    ("template_there", {"model": replace(MODEL, chat_template=False)}, [], "has no chat template"),
    ("lengths_fit", {}, ["sampling.response_max_tokens=4000"], "is 4512, and the model has 4096"),
    ("enough_questions", {"counts": replace(COUNTS, rows=3)}, [], "3 of 10 questions are left"),
    ("enough_questions", {"counts": replace(COUNTS, dropped_too_long=6, rows=4)}, [], "6 of 10 questions are longer"),
    ("openrlhf_tested", {"machine": replace(MACHINE, openrlhf=None)}, [], "is not installed in this Python"),
    ("openrlhf_tested", {"machine": replace(MACHINE, openrlhf="0.12.0")}, [], "is 0.12.0"),
    ("openrlhf_tested", {"machine": replace(MACHINE, missing=("ray", "vllm"))}, [], "pip install ray vllm"),
    ("output_usable", {"output_trouble": "Read-only file system"}, [], "cannot be written (Read-only file system)"),
    ("output_usable", {"output": "/runs/a,b"}, [], "where OpenRLHF splits it"),
    ("checkpoints_meant", {"checkpoints": True}, [], "--resume goes on from them"),
    ("checkpoints_meant", {"resume": True}, [], "there are no checkpoints"),
    ("disk_suffices", {"free_bytes": 10**9}, [], "has 1 GB free and needs 44 GB for 3 checkpoints"),
    (
        "weights_disk_suffices",
        {"weights_free_bytes": 10**9},
        ["run.method=co-rewarding-ii"],
        "needs 6 GB for published",
    ),
    ("wandb_known", {"machine": replace(MACHINE, wandb_key=False)}, ["output.wandb_project=x"], "no key is known"),
]


@pytest.mark.parametrize(("name", "facts", "settings", "told"), CASES, ids=[f"{case[0]}-{case[3]}" for case in CASES])
def test_a_check_finds_its_trouble(
    tmp_path: Path, name: str, facts: dict[str, Any], settings: list[str], told: str
) -> None:
    check = next(each for each in preflight.CHECKS if each.__name__ == name)
    problem = check(small(tmp_path, *settings), replace(WELL, **facts))
    assert problem is not None
    assert told in problem
    assert "\n" not in problem


def test_every_check_is_tried() -> None:
    assert {each.__name__ for each in preflight.CHECKS} == {case[0] for case in CASES}


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    facts = replace(WELL, machine=replace(MACHINE, openrlhf=None, gpus=0), output="/a@b")
    with pytest.raises(PreflightError) as raised:
        preflight.require(small(tmp_path), facts)
    assert len(raised.value.problems) == 3
    assert "this run would fail: 3 problems\n  1. " in str(raised.value)


def test_what_is_not_known_is_no_problem(tmp_path: Path) -> None:
    unknown = ModelFacts(folder=False, exists=True)
    facts = replace(
        WELL,
        model=unknown,
        free_bytes=None,
        weights_free_bytes=None,
        machine=replace(MACHINE, gpus=None),
        counts=None,
        sent=None,
    )
    assert preflight.check(small(tmp_path), facts) == []


@pytest.mark.parametrize(
    "settings",
    [
        [],
        [
            *("run.max_teacher_lag=4", "weights.publish_every_steps=2"),
            *("openrlhf.train.async_enable=true", "openrlhf.train.async_queue_size=3"),
        ],
        ["weights.publish_every_steps=0", "openrlhf.train.async_enable=true"],
        ["weights.publish_every_steps=3", "run.alpha_start=1.0", "run.alpha_end=1.0"],
        ["weights.publish_every_steps=3", "openrlhf.algo.dynamic_filtering_enable=true"],
        ["openrlhf.train.async_enable=true", "openrlhf.rollout.vllm_generate_batch_size=16"],
    ],
    ids=[
        "by default",
        "lag enough",
        "a teacher that does not follow",
        "nor does a frozen one",
        "filtered",
        "drawn ahead",
    ],
)
def test_labels_that_wait_for_nothing_come_in_time(tmp_path: Path, settings: list[str]) -> None:
    assert labels_come_in_time(small(tmp_path, "run.method=co-rewarding-iii", *settings), WELL) is None


def test_a_cluster_at_loopback_reaches_a_service_there(tmp_path: Path) -> None:
    """As one that was made for a trial, with the service found by ray://NAME on it."""
    facts = replace(WELL, machine=replace(MACHINE, ray_address="127.0.0.1:6379"))
    assert preflight.check(small(tmp_path), facts) == []


def test_a_cluster_has_its_own_gpus(tmp_path: Path) -> None:
    facts = replace(
        WELL,
        machine=replace(MACHINE, gpus=0, ray_address="auto"),
        service=replace(SERVICE, url="http://rewards:8000"),
    )
    assert preflight.check(small(tmp_path, "hardware.nodes=2", "hardware.engines=4"), facts) == []


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("Qwen/Qwen2.5-3B", 3e9),
        ("Qwen/Qwen3-1.7B-Base", 1.7e9),
        ("meta-llama/Llama-3.2-3B-Instruct", 3e9),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", 135e6),
        ("owner/7Beans", None),
    ],
)
def test_a_name_says_how_large_a_model_is(name: str, parameters: float | None) -> None:
    assert parameters_in(name) == parameters
