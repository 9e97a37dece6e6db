"""Lay out the figures of `benchmarks.gpu_check` as one page of Markdown."""

from collections.abc import Mapping
from typing import Any

UNITS = {"_gb_s": "GB/s", "_per_s": "a second", "_gb": "GB", "_s": "s"}
"""By the end of a figure's name; the longest end that fits is the unit."""


def page(found: Mapping[str, Any]) -> str:
    """Return the page: the machine, and a table for each stage, or the error that ended the stage."""
    machine, size = found["machine"], found["size"]
    where = machine.get("gpu", "no GPU: the figures are of the CPU, and say only that everything runs")
    about = ", ".join(f"{name} {value}" for name, value in machine.items() if name != "gpu" and value is not None)
    lines = ["# GPU check", "", f"{where}. {about}. Size `{size['name']}`.", ""]
    for name, stage in found["stages"].items():
        lines += [f"## {name}: {'ok' if stage['ok'] else 'FAILED'}", ""]
        if not stage["ok"]:
            lines += ["```", stage["error"].rstrip(), "```", ""]
            continue
        lines += ["| figure | value | |", "|---|---|---|"]
        lines += [_row(key, value) for key, value in stage.items() if key != "ok"]
        lines.append("")
    return "\n".join(lines)


def _row(key: str, value: object) -> str:
    if isinstance(value, bool):
        return f"| {key.replace('_', ' ')} | {'yes' if value else 'NO'} | |"
    end = next((end for end in UNITS if key.endswith(end)), "")
    shown = f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
    return f"| {key.removesuffix(end).replace('_', ' ')} | {shown} | {UNITS.get(end, '')} |"
