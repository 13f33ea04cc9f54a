"""What a person is told before a call that uses their keys or gives power away.

One function for each method of the table that wants a confirmation. It refuses what would
fail anyway, so that nobody is asked in vain, and answers None where this call needs no yes.
The texts hold words of the caller: front-ends print them like any foreign text.
"""

from collections.abc import Mapping
from types import MappingProxyType

from kezd.api import types as t
from kezd.errors import RequestError, Slug
from kezd.rpc.guard import Summary
from kezd.rpc.session import Session


async def _who(session: Session) -> str:
    shown = await session.profile.identity.show()
    if shown.state == "none":
        raise RequestError(Slug.NO_IDENTITY)
    return f"@{shown.handle}" if shown.handle else "your identity"


async def words(session: Session, _params: t.IdentityWordsParams) -> str:
    """The words are shown."""
    return f"Show the recovery words of {await _who(session)}. Whoever sees them can be you."


async def restore(session: Session, params: t.IdentityRestoreParams) -> str | None:
    """Only taking over again uses a key that is here already."""
    if params.words is not None:
        return None
    who = await _who(session)
    return f"Sign in as {who} again with the key on this machine; the other installation stops."


async def token(_session: Session, params: t.TokenCreateParams) -> str | None:
    """Only a full token gives power away."""
    if params.scope != "full":
        return None
    return f"Make the token “{params.name}”: whoever has it may do everything that you may."


async def backup(session: Session, params: t.BackupCreateParams) -> str:
    """Keys leave the vault."""
    if (params.path is None) == (params.file is None):
        raise RequestError(
            Slug.INVALID_ARGUMENT, "give `path` or `file`, one of them", detail={"field": "path"}
        )
    target = params.path if params.file is None else session.name_descriptor(params.file.fd)
    return f"Write the keys and messages of {await _who(session)} to {target}, sealed with a passphrase."


async def remove_profile(session: Session, params: t.ProfileRemoveParams) -> str | None:
    """Keys are deleted, unless a call with the same key has deleted them."""
    try:
        name = session.peer.profile(params.name).name
    except RequestError:
        if params.idempotency_key is None:
            raise
        return None
    return f"Delete the profile “{name}” with its key, contacts and messages."


async def claim(session: Session, params: t.ClaimCreateParams) -> str:
    """The identity's key signs."""
    return f"Sign, as {await _who(session)}, that you are {params.subject}."


async def publish_claim(session: Session, params: t.ClaimPublishParams) -> str:
    """Everybody can read it, and the sigchain keeps it."""
    who = await _who(session)
    return f"Publish that {who} is {params.subject}, and add it to your sigchain, for everybody to read."


async def remove_claim(session: Session, params: t.ClaimRef) -> str:
    """The sigchain says so for ever."""
    return f"Take back, in the sigchain of {await _who(session)}, that you are {params.subject}."


async def follow(session: Session, params: t.FollowParams) -> str:
    """The identity's key signs; it stays on this machine."""
    return (
        f"Sign, as {await _who(session)}, a snapshot of what {params.who} claims, to be kept on this machine."
    )


async def add_device(session: Session, params: t.SigchainAddDeviceParams) -> str:
    """Signed into the chain."""
    return (
        f"Sign that the device “{params.name}” ({params.device}, key {params.key}) belongs to"
        f" {await _who(session)}. Everybody can see that."
    )


async def revoke_device(session: Session, params: t.SigchainRevokeDeviceParams) -> str:
    """Signed into the chain."""
    return f"Sign that the device {params.device} does not belong to {await _who(session)} any more."


async def add_endpoint(session: Session, params: t.SigchainAddEndpointParams) -> str:
    """Signed into the chain."""
    where = params.url if params.protocol == "nats" else params.node_id
    return f"Sign that {await _who(session)} is reached at {where} ({params.protocol}), too."


async def remove_endpoint(session: Session, params: t.SigchainRemoveEndpointParams) -> str:
    """Signed into the chain."""
    return f"Sign that {await _who(session)} is not reached at {params.id} ({params.protocol}) any more."


async def rotate(session: Session, _params: t.SigchainRotateParams) -> str:
    """Words are shown."""
    return (
        f"Show the recovery words of a new key for {await _who(session)}. Whoever sees them can be you"
        " once the key is changed."
    )


async def rotate_confirm(session: Session, _params: t.SigchainRotateConfirmParams) -> str:
    """The one event that nothing takes back."""
    return (
        f"Change the key of {await _who(session)} for good: the old recovery words stop working,"
        " and the safety words of all contacts change."
    )


SUMMARIES: Mapping[str, Summary] = MappingProxyType(
    {
        "identity.words": words,
        "identity.restore": restore,
        "tokens.create": token,
        "backup.create": backup,
        "profiles.remove": remove_profile,
        "sigchain.add_device": add_device,
        "sigchain.revoke_device": revoke_device,
        "sigchain.add_endpoint": add_endpoint,
        "sigchain.remove_endpoint": remove_endpoint,
        "sigchain.rotate": rotate,
        "sigchain.rotate_confirm": rotate_confirm,
        "claims.create": claim,
        "claims.publish": publish_claim,
        "claims.remove": remove_claim,
        "graph.follow": follow,
    }
)
