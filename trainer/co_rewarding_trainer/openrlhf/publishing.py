"""Publish the policy's weights to the teacher: write a folder of safetensors, and announce it to the service.

DeepSpeed counts optimizer steps, the service rollout batches: step k is a rollout batch, from 0. The weights of step k
are those that step k is sampled from: the policy after the optimizer steps of batch k - 1.
"""

import logging
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
from co_rewarding_client import CoRewardingError, RewardClient

from co_rewarding_trainer.openrlhf.errors import TrainingSettingsError
from co_rewarding_trainer.openrlhf.foreign import Foreign
from co_rewarding_trainer.openrlhf.settings import TrainingSettings

TIMEOUT_S = 10.0
PATIENCE_S = 60.0
"""Training waits up to this long for a service that is away. The step's rollouts would wait for the service anyway, and
then for weights that the service was never told of."""
KEPT_VERSIONS = 2  # the last, and the one before, which the service may be reading


class WeightPublisher:
    """Writes a step's weights where the service finds them, and tells the service. No failure here stops training."""

    def __init__(
        self,
        settings: TrainingSettings,
        transport: httpx.BaseTransport | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Takes a limit on the tries to reach the service, `patience_s`. `transport` is httpx's, for tests."""
        self._settings = settings
        self._patience_s = patience_s
        self._transport = transport
        self._name = re.compile(rf"{re.escape(settings.run)}\.step-(\d+)\.(\d+)")
        self._log = logging.getLogger("co_rewarding_trainer.publishing")

    def due(self, step: int) -> bool:
        """Returns whether the weights from which `step` is sampled are to be published."""
        return self._settings.publishes and step % self._settings.publish_every == 0

    def publish(self, step: int, write: Callable[[Path], None]) -> bool:
        """Publishes the weights that `write` puts into a folder, and returns whether the service has taken them.

        The folder gets its name when complete, and older folders of the run are removed. Failures are logged only. The
        next publication makes up for the steps that the service missed. Until then, rollouts whose teacher lags too far
        behind abstain at their cohort's deadline.
        """
        try:
            folder = self._write_folder(step, write)
            self._remove_old(folder)
        except Exception as error:  # a full disk, a tensor that cannot be written: training goes on
            self._log.warning("weights of step %d were not written: %r", step, error)
            return False
        return self._tell_service(step, folder)

    def _write_folder(self, step: int, write: Callable[[Path], None]) -> Path:
        assert self._settings.weights_dir is not None
        root = self._settings.weights_dir
        root.mkdir(parents=True, exist_ok=True)
        # A step that is done again after a resume has a folder of its own: os.replace puts none in place of another.
        name = f"{self._settings.run}.step-{step}.{self._settings.attempt}"
        growing = root / f".{name}.{os.getpid()}"
        try:
            growing.mkdir()
            write(growing)
            growing.chmod(0o755)
            for file in growing.iterdir():
                file.chmod(0o644)  # safetensors come with 0600, and the service may be another user
            folder = root / name
            os.replace(growing, folder)
        except BaseException:
            shutil.rmtree(growing, ignore_errors=True)
            raise
        return folder

    def _remove_old(self, newest: Path) -> None:
        """Removes all but the newest folders of this run, and what a killed process left half written."""
        whole: list[tuple[int, int, Path]] = []
        removed: list[Path] = []
        for path in newest.parent.iterdir():
            if match := self._name.fullmatch(path.name):
                step, attempt = match.groups()
                whole.append((int(attempt), int(step), path))
            elif path.name.startswith(f".{self._settings.run}.step-"):
                removed.append(path)
        removed += [path for *_, path in sorted(whole)[:-KEPT_VERSIONS]]
        for path in removed:
            shutil.rmtree(path, ignore_errors=True)

    def _tell_service(self, step: int, folder: Path) -> bool:
        at = self._settings
        try:
            with RewardClient(
                at.url,
                api_key=at.api_key,
                run=at.run,
                timeout_s=TIMEOUT_S,
                patience_s=self._patience_s,
                transport=self._transport,
            ) as client:
                update = client.publish(step, folder.name)
        except CoRewardingError as error:
            self._log.warning("the service did not take the weights of step %d: %s", step, error)
            return False
        self._log.info("weights of step %d are published as %s: alpha %.6f", step, folder.name, update.alpha)
        return True


def updates_per_step(args: Foreign) -> int:
    """Counts the optimizer steps that OpenRLHF makes of one rollout batch; `args` are OpenRLHF's.

    Raises:
        TrainingSettingsError: the number differs between batches, so that optimizer steps do not tell the batch.
    """
    rollouts, update = args.rollout.batch_size * args.rollout.n_samples_per_prompt, args.train.batch_size
    if rollouts % update:
        raise TrainingSettingsError(
            f"--train.batch_size {update} does not divide the {rollouts} rollouts of a batch, and weights are "
            "published between rollout batches: choose one that does, or set CO_REWARDING_PUBLISH_EVERY=0."
        )
    if args.critic.freezing_steps >= 0:
        raise TrainingSettingsError(
            "--critic.freezing_steps: the first rollout batches make no optimizer step of the actor, and the teacher's "
            "version would stay behind for ever; leave it out, or set CO_REWARDING_PUBLISH_EVERY=0."
        )
    return rollouts // update * args.train.max_epochs


def step_sampled_next(updates: int, per_step: int) -> int | None:
    """Returns the step that is sampled from the weights after `updates` optimizer steps; None within a batch."""
    step, left = divmod(updates, per_step)
    return None if left else step
