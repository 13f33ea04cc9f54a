"""The vault: the one file that holds the keys, and the sources of the key that opens it."""

from kezd.store.vault.keyring_store import KeyStore, SystemKeyring
from kezd.store.vault.record import VaultRecord
from kezd.store.vault.vault import Vault
from kezd.store.vault.vault_file import WrapKind

__all__ = ["KeyStore", "SystemKeyring", "Vault", "VaultRecord", "WrapKind"]
