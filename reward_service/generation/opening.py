"""Open the generator that a model's name asks for; the backend's libraries are imported only then."""

import asyncio
import contextlib
import importlib.util
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from reward_service.errors import Needing, SettingsError
from reward_service.generation.generator import OPENAI, VLLM_SERVER, Backend, Generator

TESTED_VLLM = "0.32"
"""Its engine's interface is not a public one: swapping weights with another may leave old ones in use, silently."""


def check_version(version: str) -> None:
    """Check that the release of vLLM is one of the tested series.

    Raises:
        SettingsError: for another.
    """
    if version.split(".")[:2] != TESTED_VLLM.split("."):
        raise SettingsError(
            f"vLLM {version} is installed, and this backend was tested with {TESTED_VLLM}: "
            f"pip install 'vllm=={TESTED_VLLM}.*', or run `vllm serve` and name it as vllm-server:URL#MODEL"
        )


@contextlib.asynccontextmanager
async def open_generator(
    model: str,
    *,
    backend: str = Backend.AUTO,
    capacity: int | None = None,
    keep_special_tokens: bool = False,
    api_key: str | None = None,
    threads: int | None = None,
    timeout_s: float = 600.0,
    patience_s: float = 60.0,
    more: Mapping[str, Any] | None = None,
) -> AsyncIterator[Generator]:
    """Open a generator, and close it with the context.

    `model` is one of

    - a folder, or a name on the Hugging Face hub, which `backend` runs in this process;
    - openai:URL#MODEL, a model behind an OpenAI-compatible endpoint, whose weights are fixed;
    - vllm-server:URL#MODEL, a model of `vllm serve`, whose weights can be swapped.

    `capacity` is how many prompts may usefully be under way (None: the backend's own idea). For a model in this
    process, `keep_special_tokens` leaves tokens such as <|im_end|> in the responses, and `threads` is how many a model
    of transformers computes with on a CPU (None: all cores). For one behind a URL, `api_key`, `timeout_s` of a request
    and `patience_s` between its tries. `more` are arguments for vLLM's engine
    (gpu_memory_utilization, tensor_parallel_size) or fields sent with every request to a URL.

    Raises:
        SettingsError: there is no such model or backend, or an extra has to be installed: the message names it.
        GeneratorUnavailableError: the server at the URL is away.
    """
    common: dict[str, Any] = {} if capacity is None else {"capacity": capacity}
    if model.startswith(("http://", "https://")):
        raise SettingsError(f"{model} is a URL: write {OPENAI}URL#MODEL, or {VLLM_SERVER}URL#MODEL for `vllm serve`")
    if model.startswith((OPENAI, VLLM_SERVER)):
        common |= {"api_key": api_key, "timeout_s": timeout_s, "patience_s": patience_s, "more": more or {}}
        generator = await _remote(model, backend, common)
    else:
        common |= {"keep_special_tokens": keep_special_tokens}
        generator = await _here(model, backend, common, more, threads)
    try:
        yield generator
    finally:
        await generator.close()


async def _remote(model: str, backend: str, options: Mapping[str, Any]) -> Generator:
    if backend != Backend.AUTO:
        raise SettingsError(f"{model} is run by its server: backend {backend} is for models in this process")
    kind, _, rest = model.partition(":")
    url, _, name = rest.partition("#")
    if not url.startswith(("http://", "https://")) or not name or not _names_host(url):
        raise SettingsError(f"{model!r} is not {kind}:URL#MODEL, such as {kind}:http://127.0.0.1:8001/v1#my-model")
    if options["api_key"] is not None and not re.fullmatch("[!-~]+", options["api_key"]):
        raise SettingsError(f"the key of {model} has blanks, line ends or letters that no header can carry")
    from reward_service.generation.openai_backend import Endpoint, OpenAIGenerator

    endpoint = Endpoint(base_url=url.rstrip("/"), model=name, **options)
    if f"{kind}:" == OPENAI:
        return OpenAIGenerator(endpoint)
    with Needing(model, "server"):
        from reward_service.generation.vllm_server_backend import VllmServerGenerator
    return await VllmServerGenerator.open(endpoint)


def _names_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0  # the port is read when it is asked for
    except ValueError:
        return False


async def _here(
    model: str, backend: str, options: Mapping[str, Any], engine: Mapping[str, Any] | None, threads: int | None
) -> Generator:
    try:
        chosen = Backend(backend)
    except ValueError as error:
        raise SettingsError(f"there is no backend {backend}: choose from {', '.join(Backend)}") from error
    if chosen is Backend.AUTO:
        chosen = await asyncio.to_thread(_suited)
    if chosen is Backend.VLLM:
        with Needing(model, "vllm"):
            from reward_service.generation.vllm_backend import VllmGenerator
        return await VllmGenerator.open(model, engine=engine, **options)
    if engine:
        raise SettingsError(f"the transformers backend takes no engine arguments: {', '.join(engine)}")
    with Needing(model, "local"):
        from reward_service.generation.transformers_backend import TransformersGenerator
    return await TransformersGenerator.open(model, threads=threads, **options)


def _suited() -> Backend:
    """Return vLLM where it can use a GPU, else transformers."""
    if importlib.util.find_spec("vllm") is None:
        return Backend.TRANSFORMERS
    import torch

    return Backend.VLLM if torch.cuda.is_available() else Backend.TRANSFORMERS
