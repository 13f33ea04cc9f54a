"""The identity graph: verifying a long chain, the encodings of a proof, the sigchain server."""

import secrets
import tempfile
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

import coincurve
import msgspec
import zstandard
from nacl import bindings

from bench.figures import Sample, interleave
from bench.processes import Child, run
from bench.scale import Scale
from bench.table import Row, Table
from kezd.kez.claims import claim_payload
from kezd.kez.envelope import Envelope, encode_envelope
from kezd.kez.jcs import canonicalize
from kezd.kez.keys import Seed
from kezd.kez.nostr_keys import NostrSecret
from kezd.kez.nostr_signing import NostrSigner
from kezd.kez.proofs import Encoding, encode_proof, find_proof
from kezd.kez.sigchain import Chain, add, decode_jsonl, encode_jsonl, event_from_envelope, event_payload
from kezd.kez.signing import Signer
from kezd.testing.home_driver import HomeProcess

SERVER = "kez.test"
CONNECTIONS = 16
NOW = 1_767_225_600
ROUNDS = 3
MICRO = 1e6


def measure(scale: Scale) -> list[Table]:
    """Everything about the identity graph."""
    with tempfile.TemporaryDirectory(prefix="kezd-bench-") as directory:
        return [_chains(scale), _encodings(scale), _server(Path(directory), scale)]


# --- a long chain ------------------------------------------------------------------------


def _grown(signer: Signer | NostrSigner, count: int) -> Chain:
    """A chain of so many events, put together in one go: one by one, copies of it would cost the most."""
    events = []
    chain = Chain.empty(signer.public)
    payload = event_payload(chain, "add", add("github:alice0"), NOW)
    for number in range(count):
        event = event_from_envelope(signer.sigchain_event(payload))
        events.append(event)
        payload = {**payload, "seq": number + 2, "prev": event.hash, "subject": f"github:alice{number + 1}"}
    return chain.extend(events)


def _chains(scale: Scale) -> Table:
    ed25519, nostr = Signer(Seed(secrets.token_bytes(32))), NostrSigner(NostrSecret(secrets.token_bytes(32)))
    cells: dict[str, Callable[[], Sample]] = {}
    for name, signer in (("ed25519", ed25519), ("nostr", nostr)):
        chain = _grown(signer, scale.chain)
        cells[name] = _verifying(chain)
        cells[f"{name} bare"] = _bare(chain, name)
    found = interleave(cells, min(scale.rounds, ROUNDS))
    rows = [
        Row(f"{name}: verify an event of a chain", found[name]["us"], found[f"{name} bare"]["us"], "µs")
        for name in ("ed25519", "nostr")
    ]
    return Table(
        f"Sigchains: verify {scale.chain:,} events",
        rows,
        [
            "`decode_jsonl` of the whole chain, divided by its events: JSON, canonical form, hashes, place, operation,"
            " signature. Baseline: the signature alone, by libsodium (ed25519) and by libsecp256k1 with the point lifted"
            " once (nostr), of the same payloads."
        ],
    )


def _verifying(chain: Chain) -> Callable[[], Sample]:
    data, genesis, count = encode_jsonl(chain), chain.genesis, len(chain.events)

    def cell() -> Sample:
        begun = time.perf_counter()
        decoded = decode_jsonl(data, genesis)
        took = time.perf_counter() - begun
        assert decoded.head == chain.head
        return {"us": took / count * MICRO}

    return cell


def _bare(chain: Chain, name: str) -> Callable[[], Sample]:
    pairs = [(bytes.fromhex(event.sig), canonicalize(event.envelope.payload)) for event in chain.events]
    key, count = chain.genesis.raw, len(pairs)

    def ed25519() -> None:
        for signature, payload in pairs:
            bindings.crypto_sign_open(signature + payload, key)

    def nostr() -> None:
        point = coincurve.PublicKeyXOnly(key)
        for signature, payload in pairs:
            assert point.verify(signature, coincurve.utils.sha256(payload))

    work = {"ed25519": ed25519, "nostr": nostr}[name]

    def cell() -> Sample:
        begun = time.perf_counter()
        work()
        return {"us": (time.perf_counter() - begun) / count * MICRO}

    return cell


# --- encodings -----------------------------------------------------------------------------


def _encodings(scale: Scale) -> Table:
    signer = Signer(Seed(secrets.token_bytes(32)))
    envelope = signer.claim(claim_payload(signer.public, "dns:alice.example", NOW))
    cells: dict[str, Callable[[], Sample]] = {}
    for encoding in Encoding:
        text = encode_proof(envelope, encoding, "alice.example")
        assert find_proof(text) == envelope
        cells[f"{encoding} out"] = _rate(lambda e=encoding: encode_proof(envelope, e, "alice.example"), scale)
        cells[f"{encoding} in"] = _rate(lambda t=text: find_proof(t), scale)
    for name, work in _bare_encodings(envelope).items():
        cells[name] = _rate(work, scale)
    found = interleave(cells, min(scale.rounds, ROUNDS))
    rows = []
    for encoding in Encoding:
        kind = "json" if encoding is Encoding.JSON else "packed"
        for way, what in (("out", "encode"), ("in", "find and decode")):
            ours, bare = found[f"{encoding} {way}"]["rate"], found[f"bare {kind} {way}"]["rate"]
            rows.append(Row(f"{what}: {encoding}", ours, bare, "/s"))
    return Table(
        "Proofs: the four encodings",
        rows,
        [
            "One claim, out as text and back to a checked envelope (without its signature). Baseline: msgspec's JSON of"
            " the same object, for the other three with zstd (the same level) and base64 around it; no checks, no search."
        ],
    )


def _bare_encodings(envelope: Envelope) -> dict[str, Callable[[], object]]:
    value, data = envelope.to_value(), encode_envelope(envelope)
    packer, unpacker = zstandard.ZstdCompressor(level=9), zstandard.ZstdDecompressor()
    packed = urlsafe_b64encode(packer.compress(data))
    return {
        "bare json out": lambda: msgspec.json.encode(value),
        "bare json in": lambda: msgspec.json.decode(data),
        "bare packed out": lambda: urlsafe_b64encode(packer.compress(msgspec.json.encode(value))),
        "bare packed in": lambda: msgspec.json.decode(unpacker.decompress(urlsafe_b64decode(packed))),
    }


def _rate(work: Callable[[], object], scale: Scale) -> Callable[[], Sample]:
    def cell() -> Sample:
        begun = time.perf_counter()
        for _ in range(scale.proofs):
            work()
        return {"rate": scale.proofs / (time.perf_counter() - begun)}

    return cell


# --- the sigchain server -------------------------------------------------------------------


def _server(directory: Path, scale: Scale) -> Table:
    size = 64 + 520 * scale.chain_appends  # about what a chain of so many events has

    def load(append_port: int, read_port: int) -> Sample:
        heard = run("chain_load", *map(str, (scale.chain_appends, CONNECTIONS, append_port, read_port)))
        return {
            "appends": heard["appends"] / heard["append_seconds"],
            "reads": heard["reads"] / heard["read_seconds"],
            "bytes": heard["bytes"],
        }

    with HomeProcess.start(directory / "home", server=SERVER) as home:
        port = int(home.url.rpartition(":")[2])
        with Child.start("http_constant", "120") as taken, Child.start("http_constant", str(size)) as shown:
            ports = taken.hear()["port"], shown.hear()["port"]
            cells = {"home": lambda: load(port, port), "constant": lambda: load(*ports)}
            found = interleave(cells, scale.rounds)
    home_, constant = found["home"], found["constant"]
    return Table(
        "Home: the sigchain server",
        [
            Row("appends", home_["appends"], constant["appends"], "/s"),
            Row("reads of a whole chain", home_["reads"], constant["reads"], "/s"),
        ],
        [
            f"{CONNECTIONS} kept connections, each with a chain of its own of {scale.chain_appends:,} events (SQLite, synced),"
            f" appended one by one and then read as often ({home_['bytes'] / 1024:.0f} KiB); median of {scale.rounds} rounds."
            " Each append verifies the event against its chain. Baseline: Starlette on uvicorn and uvloop that reads the"
            " body and answers a constant of about the same size."
        ],
    )
