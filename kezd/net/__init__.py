"""Adapters to foreign worlds."""
