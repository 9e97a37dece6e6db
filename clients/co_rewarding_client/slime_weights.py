# pyright: basic, reportMissingImports=false
"""Hand slime's weights to the teacher after each update, for the methods that have one."""

from argparse import Namespace
from pathlib import Path

import torch.distributed

from co_rewarding_client.errors import invalid
from co_rewarding_client.slime_settings import config, endpoint


def publish(args: Namespace, version_dir: str, rollout_engines: object) -> None:
    """Hand the weights that were written for the next rollout to the teacher, by one rank.

    For `--custom-update-weight-post-write-path`, with `--update-weight-transport disk`. The folder is uploaded, or is
    below the service's `weights_root` of the settings; then `--update-weight-disk-keep-files` must keep the folder.

    Raises:
        InvalidRequest: what is written is no whole model, or will be gone before the teacher reads it.
    """
    if torch.distributed.is_initialized() and torch.distributed.get_rank() != 0:
        return
    if getattr(args, "update_weight_mode", "delta") != "full":
        raise invalid("a teacher needs whole weights; give --update-weight-mode full --update-weight-transport disk")
    root = config(args).get("weights_root")
    if root and not args.update_weight_disk_keep_files:
        raise invalid("the teacher reads the folder later; give --update-weight-disk-keep-files, or no weights_root")
    folder = Path(version_dir)
    updates = int(folder.name.removeprefix("weight_v")) - 1  # the first version is what the training begins with
    step = _first_rollout(args) + updates * args.update_weights_interval
    with endpoint(args).client() as client:
        client.publish(step, folder.relative_to(root) if root else folder, upload=not root)


def _first_rollout(args: Namespace) -> int:
    """Return the rollout id with which this process began: its first weights are for that one."""
    if args.start_rollout_id is not None:
        return args.start_rollout_id
    return int(Path(args.load, "latest_checkpointed_iteration.txt").read_text()) + 1
