"""The Helm chart as tests read it: its files, what helm makes of them, and the schemas of what it makes."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm"
TOOLS = ROOT / "runs" / "helm"
"""What `scripts/fetch-helm` fetches."""

VALUE_SETS = sorted((CHART / "ci").glob("*.yaml"))
RELEASE, NAMESPACE = "rl", "training"
Object = dict[str, Any]


class HelmError(Exception):
    """helm has refused; what it said."""


def called(*words: str) -> str:
    """What helm prints.

    Raises:
        HelmError: it failed.
    """
    done = subprocess.run([TOOLS / "helm", *words], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise HelmError(done.stdout + done.stderr)
    return done.stdout


@dataclass(frozen=True)
class Rendered:
    """The objects of a release."""

    objects: tuple[Object, ...]

    def of(self, kind: str) -> dict[str, Object]:
        """Those of a kind, by the part that they belong to."""
        found = [each for each in self.objects if each["kind"] == kind]
        by_part = {each["metadata"]["labels"]["app.kubernetes.io/component"]: each for each in found}
        assert len(by_part) == len(found), kind
        return by_part

    @cached_property
    def pods(self) -> dict[str, Object]:
        """The templates of pods, by part: metadata and spec."""
        return {part: each["spec"]["template"] for part, each in self.controllers.items()}

    @cached_property
    def controllers(self) -> dict[str, Object]:
        """What makes pods, by part."""
        return self.of("Deployment") | self.of("StatefulSet")

    def claims(self, part: str) -> list[Object]:
        """The claims that are made for each pod of a part."""
        return self.controllers[part]["spec"].get("volumeClaimTemplates", [])

    def container(self, part: str) -> Object:
        """The container of a part."""
        (found,) = self.pods[part]["spec"]["containers"]
        return found

    def selected(self, labels: Mapping[str, str]) -> list[str]:
        """The parts whose pods have these labels."""
        return [part for part, pod in self.pods.items() if labels.items() <= pod["metadata"]["labels"].items()]

    def variables(self, part: str) -> dict[str, str]:
        """The environment of a part's container, apart from what comes of other secrets."""
        own = {each["name"]: each["value"] for each in self.container(part)["env"] if "value" in each}
        return self.of("ConfigMap")["settings"]["data"] | own


def render(*values: Path, **given: object) -> Rendered:
    """What helm makes of the chart with these files of values; `given` are single ones, `__` for a dot.

    Raises:
        HelmError: helm or the chart refuse them.
    """
    words = [word for file in values for word in ("--values", str(file))]
    words += [word for name, value in given.items() for word in ("--set", f"{name.replace('__', '.')}={value}")]
    made = called("template", RELEASE, str(CHART), "--namespace", NAMESPACE, *words)
    return Rendered(tuple(each for each in yaml.safe_load_all(made) if each))


class Schemas:
    """The schemas of objects of a version of Kubernetes, KEDA's and the Prometheus operator's included."""

    def __init__(self, version: str) -> None:
        self._kubernetes = json.loads((TOOLS / f"kubernetes-{version}.json").read_text())
        self._custom = json.loads((TOOLS / "custom.json").read_text())
        self._of_kind = {
            f"{group}{each['version']}/{each['kind']}": name
            for name, definition in self._kubernetes["$defs"].items()
            for each in definition.get("x-kubernetes-group-version-kind", ())
            for group in [f"{each['group']}/" if each["group"] else ""]
        }
        self._validators: dict[str, jsonschema_rs.Validator] = {}

    def errors(self, found: Object) -> Iterator[str]:
        """What is wrong with an object."""
        kind = f"{found['apiVersion']}/{found['kind']}"
        if kind not in self._validators:
            self._validators[kind] = jsonschema_rs.validator_for(self._schema(kind))
        for error in self._validators[kind].iter_errors(found):
            yield f"{found['kind']} {found['metadata']['name']}: {error.message} at {error.instance_path}"

    def _schema(self, kind: str) -> Object:
        if kind in self._custom:
            return self._custom[kind]
        return {"$defs": self._kubernetes["$defs"], "$ref": f"#/$defs/{self._of_kind[kind]}"}
