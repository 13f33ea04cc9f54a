"""Which key of a contact the person has compared safety words for."""

SQL = """
ALTER TABLE contacts ADD COLUMN verified_key BLOB;
ALTER TABLE contacts ADD COLUMN verified_at REAL;
"""
