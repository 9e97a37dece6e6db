"""Reward ms-swift's GRPO: give the file as --external_plugins, and set CO_REWARDING_URL and CO_REWARDING_RUN."""

from co_rewarding_client.swift import register

register(method="co-rewarding-i")
