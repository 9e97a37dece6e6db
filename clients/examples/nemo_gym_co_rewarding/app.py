# pyright: basic, reportMissingImports=false
"""The resources server of a run: copy this folder to resources_servers/co_rewarding of NeMo Gym."""

from co_rewarding_client.nemo_gym import CoRewardingResourcesServer

if __name__ == "__main__":
    CoRewardingResourcesServer.run_webserver()
