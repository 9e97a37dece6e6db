"""The reader of bodies agrees with pydantic about every body, and says what is wrong in few words."""

import asyncio
import contextlib
import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from co_rewarding_schema.rollouts import RewardRequest
from co_rewarding_schema.trainer_formats import OpenRLHFRequest, RemoteRMRequest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from reward_service.api.http.form_reader import INLINE_BYTES, MAX_LISTED, FormReader
from reward_service.api.http.forms import Most
from reward_service.api.http.problems import Problem, place
from reward_service.api.paraphrases.models import JobForm, ParaphrasesForm
from reward_service.api.rewards.models import OpenRLHFForm, RemoteRMForm, RewardForm
from reward_service.api.runs.models import RunForm
from reward_service.api.teacher.routes import PrefetchForm, UpdateForm
from reward_service.api.teacher.upload_routes import UploadForm
from reward_service.settings import Settings

WHOLE: dict[type[BaseModel], dict[str, Any]] = {
    RewardForm: {
        "step": 1,
        "wait_s": 5,
        "rollouts": [
            {"question_id": "q", "response": "x", "statistics": {"entropy": 0.5}, "view": "paraphrase"},
            {"prompt": "p", "response": "é", "rollout": 1.0, "ground_truth": None},
        ],
    },
    OpenRLHFForm: {"query": ["a", "b"], "prompts": "p", "labels": ["", None], "more": [{"x": [1, "]"]}]},
    RemoteRMForm: {"prompt": [{"role": "user", "content": 'say "]"'}], "response": "x", "label": {"a": 1.5}},
    RunForm: {"method": "co-rewarding-i", "group_size": 4, "answer_formats": ["boxed", "final-answer"]},
    PrefetchForm: {
        "step": 3,
        "questions": [
            {"question_id": "q", "messages": [{"role": "user", "content": "c"}]},
            {"question_id": "r", "prompt": "p", "view": "original"},
        ],
    },
    UpdateForm: {"step": 1, "path": "p", "sha256": "0" * 64},
    UploadForm: {"step": 1, "files": [{"name": "model.safetensors", "size": 3, "sha256": "0" * 64}]},
    JobForm: {"questions": [{"question_id": "q", "question": "why"}], "columns": {"question": "text"}, "n": 2},
    ParaphrasesForm: {"questions": [{"question_id": "q", "question": "why"}], "prompts": ["rephrase"], "checks": None},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["q", "original"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["response", "q", 'a"\\']), inner),
    max_leaves=6,
)


READER = FormReader(Settings(max_text_chars=100_000))


def read(form: type[BaseModel], body: bytes, most: Most | None = None) -> BaseModel:
    """As the reader reads it."""
    return asyncio.run(READER.read(form, body, most))


def refused(form: type[BaseModel], body: bytes) -> Problem:
    """Why the reader does not take it."""
    with pytest.raises(Problem) as caught:
        read(form, body)
    return caught.value


def containers(value: Any) -> Iterator[Any]:
    """Every object and list of a document."""
    if isinstance(value, dict | list):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from containers(inner)


@st.composite
def changed(draw: st.DrawFn) -> tuple[type[BaseModel], bytes]:
    """A form, and a whole request of it that was changed in a place or two, as JSON with spaces anywhere."""
    form = draw(st.sampled_from(list(WHOLE)))
    document = copy.deepcopy(WHOLE[form])
    for _ in range(draw(st.integers(0, 2))):
        inside = draw(st.sampled_from(list(containers(document))))
        if isinstance(inside, list):
            inside.insert(draw(st.integers(0, len(inside))), draw(JSON))
            continue
        name = draw(st.sampled_from([*inside, "typo"]))
        if name in inside and draw(st.booleans()):
            del inside[name]
        else:
            inside[name] = draw(JSON)
    indent = draw(st.sampled_from([None, 0, 3]))
    return form, json.dumps(document, indent=indent, ensure_ascii=draw(st.booleans())).encode()


ALTERNATIVES = {"list[str]", "str", "int", "float", "list[nullable[str]]"}


def by_pydantic(form: type[BaseModel], body: bytes) -> BaseModel | set[str]:
    """What pydantic makes of a body, or the places of its faults; of a choice, the place without the alternative."""
    try:
        return form.model_validate_json(body)
    except ValidationError as error:
        return {place(tuple(part for part in each["loc"] if part not in ALTERNATIVES)) for each in error.errors()}


@given(changed())
@example(
    (
        ParaphrasesForm,
        b'{"questions": [{"question_id": "q", "question": "why"}], "prompts": ["rephrase"], "typo": null}',
    )
)
@example(
    (
        PrefetchForm,
        b'{"step": 3, "questions": [null, {"question_id": "q", "messages": [{"role": "user", "content": "c"}]}]}',
    )
)
def test_the_reader_takes_what_pydantic_takes_and_finds_the_same_faults(case: tuple[type[BaseModel], bytes]) -> None:
    form, body = case
    expected = by_pydantic(form, body)
    if isinstance(expected, BaseModel):
        assert repr(read(form, body)) == repr(expected)
        return
    problem = refused(form, body)
    told = {each["where"] for each in problem.errors}
    assert problem.status == 422
    # pydantic tells a fault within a choice once for each alternative, and of a list that it leaves too few entries.
    assert fields(told) == fields(expected)
    assert form in (OpenRLHFForm, RemoteRMForm) or told <= expected


def fields(places: set[str]) -> set[str]:
    """The fields of the form that places lie in."""
    return {re.split(r"[.[]", each)[0] for each in places}


@pytest.mark.parametrize(
    ("form", "wire"),
    [(RewardForm, RewardRequest), (OpenRLHFForm, OpenRLHFRequest), (RemoteRMForm, RemoteRMRequest)],
)
def test_what_the_fast_decoder_takes_the_reader_takes_alike(form: type[BaseModel], wire: type[msgspec.Struct]) -> None:
    known = {name: value for name, value in WHOLE[form].items() if name in form.model_fields}
    body, decoder = json.dumps(known).replace("1.0", "1").encode(), msgspec.json.Decoder(wire)
    slowly, fast = asyncio.run(READER.read_wire(decoder, form, body)), decoder.decode(body)
    for field in msgspec.structs.fields(wire):
        one, other = getattr(slowly, field.name), getattr(fast, field.name)
        assert bytes(one) == bytes(other) if isinstance(one, msgspec.Raw) else one == other


@pytest.mark.parametrize("label", [b"NaN", b"[1, -Infinity]", b'{"ground_truth": NaN}'])
def test_a_label_that_python_alone_can_write_is_refused(label: bytes) -> None:
    decoder = msgspec.json.Decoder(RemoteRMRequest)
    with pytest.raises(Problem) as caught:
        asyncio.run(READER.read_wire(decoder, RemoteRMForm, b'{"response": "x", "label": ' + label + b"}"))
    assert caught.value.status == 422
    assert caught.value.detail.startswith("label: NaN and Infinity are no JSON: send null or text")


HALF = b"\\ud"
"""How an escape of half a surrogate pair begins."""


@given(changed(), st.data())
def test_what_is_cut_or_damaged_is_no_json(case: tuple[type[BaseModel], bytes], data: st.DataObject) -> None:
    form, body = case
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    assert refused(form, cut).status in {400, 422}
    at = data.draw(st.integers(0, len(body)))
    damaged = body[:at] + data.draw(st.sampled_from([b"\x00", b"}", b"]", b'"', b"\\", b"\xed\xa0\x80"])) + body[at:]
    if isinstance(by_pydantic(form, damaged), BaseModel):
        with contextlib.suppress(Problem):  # a name that was damaged may stand for a field
            read(form, damaged)
    elif form.model_config.get("extra") == "forbid" or (damaged.isascii() and HALF not in damaged):
        # Texts in ignored fields are not read: neither their bytes, nor a pair of halves that was torn apart.
        assert refused(form, damaged).status in {400, 422}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "ends too soon (byte 0)"),
        (b'{"rollouts": [] "step": 1}', "a comma or } is missing (byte 16)"),
        (b'{"rollouts": [{]}', "a name is missing (byte 15)"),
        (b'{"rollouts": []} x', "something follows the document (byte 17)"),
        (b'{"step": 01}', "a value is missing (byte 9)"),
        (b'{"run": "a', "ends within a string"),
        (b'{"run": "a\\', "ends within a string"),
        (b'{"run": "\xff"}', "utf-8"),
    ],
)
def test_what_is_no_json_is_told_with_its_place(body: bytes, words: str) -> None:
    problem = refused(RewardForm, body)
    assert (problem.status, problem.kind) == (400, "not-json")
    assert words in problem.detail


def test_the_first_faults_are_told_of_however_many() -> None:
    problem = refused(RewardForm, b'{"rollouts": [' + b"1," * 20_000 + b"1]}")
    assert [each["where"] for each in problem.errors] == [f"rollouts[{n}]" for n in range(MAX_LISTED)]
    assert "rollouts[0]: Input should be an object (and at least 19 more)" in problem.detail
    few = refused(RewardForm, b'{"rollouts": [' + b'{"response": "x"},' * 30 + b"1, 2]}")
    assert [each["where"] for each in few.errors] == ["rollouts[30]", "rollouts[31]"]
    assert "(and 1 more). See /docs" in few.detail
    misspelt = refused(RewardForm, b'{"rollouts": [{"respones": "x"}]}')
    assert "rollouts[0].respones: unknown field; did you mean 'response'? (and 1 more). See /docs" in misspelt.detail
    alone = refused(RewardForm, b'{"rollouts": [], "methd": "entropy"}')
    assert alone.detail == "methd: unknown field; did you mean 'method'? See /docs for the form."
    assert refused(RewardForm, b'{"' + b"k" * 50_000 + b'": 1}').detail.startswith("k" * 99 + "…: unknown field")


def test_halves_of_characters_are_taken_as_replacement_characters() -> None:
    body = rb'{"rollouts": [{"response": "a\ud800b"}, {"response": "\ud83d\ude00"}], "run": "x"}'
    taken = read(RewardForm, body)
    assert isinstance(taken, RewardForm)
    assert [each.response for each in taken.rollouts] == ["a\N{REPLACEMENT CHARACTER}b", "\N{GRINNING FACE}"]
    asked = read(RemoteRMForm, rb'{"response": "\udc00", "prompt": {"\ud800": ["\ud800"]}}')
    assert isinstance(asked, RemoteRMForm)
    assert asked.response == "\N{REPLACEMENT CHARACTER}"
    assert asked.prompt == {"\N{REPLACEMENT CHARACTER}": ["\N{REPLACEMENT CHARACTER}"]}


@pytest.mark.parametrize("escape", [b"", rb"\"", rb"\\", rb"\\\\\""])
def test_strings_of_any_length_end_where_they_end(escape: bytes) -> None:
    text = (b"x" * 1000 + escape) * (2 * INLINE_BYTES // 1000) + escape
    taken = read(RemoteRMForm, b'{"prompt": ["' + text + b'", {}], "response": "' + text[:90_000] + b'" }')
    assert isinstance(taken, RemoteRMForm)
    assert taken.prompt == [json.loads(b'"' + text + b'"'), {}]


def test_more_than_may_be_sent_is_413() -> None:
    long = refused(RewardForm, b'{"rollouts": [{"response": "' + b"x" * 700_000 + b'"}]}')
    assert (long.status, long.kind) == (413, "text-too-long")
    assert "rollouts[0].response" in long.detail
    with pytest.raises(Problem) as many:
        read(OpenRLHFForm, b'{"query": ["a", "b", "c"]}', Most(2, "send two"))
    assert (many.value.status, many.value.kind) == (413, "too-many")
    assert many.value.detail == "query holds more than 2 entries: send two."
