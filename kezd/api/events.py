"""Notifications that the peer sends: topics, and what their events hold.

Notification `event`: `{subscription, epoch, seq, topic, event}`; `events.lagged`:
`{subscription, epoch, last_seq}` ends the subscription, the client resumes from
`last_seq`. Durable topics are in the log, ephemeral ones have seq 0 and only their
latest value matters.
"""

from enum import Enum


class Topic(Enum):
    """What can be subscribed to."""

    MESSAGE = "message"
    """`{type: received|sent|state|missing_filled|request, message: Message}`, `{type: seen, contact, up_to, marked}`; durable.

    `received` also has `notify`, false for what is dated before a restore. `request` is a
    stranger's message: its `text` is null until the request is accepted, then come `state` events.
    """
    CONVERSATION = "conversation"
    """`{type: changed, conversation: Conversation, unread}`; ephemeral, at most about ten a second for each contact."""
    CONTACT = "contact"
    """`{type: added|changed|request|alarm|decided, contact: Contact}`; durable."""
    IDENTITY = "identity"
    """`{type: created|registered|restored|superseded|resumed|chain|rotated|chain_alarm, identity: Identity}`; durable."""
    CLAIM = "claim"
    """`{type: verified|changed|vanished|revoked|follow_broken, subject, primary, handle, check, reason}`; durable."""
    CONFIRMATION = "confirmation"
    """`{type: asked|settled, confirmation: Confirmation}`; ephemeral, for the scope `full`."""
    LINK = "link"
    """`{link: LinkHealth}`; ephemeral."""


EPHEMERAL = frozenset({Topic.CONVERSATION, Topic.LINK, Topic.CONFIRMATION})
EVENT = "event"
LAGGED = "events.lagged"
ENDED = "events.ended"
STOPPING = "daemon.stopping"
SESSION_CHANGED = "session.changed"
