"""OpenRLHF's own argument parser, from the source that is installed, without what it imports to get there."""

import argparse
import ast
import importlib.util
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest


def parser() -> argparse.ArgumentParser:
    """The parser that train_ppo_ray makes: the beginning of its main block, up to where it parses."""
    spec = importlib.util.find_spec("openrlhf")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip("OpenRLHF is not installed: make test does that")
    tree = ast.parse((Path(next(iter(spec.submodule_search_locations))) / "cli" / "train_ppo_ray.py").read_text())
    main = next(node for node in tree.body if isinstance(node, ast.If))
    ends = next(n for n, node in enumerate(main.body) if "parse_args" in ast.unparse(node))
    names: dict[str, Any] = {"argparse": argparse, "datetime": datetime}
    exec(compile(ast.Module(main.body[:ends], []), "train_ppo_ray", "exec"), names)
    return names["parser"]
