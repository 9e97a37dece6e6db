r"""Grade answers in a process of your own: the service's grader, without a service.

    from co_rewarding_answers import verify, vote

    verify("1/2", r"So it is \boxed{0.5}.")        # Verdict.SAME
    label, counts = vote([r"\boxed{1/2}", r"\boxed{0.5}", r"\boxed{3}"])    # "1/2", {"1/2": 2, "3": 1}

`pip install 'co-rewarding[answers]'`; docs/verify.md.
"""

from co_rewarding_answers.grader import DEFAULT_FORMATS, WHOLE, AnswerGrader, Vote
from co_rewarding_answers.shared import averify, avote, close, compare, verify, vote
from reward_service.grading.verdicts import Verdict

__all__ = [
    "DEFAULT_FORMATS",
    "WHOLE",
    "AnswerGrader",
    "Verdict",
    "Vote",
    "averify",
    "avote",
    "close",
    "compare",
    "verify",
    "vote",
]
