"""Every Python process with this folder on its path starts here: Ray's workers and vLLM's engines too."""

import os

if os.environ.get("OPENRLHF_ON_CPU") == "1":
    import on_cpu

    on_cpu.install()
