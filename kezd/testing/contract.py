"""`make contract`: the table of methods beside what was announced, and what is made from it.

Compares the document of the table with the committed one (`tests/golden/openrpc.json`), and
the generated files (Python and TypeScript types, calls, the reference in `docs/rpc.md`) with
what they would be now. Anything that differs fails, and says how to announce it; `--announce`
writes everything anew and a line for each change into the changelog, but refuses a break of
a released version. The rules are in `kezd.api.compare`; here are only files.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from kezd.api import types as t
from kezd.api.compare import compare_documents, refuse
from kezd.api.generate.markdown import replace_generated
from kezd.api.generate.python_calls import sync_calls, trio_calls
from kezd.api.generate.python_types import python_modules
from kezd.api.generate.typescript import typescript_declarations
from kezd.api.methods import API_MIN, API_RELEASED, API_VERSION
from kezd.api.openrpc import build_document
from kezd.api.schema_compare import Change, Kind

Document = dict[str, Any]

GOLDEN = "tests/golden/openrpc.json"
SHAPES = "kezd/client/shapes"
PAGE = "docs/rpc.md"
CHANGELOG = "docs/CHANGELOG.md"
UNRELEASED = "Unreleased"
API = "API"
_HOW = "announce it: make contract ANNOUNCE=1"


def main(argv: list[str] | None = None) -> int:
    """Check, or announce; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m kezd.testing.contract", description="Check the API.")
    parser.add_argument("--announce", action="store_true", help="write golden file, clients, page, changelog")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="of the repository")
    arguments = parser.parse_args(argv)
    document = json.loads(json.dumps(build_document()))
    if arguments.announce:
        return announce(arguments.root, document)
    return check(arguments.root, document)


def check(root: Path, document: Document) -> int:
    """Say what differs; 0 when nothing does."""
    changes = compare_documents(_golden(root), document)
    stale = find_stale(root, generated_files(root, document))
    _say(changes)
    for name in stale:
        print(f"  stale: {name}")
    if changes or stale:
        print(f"The API is not the one that was announced. If it is meant, {_HOW}")
        return 1
    print(
        f"  API {API_VERSION} as announced: {len(document['methods'])} methods, clients and docs are current"
    )
    return 0


def announce(root: Path, document: Document, *, api_min: int = API_MIN, released: int = API_RELEASED) -> int:
    """Write everything anew, unless a promise would be broken."""
    changes = compare_documents(_golden(root), document)
    _say(changes)
    if refused := refuse(changes, api_min=api_min, released=released):
        print(
            f"Refused: API {released} is released, and {len(refused)} of these break its clients."
            " Keep the old and deprecate it, or raise API_VERSION and API_MIN in kezd/api/methods/__init__.py."
        )
        return 1
    write_changelog(root, changes)
    (root / GOLDEN).write_text(golden_text(document))
    files = generated_files(root, document)
    for path in _left_over(root, files):
        path.unlink()
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    print(f"  announced: {len(changes)} changes, {len(files)} files made anew")
    return 0


def generated_files(root: Path, document: Document) -> dict[str, str]:
    """Each generated file by its path, as it should be."""
    nouns = {
        name: str(getattr(t, name).__module__).rpartition(".")[2]
        for name in document["components"]["schemas"]
    }
    python = {
        "kezd/client/calls_sync.py": sync_calls(document),
        "kezd/client/calls_trio.py": trio_calls(document),
    }
    python |= {f"{SHAPES}/{name}": text for name, text in python_modules(document, nouns).items()}
    return {
        **{name: _formatted(name, text) for name, text in python.items()},
        "clients/web/kezd-rpc.d.ts": typescript_declarations(document),
        PAGE: replace_generated((root / PAGE).read_text(), document),
    }


def find_stale(root: Path, files: dict[str, str]) -> list[str]:
    """Generated files that are not what they should be, and shapes of nouns that are gone."""
    stale = [name for name, text in files.items() if _read(root / name) != text]
    return stale + [str(path.relative_to(root)) for path in _left_over(root, files)]


def golden_text(document: Document) -> str:
    """The document as it is committed."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def write_changelog(root: Path, changes: list[Change]) -> None:
    """A line for each change of the contract, at the end of the unreleased API section."""
    lines = [_changelog_line(change) for change in changes if change.kind is not Kind.WORDING]
    title, *releases = (root / CHANGELOG).read_text().split("\n## ")
    if not releases or not releases[0].startswith(UNRELEASED):
        releases.insert(0, f"{UNRELEASED}\n")
    fresh = [line for line in lines if line not in releases[0]]
    if not fresh:
        return
    opening, *sections = releases[0].split("\n### ")
    if all(not section.startswith(API) for section in sections):
        sections.append(f"{API}\n")
    sections = [_with_lines(section, fresh) if section.startswith(API) else section for section in sections]
    releases[0] = "\n### ".join([f"{opening.rstrip()}\n", *sections])
    (root / CHANGELOG).write_text("\n## ".join([f"{title.rstrip()}\n", *releases]))


def _with_lines(section: str, lines: list[str]) -> str:
    heading, _, entries = section.partition("\n")
    return f"{heading}\n\n" + "\n".join([*entries.strip().splitlines(), *lines]) + "\n"


def _changelog_line(change: Change) -> str:
    return f"- {'**Break.** ' if change.kind is Kind.BREAK else ''}`{change.place}`: {change.what}."


def _golden(root: Path) -> Document:
    document: Document = json.loads((root / GOLDEN).read_text())
    return document


def _say(changes: list[Change]) -> None:
    for change in changes:
        print(f"  {change.kind.value}: {change}")


def _left_over(root: Path, files: dict[str, str]) -> list[Path]:
    return [p for p in sorted((root / SHAPES).glob("*.py")) if str(p.relative_to(root)) not in files]


def _read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def _formatted(name: str, source: str) -> str:
    """As ruff would have it: imports in order, lines broken."""
    ruff = str(Path(sys.executable).parent / "ruff")
    for command in (["check", "--fix-only", "--quiet"], ["format", "--quiet"]):
        done = subprocess.run(
            [ruff, *command, "--stdin-filename", name, "-"],
            input=source,
            capture_output=True,
            text=True,
            check=True,
        )
        source = done.stdout
    return source


if __name__ == "__main__":
    sys.exit(main())
