# pyright: basic, reportMissingImports=false
"""Verifies hostile responses in Ray's workers, as verl's reward loop would, and prints the verdicts as JSON lines."""

import json
from concurrent.futures import ThreadPoolExecutor

import ray
from co_rewarding_answers import verify

from tests.support.hostile_answers import own_hostile

WORKERS = 2


@ray.remote(num_cpus=1)
class RewardWorker:
    """An actor that has threads, which call at the same time."""

    def grade(self) -> list[str]:
        with ThreadPoolExecutor(4) as threads:
            return list(threads.map(lambda text: str(verify(text.truth, text.response)), own_hostile()))


@ray.remote(num_cpus=1)
def graded(number: int) -> str:
    return str(verify(rf"\sin {2 * number}x", rf"\boxed{{2\sin {number}x\cos {number}x}}"))


def main() -> None:
    ray.init(num_cpus=2 * WORKERS, include_dashboard=False, configure_logging=False, log_to_driver=False)
    workers = [RewardWorker.remote() for _ in range(WORKERS)]
    for verdicts in ray.get([worker.grade.remote() for worker in workers]):
        print(json.dumps({"how": "actor", "verdicts": verdicts}))
    print(json.dumps({"how": "tasks", "verdicts": ray.get([graded.remote(number) for number in range(2, 6)])}))
    print(json.dumps({"how": "driver", "verdicts": [str(verify("1/2", "0.5"))]}))
    ray.shutdown()


if __name__ == "__main__":
    main()
