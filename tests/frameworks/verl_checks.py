# pyright: basic, reportMissingImports=false
"""Print what the adapter says of configurations and data of verl, as JSON lines: its error, or None."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from co_rewarding_client import CoRewardingError
from co_rewarding_client.verl_shared import (
    Reading,
    check_config,
    check_paired,
    check_validation,
    is_evaluated,
    mark,
    paired_order,
)
from omegaconf import OmegaConf

RIGHT = {
    "data": {"shuffle": False, "train_batch_size": 8, "gen_batch_size": None},
    "algorithm": {"filter_groups": {"enable": False}},
    "trainer": {"v1": {"sampler": {"sync_refill_failed_groups": False}}},
    "actor_rollout_ref": {"rollout": {"n": 8}},
    "reward": {"num_workers": 1, "reward_model": {"enable": False}, "reward_kwargs": {"url": "http://127.0.0.1:1"}},
}
FLAGS = (
    "",
    "data.shuffle=true",
    "data.train_batch_size=7",
    "data.gen_batch_size=1",
    "algorithm.filter_groups.enable=true",
    "trainer.v1.sampler.sync_refill_failed_groups=true",
    "reward.reward_model.enable=true",
    "data.train_batch_size=256",
)


def tell(what: str, call: Callable[[], Any]) -> None:
    error, found = None, None
    try:
        found = call()
    except CoRewardingError as refusal:
        error = str(refusal)
    print(json.dumps({"what": what, "error": error, "found": found}))


def checked(*flags: str) -> None:
    config = OmegaConf.merge(RIGHT, OmegaConf.from_dotlist([flag for flag in flags if flag]))
    check_config(config, Reading(config))


def info(question: str, view: str) -> dict[str, str]:
    return {"question_id": question, "view": view}


def evaluated(*, evaluate: bool) -> list[bool]:
    """Return of which rows a marked data loader says that they are evaluated."""
    infos = [None, {"split": "train"}, {"split": "test"}, {"evaluate": not evaluate}]
    loader = SimpleNamespace(collate_fn=list)
    mark(loader, evaluate=evaluate)
    return [is_evaluated(row["extra_info"]) for row in loader.collate_fn([{"extra_info": each} for each in infos])]


def main() -> None:
    alone = "reward.reward_kwargs.settings.method=majority-voting"
    for flag in FLAGS:
        tell(flag, lambda flag=flag: checked(flag))
        tell(f"{flag} without pairs", lambda flag=flag: checked(flag, alone))
    pairs = [info(question, view) for question in "abcd" for view in ("original", "paraphrase")]
    tell("pairs", lambda: check_paired(pairs))
    tell("views apart", lambda: check_paired(sorted(pairs, key=lambda each: each["view"])))
    tell("no identity", lambda: check_paired([{}, None]))
    mixed = [pairs[place] for place in (0, 2, 4, 6, 7, 5, 3)]
    tell("order", lambda: [mixed[place] for place in paired_order(mixed, 2, 0)])
    tell("order of none", lambda: paired_order([{}, info("a", "original")], 1, 0))
    truth, none = {"reward_model": {"ground_truth": "4"}}, {"reward_model": {"ground_truth": ""}}
    tell("truths", lambda: check_validation([truth, truth], 1))
    tell("no truth", lambda: check_validation([truth, none], 1))
    tell("evaluated in training", lambda: evaluated(evaluate=False))
    tell("evaluated in validation", lambda: evaluated(evaluate=True))
    tell("no truth, four rollouts", lambda: check_validation([none], 4))


if __name__ == "__main__":
    main()
