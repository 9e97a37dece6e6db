"""Trace requests through the processes, with OpenTelemetry; where no traces are asked for, nothing here is imported."""
