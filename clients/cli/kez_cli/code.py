"""qr: a handle and its key as a QR code in the terminal, or in a file.

The code says `kez:alice@kez.lat?key=ed25519:…`, which `kez add` takes. Two modules stand in
one character, upper and lower half. Invariants: it is dark on light with a quiet zone on
every terminal, coloured or not; it fits 80 columns.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kez_cli.command import Command
from kez_cli.context import Context, Json
from kez_cli.terminal import note, show
from kezd.client.offline import format_contact_uri
from kezd.errors import RequestError, Slug

if TYPE_CHECKING:
    import segno

QUIET = 4
"""Light modules around the code, as ISO/IEC 18004 wants them."""
QUIET_NARROW = 2
"""What cameras still read, where the screen has no room for more."""
BLACK_ON_WHITE = "\x1b[38;5;16;48;5;231m"
PLAIN = "\x1b[0m"
SCALE = 8
"""Pixels of a module in a picture."""
_HALVES = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}


def qr(context: Context) -> int:
    """Show one's own code, or that of a contact."""
    options = context.options
    with context.connect() as client:
        if options.handle is None:
            shown = client.call("identity.show")
        else:
            shown = client.call("contacts.show", contact=options.handle)
            if shown.get("alarm"):
                raise RequestError(
                    Slug.INVALID_ARGUMENT,
                    "an alarm stands about this contact: their key is in doubt",
                    hint=f"kez contacts {show(options.handle)}",
                )
    return show_code(context, shown, options.png, options.svg)


def show_code(context: Context, shown: Json, png: str | None = None, svg: str | None = None) -> int:
    """Print the code of an identity or contact, or write it to files.

    Raises:
        RequestError: there is no handle to put into it, or the screen is too narrow.
    """
    if not shown.get("primary"):
        raise RequestError(Slug.NO_IDENTITY)
    if not shown.get("handle"):
        raise RequestError(Slug.NOT_REGISTERED, "there is no handle to put into a code")
    uri = format_contact_uri(shown["handle"], shown["primary"])
    import segno  # only here: no other command needs it

    code = segno.make(uri, error="m", micro=False)
    for path in filter(None, (png, svg)):
        _write(code, path, "png" if path == png else "svg")
    if context.json:
        context.print_json({"uri": uri, "handle": shown["handle"], "primary": shown["primary"]})
    elif not png and not svg:
        _print(context, code)
        context.terminal.line(show(uri))
        note("Whoever scans it, or types it, adds exactly this key: kez add 'kez:…'")
    return 0


def _write(code: "segno.QRCode", path: str, kind: str) -> None:
    try:
        with open(path, "xb") as file:  # noqa: PTH123 - pathlib costs start-up time
            code.save(file, kind=kind, scale=SCALE, border=QUIET)
    except OSError as error:
        raise RequestError(Slug.INVALID_ARGUMENT, f"cannot write {path}: {error.strerror}") from error


def _print(context: Context, code: "segno.QRCode") -> None:
    columns = _columns()
    size = len(code.matrix)
    quiet = QUIET if size + 2 * QUIET <= columns else QUIET_NARROW
    if size + 2 * quiet > columns:
        raise RequestError(
            Slug.INVALID_ARGUMENT,
            f"the code is {size + 2 * quiet} columns wide, this terminal {columns}",
            hint="make the window wider, or: kez qr --png FILE",
        )
    colored = context.terminal.colored
    for line in half_blocks(code.matrix, quiet, inverted=not colored):
        context.terminal.line(f"{BLACK_ON_WHITE}{line}{PLAIN}" if colored else line)


def half_blocks(matrix: Sequence[Sequence[int]], quiet: int, *, inverted: bool) -> list[str]:
    """The modules as lines of half blocks, two rows in each.

    Args:
        matrix: rows of modules, 1 is dark.
        quiet: light modules around it.
        inverted: draw what is light, for a light-on-dark screen whose colours cannot be set; a reader
            that knows no inverted codes sees it right there, and on a dark-on-light screen most do.
    """
    width = len(matrix[0]) + 2 * quiet
    empty = [False] * width
    rows = [empty] * quiet
    rows += [[False] * quiet + [bool(module) for module in row] + [False] * quiet for row in matrix]
    rows += [empty] * (quiet + len(matrix) % 2)
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return [
        "".join(
            _HALVES[upper ^ inverted, lower ^ inverted] for upper, lower in zip(above, below, strict=True)
        )
        for above, below in pairs
    ]


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def _qr(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("handle", nargs="?", help="whose code (none: your own)")
    parser.add_argument("--png", metavar="FILE", help="write a picture to a new file, and print nothing")
    parser.add_argument("--svg", metavar="FILE", help="write a drawing to a new file, and print nothing")


COMMANDS = (
    Command(
        "qr",
        qr,
        "show a handle and its key as a QR code",
        "  kez qr\n  kez qr @bob\n  kez qr --png card.png",
        _qr,
    ),
)
