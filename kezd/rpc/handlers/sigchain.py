"""`sigchain.*`: the signed log, read and written; rotation."""

from kezd.api import types as t
from kezd.kez.sigchain import add_iroh_endpoint, remove_endpoint, revoke_device
from kezd.rpc.dispatch import Handler
from kezd.rpc.handlers.identity import positions
from kezd.rpc.session import Session


async def show(session: Session, params: t.SigchainShowParams) -> t.SigchainResult:
    """Readable."""
    return await session.profile.sigchains.show(params.who, params.limit)


async def export(session: Session, params: t.SigchainExportParams) -> t.SigchainExportResult:
    """As bytes."""
    return await session.profile.sigchains.export(params)


async def take(session: Session, params: t.SigchainImportParams) -> t.SigchainImportResult:
    """From elsewhere."""
    return await session.profile.sigchains.take(params)


async def device(session: Session, params: t.SigchainAddDeviceParams) -> t.SigchainHead:
    """One more."""
    members = {
        **revoke_device(params.device),
        "name": params.name,
        "key": params.key,
        "capabilities": params.capabilities,
    }
    return await session.profile.sigchains.append("add_device", members)


async def no_device(session: Session, params: t.SigchainRevokeDeviceParams) -> t.SigchainHead:
    """One less."""
    return await session.profile.sigchains.append("revoke_device", revoke_device(params.device))


async def endpoint(session: Session, params: t.SigchainAddEndpointParams) -> t.SigchainHead:
    """One more; a NATS endpoint has our own inbox."""
    if params.protocol == "iroh":
        return await session.profile.sigchains.append("add_endpoint", add_iroh_endpoint(params.node_id or ""))
    return await session.profile.sigchains.add_nats(params.url or "")


async def no_endpoint(session: Session, params: t.SigchainRemoveEndpointParams) -> t.SigchainHead:
    """One less."""
    return await session.profile.sigchains.append(
        "remove_endpoint", remove_endpoint(params.protocol, params.id)
    )


async def rotate(session: Session, params: t.SigchainRotateParams) -> t.RotateResult:
    """New words."""
    return await session.profile.identity.begin_rotation(params.words, params.phrase, dry_run=params.dry_run)


async def rotate_confirm(session: Session, params: t.SigchainRotateConfirmParams) -> t.IdentityResult:
    """The new key takes over."""
    return await session.profile.identity.confirm_rotation(positions(params.answers), dry_run=params.dry_run)


async def rotate_cancel(session: Session, _params: t.SigchainRotateCancelParams) -> t.IdentityResult:
    """Not after all."""
    return await session.profile.identity.cancel_rotation()


async def publish(session: Session, params: t.SigchainPublishParams) -> t.SigchainCopyResult:
    """And read back."""
    return await session.profile.sigchains.publish(params)


async def check(session: Session, params: t.SigchainCheckParams) -> t.SigchainCopyResult:
    """Compared."""
    return await session.profile.sigchains.check(params)


async def dismiss(session: Session, _params: t.SigchainDismissParams) -> t.Done:
    """Seen."""
    return await session.profile.sigchains.dismiss()


HANDLERS: dict[str, Handler] = {
    "sigchain.show": show,
    "sigchain.export": export,
    "sigchain.import": take,
    "sigchain.add_device": device,
    "sigchain.revoke_device": no_device,
    "sigchain.add_endpoint": endpoint,
    "sigchain.remove_endpoint": no_endpoint,
    "sigchain.rotate": rotate,
    "sigchain.rotate_confirm": rotate_confirm,
    "sigchain.rotate_cancel": rotate_cancel,
    "sigchain.publish": publish,
    "sigchain.check": check,
    "sigchain.dismiss_alarm": dismiss,
}
