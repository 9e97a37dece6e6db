"""List the tasks that the laptop trainer knows. To add a task, add it here."""

from co_rewarding_schema.errors import CoRewardingError

from co_rewarding_trainer.chains import CHAINS
from co_rewarding_trainer.sorting import SORTING
from co_rewarding_trainer.task import Task
from co_rewarding_trainer.word_problems import WORD_PROBLEMS

TASKS = {task.name: task for task in (CHAINS, SORTING, WORD_PROBLEMS)}
DEFAULT_TASK = CHAINS.name


class UnknownTaskError(CoRewardingError):
    """No task has the name; the message lists those that there are."""


def task_named(name: str) -> Task:
    """Returns a task.

    Raises:
        UnknownTaskError: there is none of the name.
    """
    if name not in TASKS:
        raise UnknownTaskError(f"{name!r} is not a task; choose one of {', '.join(TASKS)}")
    return TASKS[name]
