"""docs/architecture.md tells what is so."""

import uvloop

from tests.architecture.page import PAGE, floors, listed
from tests.architecture.trace import traced

MOST_MODULES = 44
"""On the way of a rollout, answer algebra apart. One more needs a reason: the last six came with rules of methods,
with what settled cohorts leave for their run, with small batches, whose tasks cost as much as their rewards, and with
clusters, whose connections repeat commands as those to a server alone do."""


def test_a_rollout_passes_the_modules_that_the_page_lists() -> None:
    passed = uvloop.run(traced())
    assert sorted(passed) == sorted(listed(PAGE.read_text()))
    assert len(passed) <= MOST_MODULES


def test_the_floors_are_those_of_the_imports() -> None:
    assert floors() in PAGE.read_text()
