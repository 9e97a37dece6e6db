# pyright: basic, reportMissingImports=false
"""Let verl train on a CPU, for a first try on a laptop: verl's own trainer, and a slow engine that samples.

verl 0.9.1 knows graphics cards and NPUs only. What it lacks is registered here by its own means: a platform, the FSDP
engine on this platform, and a rollout server, which samples from transformers. VERL_USE_EXTERNAL_MODULES names this
module, and VERL_PLATFORM=cpu.
"""

import contextlib
from functools import partial
from types import ModuleType
from typing import Any

import ray
import torch
from verl.plugin.platform.platform_base import PlatformBase
from verl.plugin.platform.platform_manager import PlatformRegistry

SERVER = "co-rewarding/cpu-server-"


class _NoDevice(ModuleType):
    """What verl asks of `torch.cuda`: there is no memory to count, and nothing to wait for."""

    def is_available(self) -> bool:
        return False

    def mem_get_info(self) -> tuple[int, int]:
        return 0, 0

    def get_device_name(self) -> str:
        return "CPU"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **named: 0


@PlatformRegistry.register(platform="cpu")
class PlatformCPU(PlatformBase):
    """A platform without a device: tensors stay where they are, and gloo carries them."""

    device_name = "cpu"
    vendor_name = "cpu"
    device_module = _NoDevice("no_device")

    def is_available(self) -> bool:
        return True

    def is_platform_available(self, use_smi_check: bool = False) -> bool:
        return True

    def current_device(self) -> Any:
        return "cpu"

    def device_count(self) -> int:
        return 1

    def set_device(self, device_index: int) -> None:
        return

    def synchronize(self, device_index: int | None = None) -> None:
        return

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    def manual_seed_all(self, seed: int) -> None:
        torch.manual_seed(seed)

    def set_allocator_settings(self, settings: str) -> None:
        return

    def empty_cache(self) -> None:
        return

    def get_device_capability(self, device_index: int = 0) -> tuple[None, None]:
        return None, None

    def communication_backend_name(self) -> str:
        return "gloo"

    def visible_devices_envvar(self) -> str:
        return "CUDA_VISIBLE_DEVICES"

    def nvtx_range(self, msg: str) -> Any:
        return contextlib.nullcontext()

    def profiler_start(self) -> None:
        return

    def profiler_stop(self) -> None:
        return

    def ray_resource_name(self) -> str:
        return "GPU"  # verl counts these; Ray is told that there is one

    def ray_noset_envvars(self) -> list[str]:
        return []

    def ray_resource_options(self, num_gpus: float) -> dict[str, Any]:
        return {"num_gpus": num_gpus}

    def is_ipc_supported(self) -> bool:
        return False

    def cudart(self) -> Any:
        return None


def _replica() -> Any:
    from verl.workers.rollout.replica import RolloutReplica, TokenOutput

    # Ray carries classes of a function by value: a process that imported this module first would import verl too early.
    class SlowServer:
        """Samples from a model of transformers, one request after the other."""

        def __init__(self, path: str, response_length: int) -> None:
            from transformers import AutoModelForCausalLM, AutoTokenizer

            self._model = AutoModelForCausalLM.from_pretrained(path)
            self._end = AutoTokenizer.from_pretrained(path).eos_token_id
            self._length = response_length
            self._version: int | None = None

        async def update(self, weights: dict[str, Any], version: int) -> None:
            self._model.load_state_dict(weights)
            self._version = version

        async def generate(self, prompt_ids: list[int], sampling_params: dict[str, Any], **_: Any) -> Any:
            temperature = float(sampling_params["temperature"])
            ids, chances = list(prompt_ids), []
            while len(chances) < self._length and (not chances or ids[-1] != self._end):
                with torch.no_grad():
                    logits = self._model(torch.tensor([ids])).logits[0, -1]
                chance = torch.log_softmax(logits / (temperature or 1.0), -1)
                ids.append(int(torch.multinomial(chance.exp(), 1) if temperature else chance.argmax()))
                chances.append(float(chance[ids[-1]]))
            steps = {"global_steps": self._version}
            return TokenOutput(token_ids=ids[len(prompt_ids) :], log_probs=chances, num_preempted=0, extra_fields=steps)

        async def sleep(self) -> None:
            return

        async def wake_up(self) -> None:
            return

    class SlowReplica(RolloutReplica):
        async def launch_servers(self) -> None:
            name = f"{SERVER}{self.replica_rank}"
            server = ray.remote(num_cpus=0)(SlowServer).options(name=name)
            self._server_handle = server.remote(self.model_config.path, self.config.response_length)
            self._server_address = name
            self.servers = [self._server_handle]

    return SlowReplica


def _adapter() -> Any:
    from verl.workers.rollout.base import BaseRollout

    class SlowRollout(BaseRollout):
        async def resume(self, tags: list[str]) -> None:
            return

        async def release(self) -> None:
            return

        async def update_weights(self, weights: Any, wire_format: str = "named_tensors", **named: Any) -> None:
            copied = {name: tensor.detach().cpu().clone() for name, tensor in weights}
            await ray.get_actor(f"{SERVER}0").update.remote(copied, named["global_steps"])

    return SlowRollout


def __getattr__(name: str) -> Any:
    if name == "SlowRollout":
        return _adapter()
    raise AttributeError(name)


def _register() -> None:
    from verl.utils import distributed
    from verl.workers.rollout import base, replica

    # Before its users import it. Left alone, it asks for one backend for the CPU and another one for the device.
    distributed.initialize_global_process_group_ray = partial(
        distributed.initialize_global_process_group_ray, backend="gloo"
    )
    replica.RolloutReplicaRegistry.register("slow", _replica)
    base._ROLLOUT_REGISTRY[("slow", "async")] = f"{__name__}.SlowRollout"


_register()
