"""Measure how much time passes, by a clock of the process that nobody sets."""

import time


class Stopwatch:
    """What a reader tells lua/clock.lua that looks seldom: so much time may have passed."""

    def __init__(self) -> None:
        """Starts."""
        self._began_s = time.monotonic()

    def lap_ms(self) -> int:
        """Milliseconds since the last call, or since the start."""
        began_s, self._began_s = self._began_s, time.monotonic()
        return round((self._began_s - began_s) * 1000)
