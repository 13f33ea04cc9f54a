"""completion: the scripts that a shell needs to complete `kez`.

The scripts are files beside this module, which the package also installs where shells look.
Each asks `kez __complete` (see `complete`).
"""

import argparse
import os

from kez_cli.command import Command
from kez_cli.context import Context

SHELLS = {"bash": "kez.bash", "zsh": "_kez", "fish": "kez.fish"}


def completion(context: Context) -> int:
    """Print the script of a shell."""
    where = os.path.join(os.path.dirname(__file__), "completions", SHELLS[context.options.shell])  # noqa: PTH118, PTH120 - pathlib costs start-up time
    with open(where, encoding="utf-8") as file:  # noqa: PTH123 - as above
        script = file.read()
    if context.json:
        context.print_json({"shell": context.options.shell, "script": script})
    else:
        context.terminal.line(script.rstrip("\n"))
    return 0


def _completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=tuple(SHELLS), help="whose script")


COMMANDS = (
    Command(
        "completion",
        completion,
        "print the script with which your shell completes kez",
        "  kez completion bash > ~/.local/share/bash-completion/completions/kez\n"
        "  kez completion zsh > ~/.zfunc/_kez    # a directory of your fpath\n"
        "  kez completion fish > ~/.config/fish/completions/kez.fish",
        _completion,
    ),
)
