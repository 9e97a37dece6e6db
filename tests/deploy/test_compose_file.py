"""What docker-compose is told of each part; `make e2e-compose` starts them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

PARTS: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parents[2] / "docker-compose.yml").read_text())[
    "services"
]


@pytest.mark.parametrize("name", PARTS)
def test_who_serves_has_a_health_check_and_a_client_not_that_of_its_image(name: str) -> None:
    part = PARTS[name]
    if name == "setup":  # it ends, and its image has none
        assert "healthcheck" not in part
    elif part.get("entrypoint", [""])[0] == "with-key":
        assert part["healthcheck"] == {"disable": True}
    else:
        assert part["healthcheck"]["test"][0] == "CMD"
