"""The configuration of `co-rewarding ray up`: the sample is one, and what cannot be is told with its place."""

from pathlib import Path

import pytest

from reward_service.errors import SettingsError
from reward_service.on_ray.config import RayConfig, read_config

ROOT = Path(__file__).parents[2]
STORE = '[store]\ndata_dir = "/data"\n'


def read(folder: Path, text: str) -> RayConfig:
    file = folder / "service.toml"
    file.write_text(text)
    return read_config(file)


def test_the_sample_is_a_configuration():
    sample = ROOT / "deploy/ray/service.toml"
    config = read_config(sample)
    assert config.settings().access().grants == {}
    assert (config.workers.least, config.workers.most) == (2, 8)


def test_the_samples_comments_are_a_configuration_too(tmp_path: Path):
    lines = (ROOT / "deploy/ray/service.toml").read_text().splitlines()
    config = read(tmp_path, "\n".join(line.removeprefix("# ") for line in lines[1:]))
    assert config.teacher is not None
    assert config.teacher.engine_given == {"tensor_parallel_size": 2}
    assert config.teacher.reserved == {"CPU": 1.0, "GPU": 2.0}
    assert config.api.nodes == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "store: Field required"),
        ("[store]\n", "store: .*either redis_url, or data_dir"),
        ('[store]\ndata_dir = "data"\n', "whole path"),
        ('[store]\ndata_dir = "/data"\nredis_url = "redis://h:1"\n', "either redis_url, or data_dir"),
        (f"{STORE}[workers]\nleast = 3\nmost = 2\n", "workers: .*least, 3, is more than most, 2"),
        (f"{STORE}[workers]\ngrow_at_s = 0.1\n", "workers: .*shrink_at_s is to be below grow_at_s"),
        (f"{STORE}[worker]\nleast = 1\n", "worker: Extra inputs"),
        (f"{STORE}[service]\nport = 1\n", r"\[service\] port is not set there: \[api\] port"),
        (f"{STORE}[service]\nteacher = 'm'\n", r"\[service\] teacher is not set there: \[teacher\] model"),
        (f"{STORE}[service]\nretention = 1\n", r"\[service\] retention is no setting"),
        (f"{STORE}[teacher]\nmodel = 'm'\n", "weights_root and teacher_dir"),
        (f"name = 'A B'\n{STORE}", "name: "),
        ("[store", "is not TOML"),
    ],
)
def test_what_cannot_be_is_told_with_its_place(tmp_path: Path, text: str, told: str):
    with pytest.raises(SettingsError, match=told) as caught:
        read(tmp_path, text)
    assert "service.toml" in str(caught.value)


def test_a_setting_that_cannot_be_is_told(tmp_path: Path):
    with pytest.raises(SettingsError, match="retention_s"):
        read(tmp_path, f"{STORE}[service]\nretention_s = -1\n").settings()


def test_a_password_comes_from_a_file(tmp_path: Path):
    (tmp_path / "password").write_text("a/b\n")
    config = read(tmp_path, f'[store]\nredis_url = "redis://h:1"\nredis_password_file = "{tmp_path}/password"\n')
    assert config.settings().redis_url == "redis://:a%2Fb@h:1"
