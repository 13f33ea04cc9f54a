"""The idle peer's baseline: a bare `trio.run` that sleeps. `python -m bench.programs.idle_trio`."""

import sys

import trio


async def main() -> None:
    sys.stdout.write("{}\n")
    sys.stdout.flush()
    await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(main)
