"""The KEZ protocol, pure: bytes or records in, values out.

Not here: sockets, clocks, randomness, logs, storage, async. Times, nonces and ids are arguments. Invariant:
every decoder caps its input before it parses, and raises nothing but `KezError` for whatever it is given.
"""
