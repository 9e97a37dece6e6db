"""The real vLLM's part in the tests: what is run by the Python that has it, in a process of its own.

python -m tests.generation.vllm_world FOLDER writes what it saw to FOLDER/seen.json.
"""

import asyncio
import json
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import psutil

from reward_service.generation.generator import Generator, Prompt, Sampling
from reward_service.generation.opening import open_generator
from tests.generation.contract import RULES, World
from tests.generation.models import CONTEXT, TEMPLATE, copy_weights, make_llama

BLOCK = 32
ENGINE: dict[str, Any] = {
    "dtype": "float32",  # so that outputs can be compared word for word
    "enforce_eager": True,
    "block_size": BLOCK,
    "kv_cache_memory_bytes": 1 << 27,
    "max_model_len": CONTEXT,
    "distributed_executor_backend": "uni",
}
SHARED = [f"w{(11 * place) % 56}" for place in range(4 * BLOCK)]
"""What all prompts begin with: blocks that the prefix cache keeps, and that would be stale after a swap."""
ENDINGS = [[f"w{(7 * place + step) % 56}" for step in range(9)] for place in range(6)]
PROMPTS = tuple(Prompt(" ".join([*SHARED, *ending])) for ending in ENDINGS)
SAMPLING = Sampling(n=6, seed=11, max_tokens=24)
GREEDY = Sampling(temperature=0.0, max_tokens=24)


def make_models(folder: Path) -> None:
    """The models a and b, b's weights alone, and some that fit neither."""
    make_llama(folder / "a", seed=0, template=TEMPLATE)
    make_llama(folder / "b", seed=1, template=TEMPLATE)
    copy_weights(folder / "b", folder / "weights-b")
    copy_weights(folder / "b", folder / "misfit", model__norm__weight=None)


def world(generator: Generator, folder: Path) -> World:
    return World(generator, PROMPTS, Prompt("w1 " * CONTEXT), folder / "weights-b", folder / "misfit")


async def ask(generator: Generator) -> list[list[str]]:
    """What it answers to each prompt, greedily and sampled, all asked at once.

    A server keeps the space between a prompt and its completion; it is left out.
    """
    asked = [generator.generate(prompt, sampling) for prompt in PROMPTS for sampling in (GREEDY, SAMPLING)]
    return [[text.strip() for text in answer.texts_n] for answer in await asyncio.gather(*asked)]


def kill_engine() -> None:
    """As the system does when memory runs out."""
    for child in psutil.Process().children(recursive=True):
        if "multiprocessing.resource_tracker" not in " ".join(child.cmdline()):
            child.kill()


async def observe(folder: Path) -> dict[str, Any]:
    """The contract of an engine of a; what a and b answer, b as weights swapped in and as an engine of its own."""
    seen: dict[str, Any] = {"rules": {}}
    began_s = time.monotonic()
    async with open_generator(str(folder / "a"), backend="vllm", more=ENGINE) as generator:
        seen["start_s"] = time.monotonic() - began_s
        seen["a"] = await ask(generator)
        began_s = time.monotonic()
        await generator.load(folder / "weights-b")
        seen["swap_s"] = time.monotonic() - began_s
        seen["swapped"] = await ask(generator)
        kill_engine()
        seen["killed"] = await ask(generator)
        await generator.load(None)
        seen["back"] = await ask(generator)
        for rule in RULES:
            try:
                await asyncio.wait_for(rule(world(generator, folder)), 60)
            except Exception:
                seen["rules"][rule.__name__] = traceback.format_exc()
            else:
                seen["rules"][rule.__name__] = ""
    async with open_generator(str(folder / "b"), backend="vllm", more=ENGINE) as generator:
        seen["b"] = await ask(generator)
    return seen


if __name__ == "__main__":
    where = Path(sys.argv[1])
    (where / "seen.json").write_text(json.dumps(asyncio.run(observe(where))))
