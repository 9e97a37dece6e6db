# pyright: basic, reportMissingImports=false
# ruff: noqa: ANN001, ANN002, ANN003 - the signatures are SkyRL's
"""Train with SkyRL and Co-rewarding-I: python skyrl_train.py environment.env_class=co-rewarding data.train_data=...

Each row of the data has prompt, question_id and view. docs/integrations/skyrl.md has the options that must be set.
"""

import sys

import ray
import skyrl_gym
from co_rewarding_client import RunSettings
from co_rewarding_client.skyrl import RewardedGenerator, paired_loader
from skyrl.train.config import SkyRLTrainConfig
from skyrl.train.entrypoints.main_base import BasePPOExp
from skyrl.train.trainer import RayPPOTrainer
from skyrl.train.utils import validate_cfg
from skyrl.train.utils.utils import initialize_ray


class Experiment(BasePPOExp):
    """SkyRL's experiment, with rewards of the service and pairs that stay together."""

    def get_generator(self, cfg, tokenizer, inference_engine_client) -> RewardedGenerator:
        """Return SkyRL's own generator under ours."""
        own = super().get_generator(cfg, tokenizer, inference_engine_client)
        settings = RunSettings(method="co-rewarding-i", group_size=cfg.generator.n_samples_per_prompt)
        return RewardedGenerator(own, settings=settings)

    def get_trainer(self, *arguments, **options) -> RayPPOTrainer:
        """Return SkyRL's trainer, which shuffles pairs."""
        trainer = super().get_trainer(*arguments, **options)
        trainer.train_dataloader = paired_loader(trainer.train_dataloader, seed=self.cfg.trainer.seed)
        return trainer


@ray.remote(num_cpus=1)
def train(cfg: SkyRLTrainConfig) -> None:
    """Run the experiment away from the head node; environments are registered in the process that uses them."""
    skyrl_gym.register(id="co-rewarding", entry_point="co_rewarding_client.skyrl:UnjudgedEnv")
    Experiment(cfg).run()


def main() -> None:
    """Read the options and train."""
    cfg = SkyRLTrainConfig.from_cli_overrides(sys.argv[1:])
    validate_cfg(cfg)
    initialize_ray(cfg)
    ray.get(train.remote(cfg))


if __name__ == "__main__":
    main()
