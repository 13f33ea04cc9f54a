"""verify: does a proof hold? Of a file without kezd; of an account, a handle or a key by asking it.

Exit codes: 0 it holds, 8 it does not, 7 it could not be checked, 5 there is none.
"""

import argparse

from kez_cli.command import Command
from kez_cli.context import Context, Json
from kez_cli.states import NOT_THERE, exit_code, mark, paint, row_of, state_of, table
from kez_cli.terminal import date, note, now, plain
from kezd.client.offline import ChainCheck, ProofCheck, check_chain, check_proofs
from kezd.errors import RequestError, Slug

FILE = "file"
PERSON = "person"
MOST_BYTES = 16 * 1024 * 1024
"""More than any proof, page or chain has."""


def verify(context: Context) -> int:
    """Check a file here, or have kezd check anything else."""
    options = context.options
    if options.what == FILE:
        if options.file is None:
            raise RequestError(
                Slug.INVALID_ARGUMENT, "which file?", hint="kez verify file kez.md, or - for stdin"
            )
        return _file(context, options.file)
    if options.file is not None or options.chain is not None:
        raise RequestError(
            Slug.INVALID_ARGUMENT,
            "a file goes with the word file",
            hint=f"kez verify file {options.file or options.what}",
        )
    return _ask(context, options.what)


def read_bytes(path: str) -> bytes:
    """The content of a file (`-`: stdin), at most 16 MiB.

    Raises:
        RequestError: it is larger, or cannot be read.
    """
    try:
        with open(0 if path == "-" else path, "rb", closefd=path != "-") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise RequestError(Slug.INVALID_ARGUMENT, f"cannot read {path}: {error.strerror}") from error
    if len(data) > MOST_BYTES:
        raise RequestError(Slug.TOO_LARGE, f"{path} has more than {MOST_BYTES} bytes")
    return data


def _file(context: Context, path: str) -> int:
    chain = None
    if context.options.chain is not None:
        chain = check_chain(read_bytes(context.options.chain))
    checks = check_proofs(read_bytes(path).decode("utf-8", "replace"), now() / 1000, chain)
    code = exit_code([check.status for check in checks]) if checks else NOT_THERE
    if context.json:
        context.print_json({"proofs": [check._asdict() for check in checks], "published": None})
        return code
    if not checks:
        note(f"kez: there is no KEZ proof in {path}")
        note("  one begins with kez:z1:, or is a JSON object with `kez`, `payload` and `signature`")
    for check in checks:
        _print(context, path, check)
    _what_was_not_looked_at(checks, chain)
    return code


def _print(context: Context, path: str, check: ProofCheck) -> None:
    terminal, state = context.terminal, state_of(check.status)
    what = plain(check.subject) or f"{path}, line {check.line}, column {check.column}"
    terminal.line(f"{mark(terminal, state)} {terminal.strong(what)}  {paint(terminal, state, state.words)}")
    terminal.pairs(
        [
            ("  why", "" if state.exit_code == 0 else plain(check.reason)),
            ("  by", plain(check.primary)),
            ("  signed", date(check.created_at * 1000) if check.created_at is not None else None),
            ("  until", date(check.expires_at * 1000) if check.expires_at is not None else None),
        ]
    )


def _what_was_not_looked_at(checks: "list[ProofCheck]", chain: ChainCheck | None) -> None:
    """Said each time: a signature that holds is no proof until one knows where it was published."""
    good = [check for check in checks if state_of(check.status).exit_code == 0]
    if not good:
        return
    seen = "form, signature and expiry" if chain is None else "form, signature, expiry and the given sigchain"
    note(f"Only {seen} were looked at, here, without the network.")
    note("That it stands where only its owner can publish, and is not taken back, is checked by:")
    for subject in dict.fromkeys(check.subject for check in good):
        note(f"  kez verify {plain(subject)}")
        if not subject.isascii():
            note(
                "  (that name has letters outside ASCII, which may look like others: \\u{...} is written for them)"
            )


def _ask(context: Context, what: str) -> int:
    with context.connect() as client:
        result = context.long_call(client, "graph.verify", what=what, fresh=context.options.fresh)
    if context.json:
        context.print_json(result)
    else:
        _print_result(context, result)
    return exit_code([result["status"]])


def _print_result(context: Context, result: Json) -> None:
    """What was asked for, each claim, and the evidence of one."""
    terminal, state = context.terminal, state_of(result["status"])
    claims = [row_of(claim) for claim in result["claims"]]
    if result["kind"] == PERSON or not claims:
        name = f"@{plain(result['handle'])}" if result.get("handle") else plain(result.get("primary") or "")
        parts = (terminal.strong(name) if name else "", paint(terminal, state, state.words))
        terminal.line(f"{mark(terminal, state)} {'  '.join(filter(None, parts))}")
        note(plain(result["reason"]))
    table(terminal, claims, now())
    if result["kind"] != PERSON:
        terminal.pairs([("  by", plain(result.get("primary") or ""))])
        for claim in result["claims"]:
            _print_evidence(context, claim.get("evidence") or {})


def _print_evidence(context: Context, evidence: Json) -> None:
    context.terminal.pairs(
        [
            ("  where", plain(evidence.get("where") or "")),
            ("  signed", date(evidence["signed_at"]) if evidence.get("signed_at") else None),
            ("  until", date(evidence["expires_at"]) if evidence.get("expires_at") else None),
            ("  sha256", evidence.get("proof_sha256")),
        ]
    )


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", help="file, or with kezd: github:alice, dns:example.com, @alice, a primary, a proof"
    )
    parser.add_argument("file", nargs="?", metavar="FILE", help="after file: what to look through (-: stdin)")
    parser.add_argument("--chain", metavar="FILE", help="after file: a sigchain that may take it back")
    parser.add_argument("--fresh", action="store_true", help="look again, whatever was found lately")


COMMANDS = (
    Command(
        "verify",
        verify,
        "check a proof: of a file, an account, a person",
        "  kez verify file kez.md    # no network needed\n  kez verify github:alice\n  kez verify @alice --fresh",
        _arguments,
    ),
)
