# pyright: basic, reportMissingImports=false
"""Play episodes of the example as prime-rl does, by verifiers' environment server and client: URL RUN FOLDER KIND."""

import asyncio
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "clients" / "examples"))

import verifiers.v1 as vf
from pairs_sampled import SMALL, WHOLE, pairs, silenced
from spoken_model import speaking
from verifiers.v1.serve.client import EnvClient
from verifiers.v1.serve.server import EnvServer
from verifiers.v1.utils.loaders import load_taskset, resolve_env_config


async def played(env: dict, base_url: str) -> list[vf.Episode]:
    """Return an episode of each question, as they come back over the wire."""
    config = resolve_env_config(env)
    server = EnvServer(config, address="tcp://127.0.0.1:0")
    serving = asyncio.create_task(server.run())
    client = EnvClient(server.address)
    await client.wait_for_server_startup()
    asked = vf.EvalClientConfig(base_url=base_url, api_key_var="SPOKEN_KEY")
    try:
        return await asyncio.gather(
            *(
                client.run(asked, "spoken", vf.SamplingConfig(), task.data.model_dump(mode="json"))
                for task in load_taskset(config.taskset)
            )
        )
    finally:
        await client.close()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


def told(episode: vf.Episode) -> None:
    """Print each trace: the place among its view's, what was said, and what was recorded."""
    places: dict[str, int] = {}
    for trace in episode.traces:
        data = trace.task.data.model_extra
        places[data["view"]] = places.get(data["view"], -1) + 1
        print(
            json.dumps(
                {
                    "question_id": data["question_id"],
                    "view": data["view"],
                    "index": places[data["view"]],
                    "response": trace.last_reply,
                    "reward": trace.reward,
                    "rewarded": "co_rewarding" in trace.rewards,
                    "trainable": trace.agent.trainable,
                    "metrics": trace.metrics,
                    "failed": trace.has_error,
                    "episode": {"ok": episode.ok, "errors": [error.message for error in episode.errors]},
                }
            )
        )


def main(url: str, run: str, folder: Path, kind: str) -> None:
    """Play by a kind of environment: trained, centred, evaluated, unanswered, or silent, where a view has no answer."""
    os.environ["SPOKEN_KEY"] = "none"
    questions, group_size = WHOLE if kind == "trained" else SMALL
    rollouts = pairs(questions, group_size, seed=run)
    if kind == "silent":
        rollouts = silenced(rollouts, "q0", "original")
    texts: dict[str, dict[str, str]] = {rollout.question_id: {} for rollout in rollouts}
    responses: dict[str, list[str]] = {}
    for rollout in rollouts:
        texts[rollout.question_id][rollout.view] = rollout.prompt
        responses.setdefault(rollout.prompt, []).append(rollout.response)
    rows = [
        {"question_id": name, "question": views["original"], "paraphrase": views["paraphrase"], "ground_truth": "1"}
        for name, views in texts.items()
    ]
    (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    env = {
        "taskset": {"id": "verifiers-pairs", "path": str(folder / "pairs.jsonl")},
        "agent": {"harness": {"id": "spoken-harness"}, "runtime": {"type": "subprocess"}},
        "url": url,
        "run": run,
        "group_size": group_size,
        "evaluate": kind == "evaluated",
        "subtract_view_mean": kind == "centred",
    }
    if kind == "unanswered":  # a teacher is to vote, and there is none
        env |= {"method": "co-rewarding-ii", "patience_s": 2.0}
    with speaking(responses) as base_url:
        for episode in asyncio.run(played(env, base_url)):
            told(episode)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4])
