# pyright: basic, reportMissingImports=false
"""Train with AReaL and Co-rewarding-I: python areal_train.py --config grpo.yaml gconfig.n_samples=1 ...

Each line of PAIRS (JSON lines) has question_id, messages and paraphrase_messages. docs/integrations/areal.md has the
options of AReaL that must be set. CO_REWARDING_URL and CO_REWARDING_RUN are read by the workers too.
"""

import os
import sys

from areal import PPOTrainer
from areal.api.cli_args import GRPOConfig, load_expr_config
from co_rewarding_client import RunSettings
from co_rewarding_client.training import Endpoint
from datasets import load_dataset

GROUP_SIZE = 8


def main() -> None:
    """Put the run's settings, and train."""
    config, _ = load_expr_config(sys.argv[1:], GRPOConfig)
    endpoint = Endpoint()
    with endpoint.client() as client:
        client.put_run(endpoint.run, RunSettings(method="co-rewarding-i", group_size=GROUP_SIZE))
    pairs = load_dataset("json", data_files=os.environ["PAIRS"])["train"]
    with PPOTrainer(config, train_dataset=pairs) as trainer:
        trainer.train(
            workflow="co_rewarding_client.areal.CoRewardingWorkflow",
            workflow_kwargs={
                "gconfig": config.gconfig,
                "tokenizer": config.tokenizer_path,
                "group_size": GROUP_SIZE,
            },
        )


if __name__ == "__main__":
    main()
