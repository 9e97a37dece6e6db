"""Measure the tokens per second of a generator, by prompts at once: `python -m benchmarks.generation MODEL`.

MODEL is whatever `open_generator` opens: a folder, openai:URL#MODEL, vllm-server:URL#MODEL. The measure is one response
alone; beside it, groups of responses to one prompt and to several. For vLLM without a GPU, in its own installation:

    OMP_NUM_THREADS=1 python -m benchmarks.generation MODEL --backend vllm --engine \
        '{"dtype": "bfloat16", "enforce_eager": true, "kv_cache_memory_bytes": 536870912}'
"""

import argparse
import asyncio
import json
import time

from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe
from reward_service.generation.generator import Backend, Generator, Message, Prompt, Sampling
from reward_service.generation.opening import open_generator

QUESTION = "A train leaves at {} and travels {} miles at {} miles an hour. When does it arrive? Think step by step."
ASKED = ((1, 1), (1, 8), (2, 8), (8, 8))
"""Prompts at once, and responses to each."""


def prompt(number: int) -> Prompt:
    """One of many questions of the same kind."""
    told = QUESTION.format(f"{1 + number % 12} o'clock", 60 + 7 * number, 20 + number)
    return Prompt(messages=(Message("user", told),))


async def tokens_per_s(generator: Generator, prompts: int, sampling: Sampling) -> float:
    """Of all responses together."""
    began_s = time.monotonic()
    answers = await asyncio.gather(*(generator.generate(prompt(number), sampling) for number in range(prompts)))
    return sum(answer.tokens for answer in answers) / (time.monotonic() - began_s)


async def measure(arguments: argparse.Namespace) -> None:
    """Prints a table."""
    table = Table("prompts", "responses each", "tokens/s", "times one alone", title=f"{arguments.model} ({describe()})")
    engine = json.loads(arguments.engine)
    async with open_generator(arguments.model, backend=arguments.backend, more=engine) as generator:
        await tokens_per_s(generator, 1, Sampling(max_tokens=4, seed=0))  # whatever is made at first is made
        alone: float | None = None
        for prompts, n in ASKED:
            rate = await tokens_per_s(generator, prompts, Sampling(n=n, max_tokens=arguments.max_tokens, seed=1))
            alone = alone or rate
            table.add_row(str(prompts), str(n), f"{rate:.1f}", f"{rate / alone:.1f}")
    Console().print(table)


def main() -> None:
    """Measures what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--backend", default=Backend.AUTO.value, choices=[backend.value for backend in Backend])
    parser.add_argument("--engine", default="{}", metavar="JSON", help="arguments of vLLM's engine")
    parser.add_argument("--max-tokens", type=int, default=64)
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
