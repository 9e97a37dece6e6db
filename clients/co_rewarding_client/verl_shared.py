# pyright: basic, reportMissingImports=false
"""Share what the parts of the verl adapter need: what is read from its configuration and rows, and one actor.

Nothing of verl is imported here. A process that begins with one of the other modules imports verl, which then imports
`verl_trainer` (VERL_USE_EXTERNAL_MODULES), while that first module is still half imported.
"""

import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

import ray
from co_rewarding_schema.methods import DEFAULT_METHOD, METHODS
from omegaconf import OmegaConf

from co_rewarding_client.errors import invalid
from co_rewarding_client.foreign import Foreign
from co_rewarding_client.model import RunSettings, View
from co_rewarding_client.training import Endpoint

HELD_BY_WORKER = 1000  # Ray's max_concurrency of an asynchronous actor, which verl leaves as it is
ENDPOINT_FIELDS = ("url", "api_key", "run", "timeout_s", "patience_s")


class Reading:
    """What the adapter reads from verl's configuration.

    `+reward.reward_kwargs.url`, `api_key`, `run`, `timeout_s` and `patience_s` are those of `Endpoint`, and read from
    the environment if not given. `+reward.reward_kwargs.settings` has other settings of the run, such as `method`;
    `+reward.reward_kwargs.weights` is the service's weights root, as the trainer sees it.
    """

    def __init__(self, config: Foreign) -> None:
        given = _plain(config.reward.get("reward_kwargs")) or {}
        self.endpoint = Endpoint(**{name: given[name] for name in ENDPOINT_FIELDS if given.get(name) is not None})
        self.settings: dict[str, Any] = dict(given.get("settings") or {})
        self.weights: str | None = given.get("weights")
        self.template: dict[str, Any] = dict(_plain(OmegaConf.select(config, "data.apply_chat_template_kwargs")) or {})
        method = METHODS.get(str(self.settings.get("method", DEFAULT_METHOD)))
        # A later service may have methods that this client does not know: then nothing is left out.
        self.needs_both_views = method is None or method.needs_both_views
        self.needs_teacher = method is None or method.needs_teacher

    def run_settings(self, group_size: int, evaluation_group_size: int, total_steps: int) -> RunSettings:
        """Return the settings of the run for a training with these sizes."""
        told: dict[str, Any] = {
            "group_size": group_size,
            "evaluation_group_size": evaluation_group_size,
            "total_steps": max(1, total_steps),
        }
        return RunSettings(**told | self.settings)


class Shared:
    """What all Ray processes of a training agree on: which attempt it is, and why a rollout has no reward."""

    def __init__(self) -> None:
        self._attempt = int(time.time())
        self._failure: str | None = None

    def attempt(self) -> int:
        """Return the number of this attempt; that of a training which is resumed is greater."""
        return self._attempt

    def fail(self, reason: str) -> None:
        """Keep the first reason."""
        self._failure = self._failure or reason

    def failure(self) -> str | None:
        """Return why a reward failed, if one did."""
        return self._failure


def shared(run: str) -> Foreign:
    """Return the one actor of this training: a training that is resumed has another, with a later attempt.

    It lives as long as the process that asked first, and its name is known within one Ray job.
    """
    return ray.remote(num_cpus=0)(Shared).options(name=f"co-rewarding/{run}", get_if_exists=True).remote()


def is_evaluated(info: Mapping[str, Any]) -> bool:
    """Return whether a row with this `extra_info` belongs to a validation."""
    return bool(info.get("evaluate", str(info.get("split") or "train") != "train"))


def mark(loader: Foreign, *, evaluate: bool) -> None:
    """Have a data loader say of each row whether it is evaluated: a `split` does not tell what a row is used for."""
    collate = loader.collate_fn
    loader.collate_fn = lambda rows: collate([marked(row, evaluate=evaluate) for row in rows])


def marked(row: Mapping[str, Any], *, evaluate: bool) -> Mapping[str, Any]:
    """Return a row that says whether it is evaluated."""
    return {**row, "extra_info": {**(row.get("extra_info") or {}), "evaluate": evaluate}}


def question_id_of(info: Mapping[str, Any], fields: Mapping[str, Any]) -> str:
    """Return the question of a row: its own, or verl's name of the prompt."""
    return str(info.get("question_id") or fields["uid"])


def prompt_of(tokenizer: Foreign, fields: Mapping[str, Any], reading: Reading) -> str:
    """Return the prompt of a row as the policy is given it."""
    messages = list(fields["raw_prompt"])
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False, **reading.template)


def truth_of(fields: Mapping[str, Any]) -> str | None:
    """Return the ground truth of a row, where it has one."""
    truth = (fields.get("reward_model") or {}).get("ground_truth")
    return None if truth is None or truth == "" else str(truth)


def paired_order(infos: Sequence[Mapping[str, Any] | None], epochs: int, seed: int) -> list[int]:
    """Return the places of the rows that are pairs, side by side, the pairs shuffled anew in each epoch.

    Raises:
        InvalidRequest: there is no pair.
    """
    places: dict[str, dict[str, int]] = {}
    for place, info in enumerate(infos):
        if info and info.get("question_id") is not None:
            places.setdefault(str(info["question_id"]), {}).setdefault(str(info.get("view")), place)
    pairs = [[views[view] for view in View] for views in places.values() if set(View) <= set(views)]
    if not pairs:
        raise invalid("no question has both views: give each row extra_info with its question_id and view")
    order: list[int] = []
    for epoch in range(epochs):
        random.Random(f"{seed}/{epoch}").shuffle(pairs)  # noqa: S311 - an order, not a secret
        order += [place for pair in pairs for place in pair]
    return order


def check_paired(infos: Sequence[Mapping[str, Any] | None]) -> None:
    """Check that the rows are pairs: two by two, the views of one question.

    Raises:
        InvalidRequest: two rows that would be sampled together are no pair.
    """
    for place in range(0, len(infos) - 1, 2):
        one, other = (infos[place] or {}), (infos[place + 1] or {})
        same = one.get("question_id") is not None and one.get("question_id") == other.get("question_id")
        if not same or {one.get("view"), other.get("view")} != set(View):
            raise invalid(
                f"rows {place} and {place + 1} of the training data are not the two views of one question; set "
                "data.custom_cls.path=pkg://co_rewarding_client.verl_data data.custom_cls.name=PairDataset"
            )


def check_config(config: Foreign, reading: Reading) -> None:
    """Check what would part the views of a question.

    Raises:
        InvalidRequest: the configuration cannot work; the error says what to set.
    """
    data, both = config.data, reading.needs_both_views
    filtered = (config.algorithm.get("filter_groups") or {}).get("enable")
    refilled = config.trainer.v1.sampler.get("sync_refill_failed_groups")
    wrong = {
        "reward.reward_model.enable=False: the service gives the reward": config.reward.reward_model.enable,
        "data.shuffle=False: verl shuffles rows, PairDataset shuffles pairs": both and data.shuffle,
        "an even data.train_batch_size: a pair is two rows": both and data.train_batch_size % 2,
        "an even data.gen_batch_size: a pair is two rows": both and (data.get("gen_batch_size") or 0) % 2,
        "algorithm.filter_groups.enable=False: verl would sample half a pair again": both and filtered,
        "trainer.v1.sampler.sync_refill_failed_groups=False: verl would sample half a pair again": both and refilled,
    }
    rollouts, workers = data.train_batch_size * config.actor_rollout_ref.rollout.n, config.reward.num_workers
    wrong[f"reward.num_workers={-(-rollouts // HELD_BY_WORKER)}: a worker of Ray's holds {HELD_BY_WORKER} calls"] = (
        rollouts > workers * HELD_BY_WORKER
    )
    cures = [cure for cure, applies in wrong.items() if applies]
    if cures:
        raise invalid(f"verl's configuration needs {'; '.join(cures)}")


def check_validation(rows: Sequence[Mapping[str, Any]], samples: int) -> None:
    """Check that a validation says something: a vote among one rollout is always right.

    Raises:
        InvalidRequest: rows have no ground truth, and one rollout each.
    """
    bare = sum(truth_of(row) is None for row in rows)
    if bare and samples < 2:
        raise invalid(
            f"{bare} of {len(rows)} validation rows have no reward_model.ground_truth to be compared with, and with "
            "one rollout there is no vote; give ground truths, or set actor_rollout_ref.rollout.val_kwargs.n above 1"
        )


def _plain(config: Foreign) -> Foreign:
    return OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config
