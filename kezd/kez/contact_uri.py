"""Contact URIs `kez:alice@kez.lat?key=ed25519:…`: what a QR code or a business card says.

Text only, so that a client that starts fast may use it: handle and key are checked by
whoever looks them up. Not here: trust. Invariant: what `format_contact_uri` writes,
`parse_contact_uri` reads back; members that it does not know are ignored.
"""

from typing import Final

from kezd.kez.errors import HandleError, shown

SCHEME: Final = "kez:"
MAX_LENGTH: Final = 1024  # characters


def format_contact_uri(handle: str, primary: str) -> str:
    """Write the URI of a handle (`alice@kez.lat`) and its primary (`ed25519:…`)."""
    return f"{SCHEME}{handle}?key={primary}"


def is_contact_uri(text: str) -> bool:
    """Whether the text means to be a contact URI; the scheme in either case, as QR codes have it."""
    return text[: len(SCHEME)].lower() == SCHEME


def parse_contact_uri(text: str) -> tuple[str, str]:
    """Read a contact URI.

    Returns:
        The handle with its server, without `@` in front, and the primary; neither is checked further.

    Raises:
        HandleError: no contact URI, or not exactly one handle and one key.
    """
    handle, mark, query = text.strip()[len(SCHEME) :].partition("?")
    members = [member.partition("=") for member in query.split("&")]
    keys = [value for name, _, value in members if name == "key"]
    handle = handle.removeprefix("//").removesuffix("/").removeprefix("@")
    if not is_contact_uri(text.strip()) or len(text) > MAX_LENGTH or not mark or "@" not in handle:
        raise HandleError(f"{shown(text)} is no contact URI, like kez:alice@kez.lat?key=ed25519:…")
    if len(keys) != 1 or not keys[0]:
        raise HandleError(f"the contact URI {shown(text)} needs one key")
    return handle, keys[0]
