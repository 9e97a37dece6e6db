"""OpenRLHF 0.11.2 on a machine without a GPU: what it takes for granted of CUDA, given to it when it is imported.

Nothing of how it samples, rewards, learns or sends weights is changed, but for the wire of the weights (gloo in
place of NCCL). OPENRLHF_ON_CPU_NO_SYNC=1 has vLLM throw the new weights away: a test that looks at the difference
between what was sampled from and what was trained must see it.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType, SimpleNamespace
from typing import Any

WORLD = {"num_gpus": 6, "num_cpus": 8, "include_dashboard": False, "object_store_memory": 300 * 2**20}
WIRE_TIMEOUT_S = 300

Change = Callable[[ModuleType], None]


def install() -> None:
    """Has the changes made as their modules are imported, in this process."""
    sys.meta_path.insert(0, Finder())


class Finder(MetaPathFinder):
    """Finds the modules that are to be changed, and no others."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if name not in CHANGES:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = Changing(spec.loader)
        return spec


class Changing(Loader):
    """Another loader, whose module is changed as soon as it is there."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # transformers asks for flash-attn by name and would believe what it finds: it may be seen by one module only.
        with flash_attention_in_sight() if module.__name__ == FLASH_USER else contextlib.nullcontext():
            self._loader.exec_module(module)
        CHANGES[module.__name__](module)


FLASH_USER = "openrlhf.models.ring_attn_utils"


@contextlib.contextmanager
def flash_attention_in_sight() -> Iterator[None]:
    """flash-attn can be imported from, while the context lasts; it is called for packed sequences only."""
    names = {
        "flash_attn": (),
        "flash_attn.bert_padding": ("index_first_axis", "pad_input", "rearrange", "unpad_input"),
        "flash_attn.utils": (),
        "flash_attn.utils.distributed": ("all_gather",),
    }
    for name, functions in names.items():
        module = ModuleType(name)
        for function in functions:
            setattr(module, function, None)
        sys.modules[name] = module
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


class CurrentDevice(str):
    """The CPU where a device is asked for, and 0 in `cuda:{...}`, which is never touched."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return "0"


def no_cuda(cuda: Any) -> None:
    """What is asked of CUDA without need."""

    def nothing() -> Callable[..., None]:
        return lambda *_arguments, **_options: None

    cuda.current_device = lambda: CurrentDevice("cpu")
    for name in ("set_device", "empty_cache", "synchronize"):
        setattr(cuda, name, nothing())  # each its own: torch's compiler lists them by identity
    cuda.current_stream = lambda *_: SimpleNamespace(cuda_stream=0, synchronize=nothing())


def mesh_of_cpus(device_mesh: Any) -> None:
    """DeepSpeed's mesh of devices."""
    make = device_mesh.init_device_mesh
    device_mesh.init_device_mesh = lambda kind, *rest, **options: make(
        "cpu" if kind == "cuda" else kind, *rest, **options
    )


def plain_adam(deepspeed_utils: Any) -> None:
    """torch's AdamW: DeepSpeed's own would be compiled."""
    make = deepspeed_utils.get_train_ds_config

    def config(*arguments: Any, **options: Any) -> Any:
        made = make(*arguments, **options)
        if made.get("optimizer"):
            made["optimizer"]["params"]["torch_adam"] = True
        return made

    deepspeed_utils.get_train_ds_config = config


class GlooWire:
    """From the trainer's rank 0 to the engines: broadcast as PyNccl has it, byte by byte over gloo."""

    def __init__(self, host: str, port: int, rank: int, world_size: int) -> None:
        from datetime import timedelta

        from torch import distributed

        timeout = timedelta(seconds=WIRE_TIMEOUT_S)
        store = distributed.TCPStore(host, port, world_size, rank == 0, timeout=timeout)
        prefixed = distributed.PrefixStore("weights", store)
        self._group = distributed.ProcessGroupGloo(prefixed, rank, world_size, timeout)
        self._store = store

    def broadcast(self, tensor: Any, src: int = 0, stream: object = None) -> None:
        import torch
        from torch import distributed

        options = distributed.BroadcastOptions()
        options.rootRank, options.rootTensor = src, 0
        whole = tensor.detach().contiguous()
        self._group.broadcast([whole.view(-1).view(torch.uint8)], options).wait()
        if whole.data_ptr() != tensor.data_ptr():
            tensor.data.copy_(whole)


def gloo(distributed_util: Any) -> None:
    """The wire of the weights."""
    distributed_util.stateless_init_process_group = lambda host, port, rank, size, _device: GlooWire(
        host, port, rank, size
    )


def whole_reloads(vllm_worker_wrap: Any) -> None:
    """On a CPU vLLM keeps weights in a form that one tensor cannot be loaded into: they are gathered, then reloaded."""

    def update_weight(self: Any, name: str, dtype: Any, shape: Any, empty_cache: bool = False) -> None:
        import torch

        tensor = torch.empty(shape, dtype=dtype, device="cpu")
        self._model_update_group.broadcast(tensor, src=0)
        gathered = self.__dict__.setdefault("_gathered_weights", [])
        gathered.append((name, tensor))
        if empty_cache:  # OpenRLHF says so with the last one
            if os.environ.get("OPENRLHF_ON_CPU_NO_SYNC") != "1":
                self.reload_weights(weights_iterator=iter(list(gathered)))
            gathered.clear()

    vllm_worker_wrap.WorkerWrap.update_weight = update_weight


def small_world(ray: Any) -> None:
    """A cluster that believes in GPUs: for two actors, two references and two engines. One that is joined has its."""
    init = ray.init
    world = {} if os.environ.get("RAY_ADDRESS") else WORLD
    ray.init = lambda *arguments, **options: init(*arguments, **(world | options))


CHANGES: dict[str, Change] = {
    "torch.cuda": no_cuda,
    "torch.distributed.device_mesh": mesh_of_cpus,
    FLASH_USER: lambda _module: None,
    "openrlhf.utils.deepspeed.deepspeed_utils": plain_adam,
    "openrlhf.utils.distributed_util": gloo,
    "openrlhf.trainer.ray.vllm_worker_wrap": whole_reloads,
    "ray": small_world,
}
