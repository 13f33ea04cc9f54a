"""Conversations, messages and what waits to be sent."""

SQL = """
"""
