# pyright: basic, reportMissingImports=false
"""Keep both views of a question side by side in verl's training data, and check that they are.

    data.custom_cls.path=pkg://co_rewarding_client.verl_data data.custom_cls.name=PairDataset data.shuffle=False
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from verl.utils.dataset.rl_dataset import RLHFDataset

from co_rewarding_client.errors import invalid
from co_rewarding_client.model import View


class PairDataset(RLHFDataset):
    """verl's data set with both views of a question side by side; with `data.shuffle=False`.

    Rows with the `question_id` of their `extra_info` in common are a pair; a row whose other view is missing, or was
    longer than `data.max_prompt_length`, is left out of the training. `+data.pair_epochs` passes are laid one after
    the other, each in an order of its own by `data.seed`; then `trainer.total_epochs=1`. Validation rows stay as they
    are.
    """

    def _read_files_and_tokenize(self) -> None:
        super()._read_files_and_tokenize()
        if list(self.original_data_files) == _listed(self.config.get("train_files")):
            order = paired_order(self.dataframe["extra_info"], self.config.get("pair_epochs", 1), self.seed or 0)
            left_out = len(self.dataframe) - len(set(order))
            if left_out:
                print(f"PairDataset: {left_out} rows without their other view are left out")
            self.dataframe = self.dataframe.select(order)


def paired_order(infos: Sequence[Mapping[str, Any] | None], epochs: int, seed: int) -> list[int]:
    """Return the places of the rows, pairs side by side and shuffled anew in each epoch.

    Raises:
        InvalidRequest: there is no pair.
    """
    places: dict[str, dict[str, int]] = {}
    for place, info in enumerate(infos):
        views = places.setdefault(str((info or {}).get("question_id")), {})
        views.setdefault(str((info or {}).get("view")), place)
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


def _listed(files: Any) -> list[str]:
    return [files] if isinstance(files, str) else [str(file) for file in files or ()]
