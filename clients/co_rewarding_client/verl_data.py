# pyright: basic, reportMissingImports=false
"""Keep both views of a question side by side in verl's training data.

data.custom_cls.path=pkg://co_rewarding_client.verl_data data.custom_cls.name=PairDataset data.shuffle=False
"""

import logging

from verl.utils.dataset.rl_dataset import RLHFDataset

from co_rewarding_client.foreign import Foreign
from co_rewarding_client.verl_shared import paired_order

_log = logging.getLogger("co_rewarding_client")


class PairDataset(RLHFDataset):
    """verl's data set with both views of a question side by side.

    Rows with the `question_id` of their `extra_info` in common are a pair; a row whose other view is missing, or was
    longer than `data.max_prompt_length`, is left out of the training. `+data.pair_epochs` passes are laid one after
    the other, each in an order of its own by `data.seed`; then `trainer.total_epochs=1`. Validation rows stay as they
    are.
    """

    def _read_files_and_tokenize(self) -> None:
        super()._read_files_and_tokenize()
        if list(self.original_data_files) != _listed(self.config.get("train_files")):
            return
        order = paired_order(self.dataframe["extra_info"], self.config.get("pair_epochs", 1), self.seed or 0)
        left_out = len(self.dataframe) - len(set(order))
        if left_out:
            _log.warning("%d training rows without their other view are left out", left_out)
        self.dataframe = self.dataframe.select(order)


def _listed(files: Foreign) -> list[str]:
    return [files] if isinstance(files, str) else [str(file) for file in files or ()]
