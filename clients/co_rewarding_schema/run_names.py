"""Name runs, and the runs that hold the evaluation of others."""

import re

from co_rewarding_schema.errors import InvalidRunError

DEFAULT_RUN = "default"
RUN_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
"""A run's name appears in URLs, in keys and in tickets, so the characters are plain."""

MAX_RUN_CHARS = 128
EVALUATION_SUFFIX = ".evaluation"
"""Of the run that holds the evaluation of another: with that run's settings, and counts, cohorts and tickets apart."""

MAX_EVALUATED_RUN_CHARS = MAX_RUN_CHARS - len(EVALUATION_SUFFIX)
OWN_RUN_NAME_PATTERN = RUN_NAME_PATTERN.replace("^", r"^(?!.*\.evaluation$)")
"""Of a run that holds no evaluation of another."""

_RUN_NAME = re.compile(RUN_NAME_PATTERN)


def check_run_name(name: str) -> str:
    """Return the name, if the name can be a run's.

    Raises:
        InvalidRunError: the name is empty, too long, or holds more than letters, digits, '.', '_' and '-'.
    """
    if not _RUN_NAME.fullmatch(name):
        raise InvalidRunError(
            "a run's name is 1 to 128 letters, digits, '.', '_' or '-', and begins with a letter or digit"
        )
    return name


def evaluated_run(run: str) -> str | None:
    """Return the run whose evaluation this run holds; None for a run of its own."""
    return run.removesuffix(EVALUATION_SUFFIX) if run.endswith(EVALUATION_SUFFIX) else None


def evaluation_run(run: str) -> str:
    """Return the run that holds the evaluation of a run, which may be that run already.

    Raises:
        InvalidRunError: the name cannot be a run's, or is too long for the suffix.
    """
    if evaluated_run(check_run_name(run)) is not None:
        return run
    if len(run) > MAX_EVALUATED_RUN_CHARS:
        raise InvalidRunError(
            f"run {run!r} has {len(run)} characters, and its evaluation is the run of that name with "
            f"{EVALUATION_SUFFIX!r} behind it: name a run that is evaluated with at most {MAX_EVALUATED_RUN_CHARS} "
            "characters"
        )
    return run + EVALUATION_SUFFIX


def check_own_run(name: str) -> str:
    """Return the name, if it can be that of a run of its own.

    Raises:
        InvalidRunError: it cannot be a run's, or is that of another run's evaluation.
    """
    evaluated = evaluated_run(check_run_name(name))
    if evaluated is None:
        return name
    raise InvalidRunError(
        f"{name!r} is the evaluation of run {evaluated!r}, which has the settings of that run and no teacher: name run "
        f"{evaluated!r} here (evaluation_group_size is a setting of it), and send rollouts to be evaluated there with "
        "evaluate: true"
    )
