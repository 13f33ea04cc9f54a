"""status, version: the daemon itself."""

from kez_cli.command import Command, no_arguments
from kez_cli.context import Context, Json
from kez_cli.default_profile import DEFAULT
from kez_cli.terminal import show
from kezd import __version__
from kezd.client.sync import Client
from kezd.errors import KezdError

NEXT = {
    "none": "kez register HANDLE, or kez restore",
    "unconfirmed": "kez register HANDLE goes on where it stopped",
    "unregistered": "kez register HANDLE",
    "superseded": "kez restore --takeover, to be the live one again",
}
"""The step that an identity in this state waits for."""


def status(context: Context) -> int:
    """State of the peer, its identity and its links."""
    with context.connect() as client:
        health = client.call("daemon.health")
        identity = client.call("identity.show") if health["state"] != "locked" else {"state": "locked"}
    if context.json:
        context.print_json({**health, "identity": identity, "profile": context.options.profile})
        return 0
    terminal = context.terminal
    handle = identity.get("handle")
    terminal.line(terminal.strong(f"@{show(handle)}" if handle else "no handle") + f"  {identity['state']}")
    if context.options.profile != DEFAULT:
        terminal.line(f"profile {show(context.options.profile)}")
    if identity.get("reason"):
        terminal.line(terminal.bad(show(identity["reason"])))
    if identity["state"] in NEXT:
        terminal.line(f"next: {NEXT[identity['state']]}")
    for link in health["links"]:
        for line in _link(context, link):
            terminal.line(line)
    dropped = {cause: count for cause, count in health["dropped"].items() if count}
    if dropped:
        terminal.line("dropped: " + ", ".join(f"{count} {show(cause)}" for cause, count in dropped.items()))
    if health["state"] == "locked":
        terminal.line("The vault is locked: kez unlock")
    return 0


def _link(context: Context, link: Json) -> list[str]:
    """A line for the link, and its error below where there is one: never over the edge of the screen."""
    terminal = context.terminal
    state = link["state"]
    fine = state in {"online", "ok"}
    parts = [f"{link['name']:<8} {(terminal.good if fine else terminal.bad)(state)}"]
    if link.get("last_received_age_ms") is not None:
        parts.append(f"heard {link['last_received_age_ms'] / 1000:.0f} s ago")
    if link.get("queue"):
        parts.append(f"{link['queue']} waiting")
    lines = ["  ".join(parts)]
    if link.get("last_error") and not fine:  # what is over is no news
        from shutil import get_terminal_size  # only here: a healthy peer has no errors to show
        from textwrap import wrap

        width = max(20, get_terminal_size().columns - 1)
        lines += wrap(show(link["last_error"]), width, initial_indent="  ", subsequent_indent="  ")
    return lines


def version(context: Context) -> int:
    """Version of kez, and of the daemon if it runs."""
    daemon: Json | None
    try:
        with Client.open(timeout=2) as client:
            daemon = client.call("daemon.version")
    except KezdError:
        daemon = None
    if context.json:
        context.print_json({"kez": __version__, "kezd": daemon})
        return 0
    context.terminal.line(f"kez {__version__}")
    if daemon is None:
        context.terminal.line("kezd is not running")
    else:
        context.terminal.line(f"kezd {daemon['version']} (API {daemon['api']})")
        if daemon["version"] != __version__:
            context.terminal.line("They differ: restart kezd after an upgrade.")
    return 0


COMMANDS = (
    Command("status", status, "state of the peer and its links", "  kez status --json", no_arguments),
    Command("version", version, "versions of kez and kezd", "  kez version", no_arguments),
)
