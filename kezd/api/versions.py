"""Which version of the API two programs speak: the highest that both know. Pure."""


def choose_version(theirs: tuple[int, int], ours: tuple[int, int]) -> int | None:
    """The highest version in both ranges, both ends included; None when they do not meet.

    Raises:
        ValueError: a range that begins after its end, or below 0.
    """
    for low, high in (theirs, ours):
        if not 0 <= low <= high:
            msg = f"no range of versions: {low} to {high}"
            raise ValueError(msg)
    highest = min(theirs[1], ours[1])
    return highest if highest >= max(theirs[0], ours[0]) else None
