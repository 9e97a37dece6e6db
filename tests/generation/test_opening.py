"""From a model's name to its generator: the right backend, and what to do where there is none."""

import asyncio
import subprocess
import sys
from typing import Any

import pytest

from reward_service.errors import SettingsError
from reward_service.generation.generator import Generator, GeneratorUnavailableError, Prompt, Sampling
from reward_service.generation.openai_backend import OpenAIGenerator
from reward_service.generation.opening import check_version, open_generator
from reward_service.generation.transformers_backend import TransformersGenerator
from tests.generation.test_contract import CHECKPOINT

HERE = str(CHECKPOINT)


def opened(model: str, **options: Any) -> Generator:
    """What is opened, closed again."""

    async def open_and_close() -> Generator:
        async with open_generator(model, **options) as generator:
            return generator

    return asyncio.run(open_and_close())


@pytest.mark.parametrize("backend", ["auto", "transformers"])
def test_a_folder_is_run_in_this_process(backend: str) -> None:
    generator = opened(HERE, backend=backend, capacity=5)
    assert isinstance(generator, TransformersGenerator)
    assert (generator.name, generator.capacity) == (HERE, 5)


def test_an_endpoint_is_named_by_its_address_and_model() -> None:
    generator = opened("openai:https://host:1/v1#org/model", capacity=3, api_key="secret")
    assert isinstance(generator, OpenAIGenerator)
    assert (generator.name, generator.capacity) == ("org/model", 3)


def test_a_generator_is_closed_with_its_context() -> None:
    generator = opened(HERE)
    with pytest.raises(GeneratorUnavailableError, match="was closed"):
        asyncio.run(generator.generate(Prompt("compute"), Sampling()))


@pytest.mark.parametrize(
    ("model", "options", "told"),
    [
        ("openai:host:1#model", {}, "is not openai:URL#MODEL"),
        ("vllm-server:http://host:1", {}, "is not vllm-server:URL#MODEL"),
        ("http://host:1/v1", {}, "is a URL: write openai:URL#MODEL, or vllm-server:URL#MODEL"),
        ("openai:http://host:1/v1#model", {"backend": "vllm"}, "run by its server"),
        (HERE, {"backend": "tensorrt"}, "choose from auto, transformers, vllm"),
        (HERE, {"backend": "transformers", "more": {"dtype": "float32"}}, "takes no engine arguments: dtype"),
    ],
)
def test_what_cannot_be_opened_is_said_to_be_so(model: str, options: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        opened(model, **options)


def test_a_server_that_is_not_there_is_away() -> None:
    with pytest.raises(GeneratorUnavailableError, match="/v1/models"):
        opened("vllm-server:http://127.0.0.1:9#model")


@pytest.mark.parametrize(
    ("backend", "without", "extra"), [("transformers", "transformers", "local"), ("vllm", "vllm", "vllm")]
)
def test_a_library_that_is_missing_is_named_with_its_extra(backend: str, without: str, extra: str) -> None:
    program = f"""
import asyncio, sys
sys.modules["{without}"] = None  # it cannot be imported
from reward_service.errors import SettingsError
from reward_service.generation.opening import open_generator

async def main():
    async with open_generator({HERE!r}, backend="{backend}"):
        pass

try:
    asyncio.run(main())
except SettingsError as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert f"needs {without}" in said
    assert f"pip install '.[{extra}]' in a clone" in said
    assert f"pip install 'co-rewarding[{extra}]' where an index has it" in said


def test_nothing_heavy_is_imported_before_a_backend_is_chosen() -> None:
    heavy = {"torch", "transformers", "vllm", "httpx", "safetensors"}
    program = f"import reward_service.generation.opening, sys; print(sorted({heavy} & sys.modules.keys()))"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"


@pytest.mark.parametrize("version", ["0.31.2", "0.33.0", "1.0"])
def test_another_vllm_than_the_tested_one_is_refused_with_what_to_do(version: str) -> None:
    check_version("0.32.0+cpu")
    with pytest.raises(SettingsError, match=r"pip install 'vllm==0\.32\.\*', or run `vllm serve`"):
        check_version(version)
