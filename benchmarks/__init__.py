"""What is measured of the service; `python -m benchmarks.throughput` is `make bench`."""
