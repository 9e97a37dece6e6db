"""Measure the service; `python -m benchmarks.throughput` is `make bench`."""
