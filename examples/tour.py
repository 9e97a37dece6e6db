# %% [markdown]
# # A tour of Co-rewarding
#
# Score a batch, see why, watch majority voting fall and co-rewarding hold, replay what was sampled under ten methods,
# and plug TRL in. The cells run in an editor that knows `# %%`, or all at once:
#
#     make install
#     .venv/bin/python examples/tour.py
#
# It takes a minute or two on 2 cores, without a GPU. The results are in `runs/tour`.

# %% The service. Yours runs by `co-rewarding serve`; this one lives as long as the tour.
import atexit
import contextlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from co_rewarding_client import RewardClient, Rollout
from co_rewarding_trainer.demo import run_demo

from reward_service.serving.embedded_service import embedded_service

OUT = Path(os.environ.get("TOUR_OUT", "runs/tour"))
STEPS = int(os.environ.get("TOUR_STEPS", "30"))

running = contextlib.ExitStack()
atexit.register(running.close)
folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="cr-")))
url = running.enter_context(embedded_service(folder))
print("the service:", url)

# %% Score a batch: two rollouts on a question, two on its paraphrase. Nobody says what is right.
responses = {
    "original": [r"... so it is \boxed{4}", r"... hence \boxed{5}"],
    "paraphrase": [r"... which makes \boxed{4.0}", r"... that is \boxed{\frac{8}{2}}"],
}
rollouts = [
    Rollout(question_id="tour/1", view=view, response=text) for view, texts in responses.items() for text in texts
]
client = running.enter_context(RewardClient(url))
rewards = client.rewards(rollouts, step=0)
print("rewards:", rewards.rewards)

# %% See why. A cohort holds the ballots of a question; `answer_class` says which answers are one answer.
cohort = client.cohort(rewards.labels[0].cohort)
for ballot in cohort["ballots"]:
    print(f"  {ballot['view']:<11} {ballot['answer']:<12} is {ballot['answer_class']:<3} and earns {ballot['reward']}")

# %% Train a small model under two methods, from one start and with the same questions. Majority voting rewards a view
# for agreeing with itself, and its accuracy falls within 30 steps. Co-rewarding asks the other view, and holds for
# longer. docs/demo.md has 300 steps, after which co-rewarding-i has fallen too.
report = run_demo(url, OUT, methods=["majority-voting", "co-rewarding-i"], steps=STEPS, record=True)
for each in report.methods:
    print(f"{each.method}: accuracy {each.start:.2f} -> {each.end:.2f}, reward at the end {each.reward_at_end:.2f}")

# %% Replay what the policy of co-rewarding-i has sampled, under ten methods: which labels would have come of it, and
# how many of them would have been right? The policy of the other training is the peer. Nothing is trained.
methods = [
    "co-rewarding-i", "majority-voting", "majority-voting-union", "self-harmony", "soft-majority", "confident-majority",
    "stable-majority", "peer-majority", "ground-truth", "format",
]  # fmt: skip
replay = [
    sys.executable, "-m", "reward_service", "replay", str(OUT / "rollouts-co-rewarding-i.jsonl"),
    "--peer", str(OUT / "rollouts-majority-voting.jsonl"), "--markdown", str(OUT / "replay.md"),
]  # fmt: skip
subprocess.run([*replay, *(word for name in methods for word in ("--method", name))], check=True)

# %% Plug TRL in: one object is the reward function and a callback of GRPOTrainer. clients/examples/trl_train.py is the
# program; with a model and questions of your own, two lines of it stay.
if importlib.util.find_spec("trl") is None:
    print("TRL is not installed here: pip install 'trl==1.16.0', then run this cell again")
else:
    subprocess.run([sys.executable, "clients/examples/trl_train.py", "--url", url, "--steps", "4"], check=True)
