"""Both clients have every call of the contract, with the arguments, docstring and result of its one definition."""

import inspect
from typing import Any

import pytest
from co_rewarding_client import AsyncRewardClient, RewardClient, Rewards
from co_rewarding_client.calls import Calls

CALLS = sorted({name for kind in Calls.__mro__[:-1] for name in vars(kind) if not name.startswith("_")})


def public(client: type[Any]) -> set[str]:
    return {name for kind in client.__mro__[:-1] for name in vars(kind) if not name.startswith("_")}


def test_each_call_is_a_method_of_both_clients_and_there_is_nothing_else_but_closing() -> None:
    assert public(RewardClient) == public(AsyncRewardClient) == {*CALLS, "close"}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("client", [RewardClient, AsyncRewardClient])
def test_a_method_is_what_its_call_says_but_for_the_flow(client: type[Any], name: str) -> None:
    method, call = getattr(client, name), getattr(Calls, name)
    assert method.__name__ == name
    assert call.__doc__
    assert method.__doc__ == call.__doc__
    assert inspect.signature(method).parameters == inspect.signature(call).parameters
    assert inspect.iscoroutinefunction(method) == (client is AsyncRewardClient)


def test_a_method_returns_the_result_of_the_flow() -> None:
    assert inspect.signature(RewardClient.rewards).return_annotation is Rewards
    assert inspect.signature(AsyncRewardClient.version).return_annotation is str


def test_the_constructors_take_the_same_arguments() -> None:
    ours, theirs = (inspect.signature(client).parameters for client in (RewardClient, AsyncRewardClient))
    kinds = [[(each.name, each.kind) for each in parameters.values()] for parameters in (ours, theirs)]
    assert kinds[0] == kinds[1]
    same = ours.keys() - {"transport", "sleep"}
    assert {name: ours[name] for name in same} == {name: theirs[name] for name in same}
