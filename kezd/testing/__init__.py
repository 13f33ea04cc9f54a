"""Real drivers and factories for tests; never imported by production code."""
