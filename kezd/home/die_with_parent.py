"""Start a program that dies when the process that started this one dies, even by kill -9.

Run as a file, before any other import: `python -I -S die_with_parent.py PARENT_PID PROGRAM
ARGUMENT…`. It asks Linux for a SIGKILL at the parent's death (prctl PR_SET_PDEATHSIG), checks
that the parent did not die before that, and becomes the program. Not a supervisor. SIGKILL, not
SIGTERM: nats-server syncs each consumer as it stops, and the next home would have to wait for
thousands of them; what it acknowledged is on disk already.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Tie this process to its parent, then exec."""
    parent, program = int(arguments[0]), arguments[1]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        raise SystemExit("the parent is gone")
    os.execv(program, arguments[1:])  # noqa: S606 - the supervisor names the program


if __name__ == "__main__":
    main(sys.argv[1:])
