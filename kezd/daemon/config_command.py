"""`kezd config`: every setting with its value and where the value comes from."""

import json
import sys

from kezd.runtime.config import Config, explain
from kezd.runtime.paths import Paths


def print_config(config: Config, paths: Paths, *, as_json: bool) -> None:
    """Print settings and directories, for people or as one JSON object."""
    places = {
        "config": str(paths.config_file),
        "data": str(paths.data),
        "state": str(paths.state),
        "socket": str(paths.socket),
        "log": str(paths.log_file),
    }
    rows = explain(config)
    if as_json:
        settings = {row.name: {"value": row.value, "origin": row.origin, "doc": row.doc} for row in rows}
        sys.stdout.write(json.dumps({"settings": settings, "paths": places}) + "\n")
        return
    width = max(len(row.name) for row in rows)
    lines = [f"{row.name:<{width}}  {row.value:<24} ({row.origin})  {row.doc}" for row in rows]
    lines += ["", *(f"{name:<{width}}  {place}" for name, place in places.items())]
    sys.stdout.write("\n".join(lines) + "\n")
