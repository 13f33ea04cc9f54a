"""Numbers of rows, and the names that a report must not carry. Read only."""

from kezd.store.database import Transaction


def count_rows(tx: Transaction) -> dict[str, int]:
    """Rows of every table."""
    names = tx.all(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    )
    counts = {}
    for (name,) in names:
        [number] = tx.one(f'SELECT count(*) FROM "{name}"') or (0,)  # noqa: S608 - of the schema itself
        counts[str(name)] = int(number)
    return counts


def schema_version(tx: Transaction) -> int:
    """Of the database file."""
    [version] = tx.one("PRAGMA user_version") or (0,)
    return int(version)


def known_names(tx: Transaction) -> set[str]:
    """Names and servers of the person and of everybody they know."""
    names: set[str] = set()
    for name, server in tx.all("SELECT name, server FROM identity"):
        names |= {str(part) for part in (name, server) if part}
    for (handle,) in tx.all("SELECT handle FROM contacts WHERE handle IS NOT NULL"):
        names |= {str(handle), *str(handle).split("@")}
    return names
