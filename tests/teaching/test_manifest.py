"""Whether weights are the teacher's, by name and shape; tied output layers may be there or not."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_service.teaching.manifest import Manifest, compare
from reward_service.teaching.safetensors_header import Dtype, Shape, Tensor

BODY: Mapping[str, Shape] = {"model.embed_tokens.weight": (9, 4), "model.norm.weight": (4,)}
HEAD: Mapping[str, Shape] = {"lm_head.weight": (9, 4)}
TIED, UNTIED = {"tie_word_embeddings": True}, {"tie_word_embeddings": False}


def manifest(shapes: Mapping[str, Shape], dtype: Dtype = Dtype.F32) -> Manifest:
    return Manifest({name: Tensor(dtype, shape, "model.safetensors", 0, 0) for name, shape in shapes.items()})


def test_the_same_tensors_do_not_differ_whatever_their_float_type() -> None:
    for dtype in (Dtype.F32, Dtype.BF16, Dtype.F16):
        assert compare(manifest(BODY), manifest(BODY, dtype)) is None


def test_a_difference_is_named_and_the_rest_counted() -> None:
    teacher = manifest({f"layer.{number}": (2, 3) for number in range(9)} | {"norm": (4,), "step": (1,)})
    policy = manifest({"layer.0": (2, 3), "layer.1": (3, 2), "norm": (4,), "step": (1,), "lora.a": (1,)})
    assert compare(teacher, policy) == (
        "the weights are not of the teacher's model: 7 missing: layer.2, layer.3, layer.4 and 4 more; "
        "1 not the teacher's: lora.a; 1 misshapen: layer.1 is [3, 2] instead of [2, 3]"
    )


def test_a_buffer_of_another_kind_differs() -> None:
    assert compare(manifest(BODY, Dtype.I64), manifest(BODY, Dtype.I64)) is None
    for one, other in ((Dtype.I64, Dtype.F32), (Dtype.F32, Dtype.I64), (Dtype.I32, Dtype.I64)):
        message = compare(manifest(BODY, one), manifest(BODY, other))
        assert message is not None
        assert f"model.norm.weight is {other} instead of {one}" in message


@pytest.mark.parametrize("base", [BODY, {**BODY, **HEAD}])
@pytest.mark.parametrize("policy", [BODY, {**BODY, **HEAD}])
@pytest.mark.parametrize("config", [TIED, {"text_config": TIED}, UNTIED | {"tie_word_embeddings": True}])
def test_a_tied_output_layer_may_be_there_or_not_on_either_side(
    base: Mapping[str, Shape], policy: Mapping[str, Shape], config: Mapping[str, Any]
) -> None:
    teacher = manifest(base).tied(config)
    assert teacher.shapes == BODY
    assert compare(teacher, manifest(policy)) is None


def test_a_tied_output_layer_of_another_shape_differs() -> None:
    message = compare(manifest(BODY).tied(TIED), manifest({**BODY, "lm_head.weight": (8, 4)}))
    assert message is not None
    assert "lm_head.weight is [8, 4] instead of [9, 4]" in message


@pytest.mark.parametrize("config", [UNTIED, {}, {"text_config": UNTIED}, UNTIED | {"text_config": TIED}])
def test_an_output_layer_of_its_own_must_be_there(config: Mapping[str, Any]) -> None:
    teacher = manifest({**BODY, **HEAD}).tied(config)
    assert teacher.shapes == {**BODY, **HEAD}
    assert compare(teacher, manifest({**BODY, **HEAD})) is None
    message = compare(teacher, manifest(BODY))
    assert message is not None
    assert "1 missing: lm_head.weight" in message


def test_a_configuration_that_does_not_say_it_is_as_the_folder_is() -> None:
    """Where models of a family are always tied, their config.json need not say so."""
    assert compare(manifest(BODY).tied({}), manifest({**BODY, **HEAD})) is None
    message = compare(manifest(BODY).tied(UNTIED), manifest({**BODY, **HEAD}))
    assert message is not None
    assert "1 not the teacher's: lm_head.weight" in message


@given(*(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.integers(0, 2), max_size=2).map(tuple)),) * 2)
def test_only_equal_manifests_do_not_differ(one: dict[str, Shape], other: dict[str, Shape]) -> None:
    assert (compare(manifest(one), manifest(other)) is None) == (one == other)
