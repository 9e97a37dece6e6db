"""Read the options of `co-rewarding status`, ask the service, and print what it says of itself."""

import httpx
import typer
from co_rewarding_client import RewardClient, address
from co_rewarding_schema.errors import CoRewardingError
from rich.console import Console

from reward_service.tools.run_options import LOCAL, ApiKey, Url
from reward_service.tools.status.drawing import picture
from reward_service.tools.status.figures import Figures

ANSWER_S = 10.0
REFUSALS = frozenset({httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN})


class StatusError(CoRewardingError):
    """The service cannot be asked."""


def status(url: Url = LOCAL, api_key: ApiKey = None) -> None:
    """Shows the service: its processes and their restarts, the store, what waits. Ends with 1 if it cannot serve."""
    try:
        with RewardClient(url, api_key=api_key, timeout_s=ANSWER_S, patience_s=0.0) as client:
            version, ready = client.version(), client.ready()
        figures = Figures(_metrics(address.parse(url, api_key)))
    except CoRewardingError as cause:
        raise StatusError(f"the service at {address.shown_url(url)}: {cause}") from cause
    Console().print(picture(figures, f"co-rewarding {version} at {address.shown_url(url)}", ready=ready))
    raise typer.Exit(0 if ready else 1)


def _metrics(at: address.Address) -> str:
    """Return what Prometheus is told.

    Raises:
        StatusError: the service gave no answer, or a refusal.
    """
    headers = {} if at.api_key is None else {"authorization": f"Bearer {at.api_key}"}
    try:
        answer = httpx.get(f"{at.url.rstrip('/')}/metrics", headers=headers, auth=at.credentials, timeout=ANSWER_S)
    except httpx.HTTPError as cause:
        raise StatusError(f"/metrics: {cause}") from cause
    if answer.status_code in REFUSALS:
        raise StatusError("it asks for a key: give one of its keys, --api-key or CO_REWARDING_API_KEY")
    if answer.status_code != httpx.codes.OK:
        raise StatusError(f"/metrics was answered with {answer.status_code}")
    return answer.text
