"""The system's keyring (Secret Service, KWallet, Keychain, Credential Locker) as a place for one key.

Wraps the library `keyring`. Only backends that keep secrets encrypted by the system are
used, by name: a plaintext, null or third-party backend counts as no keyring. Every call
may block for as long as the system pleases (a prompt on some screen); the vault bounds it.
The library is imported where it is used: it costs a tenth of a second that a start with a
passphrase need not spend.
"""

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

from kezd.errors import AccessError, Slug

SERVICE: Final = "kezd"
_TRUSTED_BACKENDS: Final = frozenset(
    {
        "keyring.backends.SecretService",
        "keyring.backends.libsecret",
        "keyring.backends.kwallet",
        "keyring.backends.macOS",
        "keyring.backends.Windows",
    }
)


class KeyStore(Protocol):
    """Keeps a small text under a name. Blocks."""

    def get(self, name: str) -> str | None:
        """The text, or None. `AccessError(KEYRING_MISSING | KEYRING_LOCKED)`."""
        ...

    def put(self, name: str, text: str) -> None:
        """Keep the text. `AccessError(KEYRING_MISSING | KEYRING_LOCKED)`."""
        ...


def trusted_backend(backend: "KeyringBackend") -> "KeyringBackend":
    """The backend itself, or the first trusted one of a chain.

    Raises:
        AccessError: `keyring_missing` when there is none.
    """
    from keyring.backends.chainer import ChainerBackend

    chain = backend.backends if isinstance(backend, ChainerBackend) else [backend]
    for candidate in chain:
        if type(candidate).__module__ in _TRUSTED_BACKENDS:
            return candidate
    names = ", ".join(type(b).__module__ for b in chain) or "none"
    raise AccessError(Slug.KEYRING_MISSING, f"there is no system keyring here that may be trusted ({names})")


class SystemKeyring:
    """The keyring of the session that this process runs in."""

    def get(self, name: str) -> str | None:
        """The text kept under `name`."""
        import keyring

        with _Translated():
            return trusted_backend(keyring.get_keyring()).get_password(SERVICE, name)

    def put(self, name: str, text: str) -> None:
        """Keep `text` under `name`."""
        import keyring

        with _Translated():
            trusted_backend(keyring.get_keyring()).set_password(SERVICE, name, text)


class _Translated:
    """The library's errors as ours; nothing of the secret is in either."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if error is None:
            return
        from keyring.errors import KeyringError, KeyringLocked, PasswordSetError

        match error:
            case KeyringLocked() | PasswordSetError():
                raise AccessError(Slug.KEYRING_LOCKED) from error
            case KeyringError():  # NoKeyringError, InitError
                raise AccessError(Slug.KEYRING_MISSING, "the system keyring does not answer") from error
            case _:
                return
