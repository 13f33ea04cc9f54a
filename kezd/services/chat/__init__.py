"""The chat: sending, receiving, receipts, history. `Chat` is live, `ChatHistory` only reads."""

from kezd.services.chat.chat import Chat
from kezd.services.chat.history import ChatHistory

__all__ = ["Chat", "ChatHistory"]
