"""The peer's SQLite: object stores, migrations, vault."""
