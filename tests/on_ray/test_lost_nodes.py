"""Laws of lost nodes: one answer keeps a node, one miss loses none, and a lost one has to work before it is trusted."""

from hypothesis import given
from hypothesis import strategies as st

from reward_service.on_ray.lost_nodes import MISSES, NodeSigns, NodeWatch, watched

SIGNS = st.builds(NodeSigns, st.booleans(), st.booleans(), st.booleans(), st.booleans())
ANSWER = NodeSigns(answers=True)
STARTING = NodeSigns()
HANGS = NodeSigns(hangs=True)
GONE = NodeSigns(listens=False)


def after(*looks: NodeSigns) -> NodeWatch:
    watch = NodeWatch()
    for signs in looks:
        watch = watched(watch, signs)
    return watch


@given(st.lists(SIGNS, max_size=20), st.sampled_from([HANGS, GONE]))
def test_a_node_where_nobody_answers_is_lost_after_so_many_looks(before: list[NodeSigns], sign: NodeSigns):
    assert after(*before, *[sign] * MISSES).lost
    assert not after(*[sign] * (MISSES - 1)).lost


@given(st.lists(SIGNS, max_size=60))
def test_no_node_is_lost_without_so_many_misses_in_a_row(looks: list[NodeSigns]):
    missed = [not each.answers and (each.hangs or not each.listens) for each in looks]
    long_enough = any(all(missed[i : i + MISSES]) for i in range(len(missed) - MISSES + 1))
    if after(*looks).lost:
        assert long_enough


@given(st.lists(st.sampled_from([ANSWER, STARTING]), max_size=40))
def test_parts_that_answer_or_start_again_beside_a_living_ray_are_no_reason(looks: list[NodeSigns]):
    assert after(*looks) == NodeWatch()


@given(st.lists(SIGNS, max_size=20))
def test_a_lost_node_is_trusted_when_it_works_and_not_before(looks: list[NodeSigns]):
    lost = NodeWatch(MISSES, lost=True)
    for signs in looks:
        if not signs.works:
            assert watched(lost, signs) == lost
    assert watched(lost, NodeSigns(works=True)) == NodeWatch()
