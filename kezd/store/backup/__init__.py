"""Backups of a profile: the sealed container, what is in it, and databases copied, checked and fenced."""
