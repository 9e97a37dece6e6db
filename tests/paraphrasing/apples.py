"""Questions without end, and a rewriter that knows them: most it rewrites well, some it solves, copies or changes."""

import re
from typing import Any

from reward_service.generation.generator import Prompt, Sampling
from tests.support.scripted_generator import asked_text, instruction_in

_NUMBERS = re.compile(r"has (\d+) apples and buys (\d+) more")


def apple_rows(count: int) -> list[dict[str, Any]]:
    """Rows as in a file of questions, with a column more."""
    return [
        {
            "question_id": f"apples/{number}",
            "question": question(number + 20, 3 * number + 7),
            "ground_truth": str(4 * number + 27),
            "level": number % 5,
        }
        for number in range(count)
    ]


def question(has: int, buys: int) -> str:
    return f"Tom has {has} apples and buys {buys} more. How many apples does he have now?"


def well_said(text: str) -> str:
    has, buys = numbers_in(text)
    return (
        f"After adding {buys} apples to the {has} that he already owned, what is the number of apples in Tom's hands?"
    )


def numbers_in(text: str) -> tuple[int, int]:
    found = _NUMBERS.search(text)
    assert found is not None, text
    return int(found[1]), int(found[2])


def response(prompt_text: str, name: str) -> str:
    """What the model says under an instruction: by the question alone, so that it says the same again."""
    has, buys = numbers_in(prompt_text)
    match has % 6:
        case 0:
            said = prompt_text
        case 1:
            said = (
                f"Tom has {has} apples and gets {buys}. So {has} + {buys} = {has + buys}. The answer is {has + buys}."
            )
        case 2 if name == "reword":
            said = well_said(prompt_text).replace(f"{buys} apples", f"{buys + 1} apples")
        case _:
            said = well_said(prompt_text)
    return f"<rewritten>{said}</rewritten>"


def script(prompt: Prompt, sampling: Sampling) -> list[str]:
    """As a `ScriptedGenerator` takes it."""
    name = instruction_in(prompt)
    assert name is not None
    return [response(asked_text(prompt), name)] * sampling.n
