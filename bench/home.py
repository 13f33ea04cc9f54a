"""The home server: lookups, logins through the auth callout, and what a connected identity costs."""

import http.client
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.figures import Sample, interleave
from bench.processes import Child, Memory, run
from bench.scale import Scale
from bench.table import Row, Table
from kezd.kez.envelope import encode_envelope
from kezd.kez.handles import Handle
from kezd.kez.keys import Seed
from kezd.kez.registration import registration_payload
from kezd.kez.signing import Signer
from kezd.runtime.clock import SystemClock
from kezd.testing.home_driver import HomeProcess

SERVER = "kez.test"
CONNECTIONS = 32
"""HTTP connections of a lookup cell, as the reference measurements had them."""
LOGINS_AT_ONCE = 32
KIB, MIB = 1024, 1024 * 1024


def measure(scale: Scale) -> list[Table]:
    """Everything about the home server."""
    with tempfile.TemporaryDirectory(prefix="kezd-bench-") as directory:
        return [_lookups(Path(directory), scale), *_crowds(Path(directory), scale)]


def register(home: HomeProcess, seeds: Sequence[str]) -> int:
    """Give each key a handle, `person<n>`; returns the bytes of one record."""
    connection = http.client.HTTPConnection("127.0.0.1", _port(home.url))
    now = int(SystemClock().now())
    size = 0
    for number, seed in enumerate(seeds):
        signer = Signer(Seed(bytes.fromhex(seed)))
        payload = registration_payload(Handle(f"person{number}", SERVER), signer.public, now)
        connection.request("POST", "/v1/register", encode_envelope(signer.registration(payload)))
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 201:
            raise RuntimeError(f"registration: {answer.status} {body!r}")
        size = len(body)
    connection.close()
    return size


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


def _lookups(directory: Path, scale: Scale) -> Table:
    def load(port: int) -> Sample:
        arguments = (port, CONNECTIONS, scale.calls_seconds, scale.identities)
        heard = run("http_load", *map(str, arguments))
        return {"rate": heard["requests"] / heard["seconds"]}

    with HomeProcess.start(directory / "lookups", server=SERVER) as home:
        size = register(home, _seeds(scale.identities))
        with Child.start("http_constant", str(size)) as constant:
            port = constant.hear()["port"]
            cells = {"home": lambda: load(_port(home.url)), "constant": lambda: load(port)}
            found = interleave(cells, scale.rounds)
    rates = found["home"]["rate"], found["constant"]["rate"]
    return Table(
        "Home: lookups",
        [Row("handle lookups", *rates, "/s", "≥ 0.8", "≥ 0.95")],
        [
            f"`GET /v1/u/<handle>` among {scale.identities:,} handles (SQLite), {CONNECTIONS} kept connections,"
            f" median of {scale.rounds} rounds. Baseline: Starlette on uvicorn and uvloop answering a constant"
            f" of the same {size} bytes."
        ],
    )


def _crowds(directory: Path, scale: Scale) -> list[Table]:
    """Logins a second and memory, through the callout and without it, a fresh home each time."""
    count, homes = scale.identities, iter(range(2 * scale.rounds))
    seeds = _seeds(count)

    def cell(mode: str) -> Sample:
        place = directory / f"crowd{next(homes)}"
        with HomeProcess.start(place, server=SERVER) as home:
            register(home, seeds)
            people = place / "people.txt"
            people.write_text("\n".join(seeds))
            return _gather(home, mode, people, count)

    found = interleave({"callout": lambda: cell("callout"), "static": lambda: cell("static")}, scale.rounds)
    callout, static = found["callout"], found["static"]
    held = "memory of {} for one connected identity"
    logins = Table(
        "Home: logins through the auth callout",
        [
            Row("logins", callout["logins"], static["logins"], "/s"),
            Row("sessions granted, each with its consumer", callout["sessions"], None, "/s"),
        ],
        [
            f"{count:,} identities, {LOGINS_AT_ONCE} at once, one asyncio process as the crowd; median of {scale.rounds}"
            " rounds. Baseline: the same client logging in to the same nats-server with a key of its configuration,"
            " no callout."
        ],
    )
    memory = Table(
        f"Home: {count:,} connected identities",
        [
            Row(held.format("home + nats-server"), callout["both"] / KIB, static["both"] / KIB, "KiB",
                "≤ 256 KiB", "≤ 154 KiB"),
            Row(held.format("nats-server"), callout["nats"] / KIB, static["nats"] / KIB, "KiB"),
            Row(held.format("home"), callout["home"] / KIB, static["home"] / KIB, "KiB"),
            Row("nats-server with all of them", callout["nats_all"] / MIB, static["nats_all"] / MIB, "MiB"),
            Row("home with all of them", callout["home_all"] / MIB, static["home_all"] / MIB, "MiB"),
        ],
        [
            "Anonymous memory. For one identity: what grew from before the first login until each had a session and a pull"
            " waiting, divided by their number; a fresh home and nats-server each time. Baseline: as many bare"
            " connections with one subscription each."
        ],
    )  # fmt: skip
    return [logins, memory]


def _seeds(count: int) -> list[str]:
    return [secrets.token_hex(32) for _ in range(count)]


def _gather(home: HomeProcess, mode: str, people: Path, count: int) -> Sample:
    home_before, nats_before = Memory.of(home.pid).anonymous, Memory.of(home.nats_pid).anonymous
    with Child.start("nats_crowd", mode, home.nats_url, str(people), str(LOGINS_AT_ONCE)) as crowd:
        crowd.hear()
        crowd.tell("go")
        logins, sessions = crowd.hear()["seconds"], crowd.hear()["seconds"]
        home_all, nats_all = Memory.of(home.pid).anonymous, Memory.of(home.nats_pid).anonymous
    return {
        "logins": count / logins,
        "sessions": count / sessions,
        "home": (home_all - home_before) / count,
        "nats": (nats_all - nats_before) / count,
        "both": (home_all + nats_all - home_before - nats_before) / count,
        "home_all": home_all,
        "nats_all": nats_all,
    }
