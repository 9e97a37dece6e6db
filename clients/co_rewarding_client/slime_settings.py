# pyright: basic
"""Read the settings of slime's and miles' reward: `co_rewarding` in the file of `--custom-config-path`.

It has url, run and api_key, or the variables CO_REWARDING_URL, CO_REWARDING_RUN and CO_REWARDING_API_KEY do; timeout_s
and patience_s of the client; `settings` of the run, such as its method; and `weights_root`, for `slime_weights`.
"""

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from co_rewarding_schema.methods import DEFAULT_METHOD, METHODS
from co_rewarding_schema.vocabulary import View

from co_rewarding_client.client import AsyncRewardClient
from co_rewarding_client.errors import invalid
from co_rewarding_client.model import RunSettings
from co_rewarding_client.training import Endpoint

OF_THE_ENDPOINT = frozenset({"url", "run", "api_key", "timeout_s", "patience_s"})


def config(args: Namespace) -> Mapping[str, Any]:
    """Return the settings as they stand in the file.

    Raises:
        InvalidRequest: a key that none of them has.
    """
    found = getattr(args, "co_rewarding", None) or {}
    unknown = set(found) - OF_THE_ENDPOINT - {"settings", "weights_root"}
    if unknown:
        raise invalid(f"co_rewarding of the custom config has unknown keys: {', '.join(sorted(unknown))}")
    return found


def endpoint(args: Namespace) -> Endpoint:
    """Return where the service is, and the run."""
    return Endpoint(**{name: value for name, value in config(args).items() if name in OF_THE_ENDPOINT})


async def make_run(client: AsyncRewardClient, args: Namespace) -> None:
    """Make the run, or change its settings to those of the file."""
    own = {
        "group_size": args.n_samples_per_prompt,
        "evaluation_group_size": args.n_samples_per_eval_prompt,
        "total_steps": args.num_rollout,
    }
    settings = RunSettings(**(own | dict(config(args).get("settings") or {})))
    await client.put_run(endpoint(args).run, settings)


def check(args: Namespace) -> None:
    """Refuse flags of the trainer under which no rewards could come.

    Raises:
        InvalidRequest: with the flag, and what to give in place of it.
    """
    if args.reward_key:
        raise invalid("rewards come as numbers here; leave --reward-key out, which is for --rm-type remote_rm")
    method = METHODS.get((config(args).get("settings") or {}).get("method", DEFAULT_METHOD))
    if method is None or len(method.views_decided_with(View.ORIGINAL)) == 1:
        return
    why = f"{method.name} needs both views of a question in one step"
    if args.rollout_shuffle:
        raise invalid(f"{why}; leave --rollout-shuffle out: the data set is shuffled already, pair by pair")
    if args.partial_rollout:
        raise invalid(f"{why}; leave --partial-rollout out, which takes one of them into the next step")
    drawn_at_once = args.over_sampling_batch_size or args.rollout_batch_size
    if args.rollout_batch_size % 2 or drawn_at_once % 2:
        raise invalid(f"{why}; give even numbers as --rollout-batch-size and --over-sampling-batch-size")
