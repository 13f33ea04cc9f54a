"""Backups of a profile, and a person's own data in files that need no kezd."""
