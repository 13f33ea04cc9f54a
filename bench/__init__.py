"""Measurements: each one beside a baseline that runs in the same run, as a ratio.

`python -m bench` prints tables; `docs/performance.md` holds a set of them. Nothing here asserts
a time: machines differ, ratios less so. Everything runs on loopback, in a temporary directory.
"""
