"""How much is measured: the full run, and the quick one that only shows that every bench works."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """Counts; seconds where the name says so."""

    rounds: int
    """Interleaved repetitions of each throughput cell; the table has their medians."""
    pipelined: int
    """Messages of one pipelined round."""
    singles: int
    """Messages of one round of one at a time."""
    calls_seconds: float
    """Length of one RPC or HTTP cell."""
    starts: int
    """Repetitions of each process start."""
    identities: int
    """Connected identities at one home."""
    history: int
    """Messages in the large database."""
    pages: int
    """Pages read in each database."""
    events: int
    """Deliveries of one round of events, to all subscribers together; at least `events_least` events."""
    events_least: int
    events_singles: int
    """Events of one round of one at a time."""
    chain: int
    """Events of a long sigchain."""
    chain_appends: int
    """Events that each connection appends to a chain of its own."""
    proofs: int
    """Proofs that a round encodes, and decodes."""


FULL = Scale(
    rounds=5,
    pipelined=10_000,
    singles=500,
    calls_seconds=2.0,
    starts=20,
    identities=1_000,
    history=1_000_000,
    pages=400,
    events=300_000,
    events_least=6_000,
    events_singles=200,
    chain=10_000,
    chain_appends=100,
    proofs=5_000,
)
QUICK = Scale(
    rounds=1,
    pipelined=300,
    singles=20,
    calls_seconds=0.1,
    starts=1,
    identities=40,
    history=20_000,
    pages=50,
    events=6_000,
    events_least=512,
    events_singles=20,
    chain=300,
    chain_appends=5,
    proofs=100,
)
