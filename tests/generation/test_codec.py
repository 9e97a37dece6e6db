"""Prompts as tokens: templates, special tokens, and what is left out of a response."""

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from reward_service.generation.generator import GenerationError, Message, Prompt
from reward_service.generation.tokens import Codec, response_limit
from tests.generation.models import TEMPLATE, save_tokenizer

CHAT = Prompt(messages=(Message("system", "w1"), Message("user", "w2 w3")))
STRICT = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system message') }}{% endif %}"


def codec(folder: Path, template: str | None = None, *, adds_bos: bool = False) -> tuple[Codec, AutoTokenizer]:
    save_tokenizer(folder, template, adds_bos=adds_bos)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return Codec(tokenizer), tokenizer


def read(folder: Path, prompt: Prompt, thinking: bool | None = None, **made: object) -> str:
    """What the model reads, as text."""
    coded, tokenizer = codec(folder, **made)
    return tokenizer.decode(coded.encode(prompt, thinking))


def test_messages_go_through_the_template(tmp_path: Path) -> None:
    assert read(tmp_path, CHAT, template=TEMPLATE) == "<s> <|system|> w1 <|user|> w2 w3 <|assistant|> <|thinks|>"


@pytest.mark.parametrize(("thinking", "ends"), [(True, "<|thinks|>"), (False, "<|assistant|>")])
def test_a_template_that_knows_of_thinking_is_told(tmp_path: Path, thinking: bool, ends: str) -> None:
    assert read(tmp_path, CHAT, thinking, template=TEMPLATE).endswith(ends)


def test_without_a_template_messages_stand_one_after_the_other(tmp_path: Path) -> None:
    assert read(tmp_path, CHAT, thinking=False) == "w1 w2 w3"


def test_the_first_special_token_is_there_once(tmp_path: Path) -> None:
    for folder, prompt, template in (
        ("text", Prompt("w1"), None),
        ("templated text", Prompt("<s> w1"), None),
        ("template", CHAT, TEMPLATE),
    ):
        assert read(tmp_path / folder, prompt, template=template, adds_bos=True).split().count("<s>") == 1


def test_messages_that_the_template_refuses_are_an_error(tmp_path: Path) -> None:
    coded, _ = codec(tmp_path, STRICT)
    with pytest.raises(GenerationError, match="no system message"):
        coded.encode(CHAT)


def test_special_tokens_are_dropped_wherever_they_stand(tmp_path: Path) -> None:
    coded, tokenizer = codec(tmp_path)
    assert coded.decode(tokenizer.convert_tokens_to_ids(["w1", "<pad>", "w2", "</s>"])) == "w1 w2"


@pytest.mark.parametrize(("prompt", "asked", "context", "given"), [(5, 9, None, 9), (5, 9, 20, 9), (15, 9, 20, 5)])
def test_a_response_has_the_room_that_is_left(prompt: int, asked: int, context: int | None, given: int) -> None:
    assert response_limit(prompt, asked, context) == given


def test_a_prompt_that_leaves_no_room_is_an_error() -> None:
    with pytest.raises(GenerationError, match="20 tokens and the model reads 20"):
        response_limit(20, 1, 20)
