"""The four nkeys of a home server: who may speak to NATS beside the people themselves.

`issuer` (an account key) signs the callout's answers; `callout`, `home` and `admin` are user
keys of the accounts AUTH, STORE and SYS. They are made once by `kezd-home init` and are no
identity of anybody. Invariant: a seed is on disk only in a file of mode 0600 inside a directory
of mode 0700, and never in a repr.
"""

import contextlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nacl.signing import SigningKey

from kezd.home.errors import HomeSetupError
from kezd.kez.errors import KeyMaterialError
from kezd.kez.nkeys import Prefix, decode_seed, encode_public, encode_seed

SEED_BYTES = 32


class NatsKey:
    """An nkey pair that can sign; its repr shows the public half only."""

    __slots__ = ("_prefix", "_signing_key", "public")

    def __init__(self, prefix: Prefix, seed: bytes) -> None:
        self._prefix = prefix
        self._signing_key = SigningKey(seed)
        self.public: str = encode_public(prefix, bytes(self._signing_key.verify_key))

    def __repr__(self) -> str:
        return f"NatsKey({self.public})"

    def sign(self, message: bytes) -> bytes:
        """64-byte Ed25519 signature."""
        return self._signing_key.sign(message).signature

    def seed_text(self) -> str:
        """The seed as an nkey text (`SU…` or `SA…`), for nats-py and for the key file."""
        return encode_seed(self._prefix, bytes(self._signing_key))

    @classmethod
    def from_seed_text(cls, text: str) -> "NatsKey":
        """Read an nkey seed.

        Raises:
            KeyMaterialError: not an nkey seed.
        """
        prefix, raw = decode_seed(text)
        return cls(prefix, raw)


@dataclass(frozen=True, slots=True)
class HomeKeys:
    """All four keys of one home server."""

    issuer: NatsKey
    callout: NatsKey
    home: NatsKey
    admin: NatsKey


KEY_FILES = (
    ("issuer", Prefix.ACCOUNT),
    ("callout", Prefix.USER),
    ("home", Prefix.USER),
    ("admin", Prefix.USER),
)


def key_path(directory: Path, name: str) -> Path:
    """Where the seed of the key called `name` is."""
    return directory / f"{name}.nk"


def create_missing_keys(directory: Path, random_bytes: Callable[[int], bytes]) -> list[str]:
    """Make every key that is not there yet; an existing one is never touched.

    Returns:
        The names of the keys that were made.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = []
    for name, prefix in KEY_FILES:
        with contextlib.suppress(FileExistsError):
            _write_new(key_path(directory, name), NatsKey(prefix, random_bytes(SEED_BYTES)).seed_text())
            made.append(name)
    return made


def load_keys(directory: Path, issuer_path: Path | None = None, *, handed_over: bool = False) -> HomeKeys:
    """Read the four keys.

    Args:
        directory: the `keys` directory of the home server.
        issuer_path: the issuer's seed when it is kept elsewhere (AUTH_CALLOUT_NKEY_PATH).
        handed_over: systemd made the directory for this service alone, and grants its reading by an
            ACL, which shows as a mode bit of the group.

    Raises:
        HomeSetupError: a file is missing, readable by others, or not an nkey seed.
    """
    keys = {}
    for name, _ in KEY_FILES:
        path = issuer_path if name == "issuer" and issuer_path else key_path(directory, name)
        keys[name] = _read(path, forbidden=0o007 if handed_over else 0o077)
    return HomeKeys(**keys)


def _write_new(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path, *, forbidden: int) -> NatsKey:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii").strip()
    except FileNotFoundError as error:
        hint = f"run: kezd-home init --dir {path.parent.parent} (it makes DIR/keys)"
        raise HomeSetupError(f"no key file {path}", hint=hint) from error
    except (OSError, UnicodeDecodeError) as error:
        raise HomeSetupError(f"cannot read the key file {path}", hint=str(error)) from error
    if stat.S_IMODE(mode) & forbidden:
        raise HomeSetupError(f"others can read the key file {path}", hint=f"run: chmod 600 {path}")
    try:
        return NatsKey.from_seed_text(text)
    except KeyMaterialError as error:
        raise HomeSetupError(f"{path} holds no nkey seed", hint="restore it from a backup") from error
