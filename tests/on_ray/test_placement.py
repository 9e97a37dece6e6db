"""Where parts run: the nodes that Ray tells of, the one of the store, those of the API."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_service.errors import SettingsError
from reward_service.on_ray.placement import HEAD, Node, api_nodes, node_named, nodes_of

HEAD_NODE = Node("id-1", "10.0.0.1", "head", 4.0, head=True, port=7001)
OTHER = Node("id-2", "10.0.0.2", "other", 8.0, port=7002)
NODES = st.lists(st.builds(Node, st.text("abc", min_size=1, max_size=3), st.just("10.0.0.1"), st.just("n"),
                           st.sampled_from([0.0, 1.0, 8.0])), unique_by=lambda node: node.id)  # fmt: skip


def test_dead_nodes_are_left_out_and_the_head_is_known():
    told = [
        {"NodeID": "id-2", "NodeManagerAddress": "10.0.0.2", "NodeManagerHostname": "other", "NodeManagerPort": 7002,
         "Alive": True,
         "Resources": {"CPU": 8.0}},
        {"NodeID": "id-1", "NodeManagerAddress": "10.0.0.1", "NodeManagerHostname": "head", "NodeManagerPort": 7001,
         "Alive": True,
         "Resources": {"CPU": 4.0, HEAD: 1.0}},
        {"NodeID": "id-3", "NodeManagerAddress": "10.0.0.3", "NodeManagerHostname": "gone", "NodeManagerPort": 7003,
         "Alive": False,
         "Resources": {}},
    ]  # fmt: skip
    assert nodes_of(told) == [HEAD_NODE, OTHER]


@pytest.mark.parametrize("name", ["10.0.0.2", "other", "id-2"])
def test_a_node_is_known_by_address_name_or_id(name: str):
    assert node_named([HEAD_NODE, OTHER], name) == OTHER


def test_the_store_is_on_the_head_unless_a_node_is_named():
    assert node_named([HEAD_NODE, OTHER], None) == HEAD_NODE


def test_a_node_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(SettingsError, match=r"no node '10.0.0.9'.*10\.0\.0\.1 \(head, id-1\), 10\.0\.0\.2"):
        node_named([HEAD_NODE, OTHER], "10.0.0.9")
    with pytest.raises(SettingsError, match="several nodes of the cluster are a node 'head'"):
        node_named([HEAD_NODE, HEAD_NODE], "head")


@given(NODES, st.data(), st.none() | st.integers(1, 5))
def test_api_nodes_are_able_as_many_as_wanted_and_stay_where_they_are(nodes, data: st.DataObject, wanted: int | None):
    able = {node.id for node in nodes if node.cpus >= 1.0}
    current = data.draw(st.sets(st.sampled_from(sorted(able)))) if able else set()
    chosen = api_nodes(nodes, current, wanted, 1.0)
    assert set(chosen) <= able
    assert len(set(chosen)) == len(chosen) == (len(able) if wanted is None else min(wanted, len(able)))
    stayed = current & set(chosen)
    assert len(stayed) == min(len(current), len(chosen))
    assert set(api_nodes(nodes, chosen, wanted, 1.0)) == set(chosen)
