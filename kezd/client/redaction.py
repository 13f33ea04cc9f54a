"""What may leave this machine of a text: structure, numbers and our own constant words.

Pure and standard library only: the daemon uses it for `daemon.report`, the command line for what it
adds while kezd is down. Lines of the log are taken apart and only known fields are kept, so that a
new kind of line tells too little and never too much; free text is scrubbed of everything that looks
like a name, a key, an address or a path of a person.
"""

import re
from collections.abc import Iterable

_LINE = re.compile(r'(?:^|\s)(\w+)=("(?:[^"\\]|\\.)*"|\S*)')
_KEPT = frozenset({"time", "level", "logger"})
_WORDS = frozenset(
    {"link", "state", "slug", "method", "kind", "signal", "code", "version", "topic", "incident"}
)
"""Fields whose values are words of ours."""
_WORD = re.compile(r"[a-z0-9][a-z0-9_.$/+-]{0,40}")
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]+)?")
_FRAME = re.compile(
    r'File \\?"[^"\\]*?((?:kezd|kez_cli|site-packages|python3\.[0-9]+)/[\w./-]+)\\?", line (\d+), in (\w+)'
)
_RAISED = re.compile(r"(?:^|\\n)([A-Za-z_][\w.]*(?:Error|Exception|Group|Exit|Interrupt))\b")
_SCRUBBED = (
    (re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s\"'<>)]*", re.IGNORECASE), "<url>"),
    (re.compile(r"@?[\w.+-]+@[\w.-]+"), "<handle>"),
    (re.compile(r"(?<!\w)@[\w.-]+"), "<handle>"),
    (re.compile(r"\b[0-9a-fA-F]{16,}\b"), "<key>"),
    (re.compile(r"(?<![\w/])[A-Za-z0-9+_-]{32,}={0,2}"), "<key>"),
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b"), "<address>"),
    (re.compile(r"\[?[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){3,}\]?(?::\d+)?", re.IGNORECASE), "<address>"),
    (re.compile(r"(?<![\w<])~?/(?:[\w.+ -]+/)*[\w.+-]*"), "<path>"),
    (
        re.compile(r"\b(?:[a-z0-9-]+\.)+(?!py\b|db\b|sock\b|log\b|toml\b|service\b|socket\b)[a-z]{2,}\b"),
        "<name>",
    ),
)


def scrub(text: str, private: Iterable[str] = ()) -> str:
    """Free text without what looks private, and without these very strings.

    Args:
        text: any.
        private: known names; shorter than three characters they are left alone.
    """
    for word in sorted({w for w in private if len(w) > 2}, key=len, reverse=True):
        text = re.sub(re.escape(word), "<private>", text, flags=re.IGNORECASE)
    for pattern, instead in _SCRUBBED:
        text = pattern.sub(instead, text)
    return text


def redact_log_line(line: str) -> str:
    """One line of kezd's log with the values that are numbers or words of ours; the rest is `…`."""
    fields = dict(_LINE.findall(line))
    if "level" not in fields or "logger" not in fields:
        return "(a line that is not kezd's)"
    ours = fields["logger"].startswith(("kezd.", "kez_cli."))
    parts = []
    for name, value in fields.items():
        if name in _KEPT:
            parts.append(f"{name}={value}")
        elif name == "msg":
            parts.append(f"msg={scrub(value) if ours else '…'}")
        elif name == "traceback":
            parts.append(f"traceback={_redact_traceback(value)}")
        elif _NUMBER.fullmatch(value) or (name in _WORDS and _WORD.fullmatch(value)):
            parts.append(f"{name}={value}")
        else:
            parts.append(f"{name}=…")
    return " ".join(parts)


def redact_log(lines: Iterable[str]) -> str:
    """Lines of the log, each redacted."""
    return "\n".join(redact_log_line(line) for line in lines if line.strip()) + "\n"


def _redact_traceback(value: str) -> str:
    """Where it happened and what was raised, never with which text."""
    frames = [f"{file}:{line}:{name}" for file, line, name in _FRAME.findall(value)]
    return "[" + " ".join([*frames, *_RAISED.findall(value)[-1:]]) + "]"
