"""The page of a person: HTML without script, in the reader's own light or dark.

Pure. Invariant: everything that came from a person is escaped, and links lead to https places made from
identifiers in normal form only.
"""

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from kezd.kez.errors import IdentifierError
from kezd.kez.identifiers import parse_identifier
from kezd.kez.keys import PublicKey

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #888; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p { margin: .5rem 0; }
.soft { color: var(--soft); }
code, pre { font: .9rem/1.5 ui-monospace, monospace; }
pre { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; overflow-x: auto; }
.key { letter-spacing: .03em; overflow-wrap: anywhere; }
ul { list-style: none; padding: 0; margin: 0; }
li { border-top: 1px solid var(--line); padding: .6rem 0; display: grid; grid-template-columns: 6rem 1fr; }
li.none { display: block; color: var(--soft); }
li:last-child { border-bottom: 1px solid var(--line); }
li span { color: var(--soft); }
li a, li b { overflow-wrap: anywhere; min-width: 0; font-weight: normal; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
PAGE_HEADERS = (
    (b"content-security-policy", f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'".encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
GROUP = 8


def render_page(handle: str, server: str, url: str, current: PublicKey, subjects: Sequence[str]) -> str:
    """The page.

    Args:
        handle: bare.
        server: name of the home server.
        url: that it is reached by.
        current: the primary that speaks for the handle now.
        subjects: what the person says that they are.
    """
    full = escape(f"{handle}@{server}")
    key = current.hex
    groups = " ".join(key[start : start + GROUP] for start in range(0, len(key), GROUP))
    claims = "".join(map(_claim, subjects)) or '<li class="none">No claims are published here.</li>'
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>@{full}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body>\n"
        f'<h1>@{full}</h1>\n<p class="soft">a KEZ identity at {escape(server)}</p>\n'
        f'<h2>Key</h2>\n<p class="key"><code>ed25519: {groups}</code></p>\n'
        f"<h2>Claims</h2>\n<ul>{claims}</ul>\n"
        '<h2>Check it yourself</h2>\n<p class="soft">This server only passes on what people say of themselves. Your own'
        " kezd fetches each proof from where it is published and checks its signature:</p>\n"
        f"<pre>kez id @{full}\nkez add @{full}</pre>\n"
        f'<p class="soft">The signed record: <a href="{escape(url)}/v1/u/{escape(handle)}">/v1/u/{escape(handle)}</a></p>\n'
        "</body></html>\n"
    )


def _claim(subject: str) -> str:
    system, _, value = subject.partition(":")
    link = link_of(subject)
    shown = escape(value)
    text = f'<a rel="nofollow noopener" href="{escape(link)}">{shown}</a>' if link else f"<b>{shown}</b>"
    return f"<li><span>{escape(system)}</span> {text}</li>"


def link_of(subject: str) -> str | None:
    """Where a person can look at a subject; None where there is no such place."""
    try:
        identifier = parse_identifier(subject)
    except IdentifierError:
        return None
    value = quote(identifier.value, safe="@.-_")
    match identifier.system:
        case "github":
            return f"https://github.com/{value}"
        case "web" | "dns":
            return f"https://{value}/"
        case "bluesky":
            return f"https://bsky.app/profile/{value}"
        case "ap":
            user, _, host = value.partition("@")
            return f"https://{host}/@{user}"
        case "nostr":
            return f"https://njump.me/{value}"
        case _:
            return None
