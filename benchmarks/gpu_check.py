"""Check the project on a machine with a GPU: `scripts/gpu-check [--size small|full] [--folder FOLDER]`.

Nothing but torch, transformers (with tokenizers and safetensors) and numpy need be installed, and nothing is fetched:
models have random weights. Each stage ends by itself, so that one that fails costs no other its figures.

    bus        GB/s between host and device, from pinned and from pageable memory, and within the device
    teacher    the service's transformers backend in bfloat16: labels and tokens a second, and new weights
    average    the teacher's average: of a folder on the CPU (needs numba), and of weights on the device through pinned
               buffers, with copies and arithmetic one after the other and at the same time
    trainer    the laptop trainer's steps with a policy of 100 M parameters: sample, vote, learn

Writes FOLDER/gpu-check.json and FOLDER/gpu-check.md. The exit code is 1 when a stage has failed. Without a GPU it runs
on the CPU, in the small size, and says so.
"""

import argparse
import gc
import json
import os
import platform
import sys
import time
import traceback
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging as transformers_logging

from benchmarks.gpu_report import page
from benchmarks.gpu_stages import SIZES, STAGES

PACKAGES = ("torch", "transformers", "tokenizers", "safetensors", "numpy", "numba")


def device_of_this_machine() -> torch.device:
    """Return the first GPU, or the CPU where there is none."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def machine(device: torch.device) -> dict[str, Any]:
    """Return what the figures were measured on."""
    found: dict[str, Any] = {"python": platform.python_version(), "cpus": os.cpu_count(), "device": str(device)}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    if device.type == "cuda":
        about = torch.cuda.get_device_properties(device)
        found |= {"gpu": about.name, "memory_gb": about.total_memory / 1e9, "cuda": torch.version.cuda}
    return found


def checked(device: torch.device, size: str, folder: Path) -> dict[str, Any]:
    """Run every stage; one that fails leaves its traceback in place of figures.

    The files are written after each stage: a process that is killed leaves what was found before.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {"machine": machine(device), "size": {"name": size, **asdict(SIZES[size])}, "stages": {}}
    for name, stage in STAGES.items():
        print(f"{name} ...", file=sys.stderr, flush=True)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        began_s = time.perf_counter()
        try:
            figures = {"ok": True, **stage(device, SIZES[size])}
        except Exception:
            figures = {"ok": False, "error": traceback.format_exc()}
        if device.type == "cuda":
            figures["peak_gpu_memory_gb"] = torch.cuda.max_memory_allocated(device) / 1e9
        found["stages"][name] = figures | {"took_s": time.perf_counter() - began_s}
        (folder / "gpu-check.json").write_text(json.dumps(found, indent=2) + "\n")
        (folder / "gpu-check.md").write_text(page(found))
        gc.collect()  # what a stage that has failed still holds
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return found


def main() -> int:
    """Check, write both files, and show the page."""
    parser = argparse.ArgumentParser(prog="scripts/gpu-check", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", choices=SIZES, help="default: full on a GPU, small on a CPU")
    parser.add_argument("--folder", type=Path, default=Path("runs/gpu-check"), help="default: runs/gpu-check")
    options = parser.parse_args()
    transformers_logging.disable_progress_bar()
    device = device_of_this_machine()
    found = checked(device, options.size or ("full" if device.type == "cuda" else "small"), options.folder)
    print(page(found))
    return 0 if all(stage["ok"] for stage in found["stages"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
