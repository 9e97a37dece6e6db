"""Grade with the one grader that a program shares."""

from co_rewarding_answers.grader import AnswerGrader


class SharedGrader(AnswerGrader):
    """The grader that is pickled by name: Ray and others send functions to workers, which have one of their own."""

    def __reduce__(self) -> str:
        """Return the name in this module."""
        return "SHARED"


SHARED = SharedGrader()
"""It starts nothing until a pair needs the judge, and then once for each process."""

compare = SHARED.compare
verify = SHARED.verify
averify = SHARED.averify
vote = SHARED.vote
avote = SHARED.avote
close = SHARED.close
