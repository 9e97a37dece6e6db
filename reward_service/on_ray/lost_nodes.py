"""Decide which nodes are lost, before Ray says so: a rule as data, applied to what each look finds of a node."""

from dataclasses import dataclass

MISSES = 3
"""After so many looks in a row that find nobody, a node is lost."""


@dataclass(frozen=True, slots=True)
class NodeSigns:
    """What a look finds of a node.

    Attributes:
        answers: a part on the node has answered its last question.
        hangs: a part that has answered before does not answer now. One that starts is no sign: that may take minutes.
        listens: somebody listens at the port of Ray's own process there.
        works: the node has done a task that it was given after it was lost.
    """

    answers: bool = False
    hangs: bool = False
    listens: bool = True
    works: bool = False


@dataclass(frozen=True, slots=True)
class NodeWatch:
    """What is known of a node: how many looks in a row have found nobody, and whether it is lost."""

    misses: int = 0
    lost: bool = False


def watched(watch: NodeWatch, signs: NodeSigns) -> NodeWatch:
    """Return what is known after a look.

    One answer keeps a node. Where nobody answers, either Ray's process is gone, or parts hang: parts that died alone
    are started again there by Ray, and no reason to move the others. A lost node has to work before it is trusted.
    """
    if watch.lost:
        return NodeWatch() if signs.works else watch
    missed = not signs.answers and (signs.hangs or not signs.listens)
    misses = watch.misses + 1 if missed else 0
    return NodeWatch(misses, misses >= MISSES)
