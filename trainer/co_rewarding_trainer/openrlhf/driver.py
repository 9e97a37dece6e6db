"""python -m co_rewarding_trainer.openrlhf.driver ARGUMENTS: OpenRLHF's own train_ppo_ray, with three classes replaced.

ARGUMENTS are OpenRLHF's. Our settings come from the environment: see `settings`. Needs OpenRLHF.
"""

import importlib
import importlib.metadata
import os
import runpy
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from co_rewarding_trainer.openrlhf import compatibility
from co_rewarding_trainer.openrlhf.errors import TrainingError, UnsupportedOpenRLHFError
from co_rewarding_trainer.openrlhf.foreign import Foreign
from co_rewarding_trainer.openrlhf.settings import TrainingSettings, handed_down

TRAIN = "openrlhf.cli.train_ppo_ray"
GENERATOR_USERS = ("openrlhf.trainer.ppo_trainer", "openrlhf.trainer.ppo_trainer_async")


def main(arguments: Sequence[str], *, version_of: Callable[[str], str] = importlib.metadata.version) -> int:
    """Trains and returns the exit status. What our code refuses is printed in one message.

    `version_of` tells the version of an installed distribution, or raises PackageNotFoundError.
    """
    try:
        TrainingSettings.from_environment()
        compatibility.check_version(_installed_version(version_of))
        replace_names()
        start_ray()
        sys.argv = [TRAIN, *arguments]
        runpy.run_module(TRAIN, run_name="__main__", alter_sys=True)
    except TrainingError as error:
        # What a worker of Ray raised is wrapped in its traceback.
        print(f"co-rewarding: {getattr(error, 'cause', error)}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


def replace_names() -> None:
    """Replaces OpenRLHF's strategy, rollout actor and generator by ours, in this process.

    Ray's workers get ours too. The strategy is made in this process and travels by its module's name. The actors'
    classes are made in this process and travel by value, with the names that they use.

    Raises:
        UnsupportedOpenRLHFError: OpenRLHF is not the version that was tested.
    """
    import ray  # pyright: ignore[reportMissingImports]

    from co_rewarding_trainer.openrlhf.rollout import pair_rollout
    from co_rewarding_trainer.openrlhf.samples_generator import pair_generator

    engine: Foreign = importlib.import_module("openrlhf.trainer.ray.vllm_engine")
    rollout_actor = _class_behind(engine.RolloutRayActor)
    users: list[Foreign] = [importlib.import_module(name) for name in GENERATOR_USERS]
    compatibility.check_signatures(_functions({"openrlhf.trainer.ray.vllm_engine:RolloutRayActor": rollout_actor}))
    from co_rewarding_trainer.openrlhf.strategy import PairedStrategy

    strategies: Foreign = importlib.import_module("openrlhf.utils.deepspeed")
    strategies.DeepspeedStrategy = PairedStrategy
    engine.RolloutRayActor = ray.remote(pair_rollout(rollout_actor))
    generator = pair_generator(users[0].SamplesGenerator)
    for user in users:
        user.SamplesGenerator = generator


def start_ray() -> None:
    """Starts Ray, or joins the cluster of RAY_ADDRESS, with OpenRLHF's own variables and ours in every worker."""
    import ray  # pyright: ignore[reportMissingImports]

    if ray.is_initialized():
        return
    variables = {
        "TOKENIZERS_PARALLELISM": os.environ.get("TOKENIZERS_PARALLELISM", "true"),
        "NCCL_DEBUG": os.environ.get("NCCL_DEBUG", "WARN"),
        "RAY_ENABLE_ZERO_COPY_TORCH_TENSORS": os.environ.get("RAY_ENABLE_ZERO_COPY_TORCH_TENSORS", "1"),
    }
    ray.init(runtime_env={"env_vars": variables | handed_down(os.environ)})


def _installed_version(version_of: Callable[[str], str]) -> str:
    try:
        return version_of("openrlhf")
    except importlib.metadata.PackageNotFoundError as cause:
        raise UnsupportedOpenRLHFError(
            f"OpenRLHF is not installed here: pip install openrlhf=={compatibility.TESTED}"
        ) from cause


def _class_behind(actor: Foreign) -> type:
    """Returns the class that `ray.remote` made an actor of.

    Raises:
        UnsupportedOpenRLHFError: this Ray keeps the class elsewhere.
    """
    try:
        return actor.__ray_metadata__.modified_class.__ray_actor_class__
    except AttributeError as cause:
        raise UnsupportedOpenRLHFError(f"Ray's actor classes are made otherwise than expected: {cause}") from cause


def _functions(classes: dict[str, type]) -> dict[str, Callable[..., Any]]:
    """Finds the functions that `compatibility` names; `classes` are those that Ray has wrapped, by name."""
    found: dict[str, Callable[..., Any]] = {}
    for name in compatibility.SIGNATURES:
        module, _, path = name.partition(":")
        owner, _, attribute = path.rpartition(".")
        place: type | ModuleType | None = classes.get(f"{module}:{owner}")
        try:
            if place is None:
                loaded = importlib.import_module(module)
                place = getattr(loaded, owner) if owner else loaded
            found[name] = getattr(place, attribute)
        except (ImportError, AttributeError):
            continue  # `check_signatures` says so
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
