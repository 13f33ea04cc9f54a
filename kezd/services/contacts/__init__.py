"""Contacts: found by handle, verified, trusted on first use, alarmed about when they change."""

from kezd.services.contacts.book import Own
from kezd.services.contacts.service import Contacts

__all__ = ["Contacts", "Own"]
