# pyright: basic, reportMissingImports=false
"""Play a task of verifiers by one call of the model; the harnesses of verifiers start a program for each rollout."""

import httpx
import verifiers.v1 as vf
from verifiers.v1.runtimes import ProgramResult

__all__ = ["SpokenHarness"]


class SpokenHarness(vf.Harness[vf.HarnessConfig]):
    """One question, one answer."""

    APPENDS_SYSTEM_PROMPT = True
    EXECUTES_CODE = False
    NEEDS_CONTAINER = False

    async def launch(
        self,
        ctx: vf.ModelContext,
        trace: vf.Trace,
        runtime: vf.Runtime,
        endpoint: str,
        secret: str,
        mcp_urls: dict[str, str],
        data: vf.TaskData,
    ) -> ProgramResult:
        """Ask the model through the interception, as every harness must."""
        body = {"model": ctx.model, "messages": [{"role": "user", "content": data.prompt_text}]}
        async with httpx.AsyncClient(timeout=None) as http:
            reply = await http.post(
                f"{endpoint}/chat/completions", json=body, headers={"authorization": f"Bearer {secret}"}
            )
        return ProgramResult(exit_code=0 if reply.is_success else 1, stdout="", stderr=reply.text)
