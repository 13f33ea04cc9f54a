"""The composition root: the whole peer, built in one nest.

Everything is handed what it needs here and nowhere else. The peer exists inside
`async with open_peer(...)`; leaving the block stops it in the reverse order.
"""

import logging
import os
import secrets
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager

import trio

from kezd import __version__
from kezd.api import types as t
from kezd.daemon.adapters import Adapters
from kezd.daemon.profile import Profile
from kezd.daemon.profiles import Profiles, clear_scratch
from kezd.errors import Slug, StoreError
from kezd.rpc.handlers.table import HANDLERS
from kezd.rpc.server import open_server
from kezd.rpc.socket_file import bound_listener
from kezd.runtime.config import Config
from kezd.runtime.lock import instance_lock
from kezd.runtime.paths import Paths
from kezd.runtime.systemd import listen_sockets
from kezd.services.access import Confirmations, Tokens

log = logging.getLogger(__name__)

INSTANCE_BYTES = 8


class Peer:
    """The running daemon, as a connection sees it."""

    def __init__(
        self, version: str, profiles: Profiles, tokens: Tokens, confirmations: Confirmations
    ) -> None:
        self.instance_id = secrets.token_hex(INSTANCE_BYTES)
        self.version = version
        self.tokens = tokens
        self.confirmations = confirmations
        self._profiles = profiles
        self._stopped = trio.Event()

    @property
    def profiles(self) -> dict[str, Profile]:
        """All of them by name, as they are now."""
        return dict(self._profiles.by_name)

    def profile(self, name: str) -> Profile:
        """The profile of that name.

        Raises:
            RequestError: `unknown_profile`.
        """
        return self._profiles.get(name)

    async def list_profiles(self) -> t.ProfilesResult:
        """See `Profiles.list`."""
        return await self._profiles.list()

    async def create_profile(self, name: str, *, again: bool, dry_run: bool) -> t.ProfileItem:
        """See `Profiles.create`; no token of an earlier profile of that name is for this one."""
        if not dry_run and name not in self._profiles.by_name:
            await self.tokens.forget_profile(name)
        return await self._profiles.create(name, again=again, dry_run=dry_run)

    async def remove_profile(self, name: str, *, force: bool, again: bool, dry_run: bool) -> None:
        """See `Profiles.remove`; what tokens were for it, they are not any more."""
        await self._profiles.remove(name, force=force, again=again, dry_run=dry_run)
        if not dry_run:
            await self.tokens.forget_profile(name)

    def stop(self) -> None:
        """Begin a clean stop."""
        self._stopped.set()

    async def wait_stop(self) -> None:
        """Wait until somebody asked for a stop."""
        await self._stopped.wait()


@asynccontextmanager
async def open_peer(
    config: Config,
    paths: Paths,
    environ: Mapping[str, str],
    adapters: Adapters,
    *,
    passphrase: str | None = None,
) -> AsyncIterator[Peer]:
    """The peer, serving its socket, for the length of the block.

    Args:
        config: settings.
        paths: where everything is.
        environ: for what systemd passes.
        adapters: ways to the outside.
        passphrase: for the vaults of a machine without a keyring.

    Raises:
        StoreError: `already_running`, `unsafe_path`.
    """
    paths.create()

    def opening(name: str) -> AbstractAsyncContextManager[Profile]:
        return Profile.open(name, paths, config, adapters, environ, passphrase, __version__)

    async with AsyncExitStack() as stack:
        stack.enter_context(instance_lock(paths.lock_file))
        tokens = await stack.enter_async_context(Tokens.open(paths.data, adapters.clock))
        listener = stack.enter_context(_listener(paths, environ))
        await trio.to_thread.run_sync(clear_scratch, paths)
        profiles = await stack.enter_async_context(Profiles.open(config.profiles.names, paths, opening))
        peer = Peer(__version__, profiles, tokens, Confirmations(adapters.clock, config.rpc.confirm_s))
        await stack.enter_async_context(open_server(listener, peer, HANDLERS, config.rpc))
        log.info("ready", extra={"socket": paths.socket, "version": peer.version})
        yield peer
        log.info("stopping")


@contextmanager
def _listener(paths: Paths, environ: Mapping[str, str]) -> Iterator[socket.socket]:
    """The socket systemd passed, which stays its own, or one of ours."""
    passed = listen_sockets(environ, os.getpid())
    if len(passed) > 1 or any(s.family != socket.AF_UNIX for s in passed):
        raise StoreError(Slug.UNSAFE_PATH, "systemd must pass exactly one Unix socket (kezd.socket)")
    if passed:
        with passed[0] as listener:
            yield listener
        return
    with bound_listener(paths.socket) as listener:
        yield listener
