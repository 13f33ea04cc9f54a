"""The identity, its sigchain and its contacts."""

SQL = """
"""
