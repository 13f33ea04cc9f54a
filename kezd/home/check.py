"""`kezd-home check`: what is wrong with a NATS of one's own, and how to mend it.

Looks, never changes: it asks each broker about itself through the admin key, reads the four
accounts, and makes one connection attempt that must reach the callout. Every finding says what
was seen and, unless it is good, what to do. Exit code 0 when nothing failed, else 1.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import msgspec

from kezd.home.check_callout import issuer_seen_by_callout
from kezd.home.errors import HomeSetupError, HomeUnavailableError
from kezd.home.nats_config import (
    AUTH_ACCOUNT,
    CLIENTS_ACCOUNT,
    KIB,
    MAX_PAYLOAD,
    SERVICES,
    STORE_ACCOUNT,
    SYS_ACCOUNT,
)
from kezd.home.nats_keys import HomeKeys, NatsKey, load_keys
from kezd.home.nats_link import NatsLink
from kezd.home.settings import Settings
from kezd.kez.timestamps import parse_timestamp
from kezd.runtime.clock import Clock

CONNECT_SECONDS = 5.0
CLOCK_SKEW_SECONDS = 5.0
MIN_STORAGE = 1024 * 1024 * 1024
MIN_CONSUMERS = 10_000
MIN_VERSION = (2, 10)
SMALLEST_PAYLOAD = 200 * KIB


class Level(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: its name, how it came out, what was seen, what to do."""

    check: str
    level: Level
    found: str
    fix: str = ""


async def run(settings: Settings, clock: Clock, *, as_json: bool) -> int:
    """Check and print; the exit code."""
    findings = await diagnose(settings, clock)
    failed = any(finding.level is Level.FAIL for finding in findings)
    if as_json:
        _print(json.dumps({"ok": not failed, "findings": [asdict(finding) for finding in findings]}))
    else:
        for finding in findings:
            _print(f"{finding.level.value:<4} {finding.check}: {finding.found}")
            if finding.fix:
                _print(f"     → {finding.fix}")
        _print("something must be mended" if failed else "this NATS is good for kezd-home")
    return 1 if failed else 0


async def diagnose(settings: Settings, clock: Clock) -> list[Finding]:
    """Every check that can be made, in order; later ones need the earlier ones."""
    try:
        keys = load_keys(
            settings.keys_directory, settings.issuer_path, handed_over=settings.credentials is not None
        )
    except HomeSetupError as error:
        return [Finding("keys", Level.FAIL, str(error), error.hint)]
    findings = [Finding("keys", Level.OK, "four key files, readable by their owner only")]
    reachable = await _reachable(settings.own_nats_urls)
    findings.append(reachable)
    if reachable.level is Level.FAIL:
        return findings
    roles = (
        ("admin", keys.admin, SYS_ACCOUNT),
        ("home", keys.home, STORE_ACCOUNT),
        ("callout", keys.callout, AUTH_ACCOUNT),
    )
    findings += await asyncio.gather(*(_check_role(settings, *role) for role in roles))
    if any(finding.level is Level.FAIL for finding in findings):
        return findings
    async with _link(settings, "admin", keys.admin) as admin, _link(settings, "home", keys.home) as home:
        findings += await _check_servers(admin, clock)
        findings += await _check_accounts(admin)
        findings.append(await _check_jetstream(home))
    findings.append(await _check_issuer(settings, keys))
    return findings


@asynccontextmanager
async def _link(settings: Settings, name: str, key: NatsKey) -> AsyncIterator[NatsLink]:
    async with NatsLink.open(f"check {name}", settings.own_nats_urls, key, patient=False) as link:
        yield link


async def _reachable(urls: tuple[str, ...]) -> Finding:
    for url in urls:
        parts = urlsplit(url if "://" in url else f"nats://{url}")
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 4222)
                line = await reader.readline()
                writer.close()
            info = msgspec.json.decode(line.removeprefix(b"INFO "), type=dict[str, Any])
        except (OSError, TimeoutError, msgspec.DecodeError, ValueError) as error:
            fix = "start nats-server, or correct --nats-url"
            return Finding("connection", Level.FAIL, f"{url}: {str(error) or 'no answer'}", fix)
        if "nonce" not in info:
            fix = (
                "list the nkey users of `kezd-home init` in the accounts: the server sends a nonce only then"
            )
            return Finding("connection", Level.FAIL, f"{url} sends no nonce", fix)
    return Finding("connection", Level.OK, f"{', '.join(urls)} answers")


async def _check_role(settings: Settings, name: str, key: NatsKey, account: str) -> Finding:
    check = f"{name} key"
    fix = f"put nkey {key.public} into account {account}, and into auth_users"
    try:
        async with _link(settings, name, key) as link:
            answer = await link.request_json("$SYS.REQ.USER.INFO", None)
    except HomeUnavailableError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            fix = "write the certificate's host name in --nats-url, and its authority in SSL_CERT_FILE"
        return Finding(check, Level.FAIL, f"cannot log in: {error}", fix)
    seen = str(answer.get("data", {}).get("account", ""))
    if seen != account:
        return Finding(check, Level.FAIL, f"it is in account {seen or 'unknown'}, not {account}", fix)
    return Finding(check, Level.OK, f"in account {account}")


async def _check_servers(admin: NatsLink, clock: Clock) -> list[Finding]:
    findings = []
    for message in await admin.gather("$SYS.REQ.SERVER.PING.VARZ", {}):
        facts = msgspec.json.decode(message.data, type=dict[str, Any])["data"]
        name = str(facts.get("server_name"))
        findings += [
            _version(name, str(facts.get("version", "0"))),
            _payload(name, int(facts.get("max_payload", 0))),
            _sync(name, facts.get("jetstream") or {}),
            _clock(name, str(facts.get("now", "")), clock.now()),
        ]
    return findings


def _version(server: str, version: str) -> Finding:
    numbers = tuple(int(part) for part in version.split("-")[0].split(".")[:2] if part.isdigit())
    if numbers < MIN_VERSION:
        return Finding(f"version of {server}", Level.FAIL, version, "upgrade nats-server to 2.10 or newer")
    return Finding(f"version of {server}", Level.OK, version)


def _payload(server: str, size: int) -> Finding:
    check = f"max_payload of {server}"
    if size < SMALLEST_PAYLOAD:
        return Finding(check, Level.FAIL, f"{size} bytes", f"set max_payload: {MAX_PAYLOAD // KIB}KB")
    if size > 4 * MAX_PAYLOAD:
        fix = f"max_payload: {MAX_PAYLOAD // KIB}KB is enough, more only helps floods"
        return Finding(check, Level.WARN, f"{size} bytes", fix)
    return Finding(check, Level.OK, f"{size} bytes")


def _sync(server: str, jetstream: dict[str, Any]) -> Finding:
    check, config = f"sync of {server}", jetstream.get("config") or {}
    if not config:
        return Finding(check, Level.FAIL, "JetStream is off", "add a jetstream { } block to this server")
    if config.get("sync_always"):
        return Finding(check, Level.OK, "sync_interval is always")
    seconds = int(config.get("sync_interval", 0)) // 1_000_000_000
    fix = "set jetstream { sync_interval: always }, or run three replicas"
    return Finding(check, Level.WARN, f"it syncs every {seconds} s: a power cut loses accepted mail", fix)


def _clock(server: str, now: str, ours: float) -> Finding:
    check = f"clock of {server}"
    skew = abs(parse_timestamp(now.partition(".")[0].removesuffix("Z") + "Z") - ours)
    if skew > CLOCK_SKEW_SECONDS:
        return Finding(check, Level.FAIL, f"{skew:.0f} s off from here", "run NTP on both machines")
    return Finding(check, Level.OK, "agrees with this machine")


async def _check_accounts(admin: NatsLink) -> list[Finding]:
    clients = (await admin.request_json(f"$SYS.REQ.ACCOUNT.{CLIENTS_ACCOUNT}.INFO", None)).get("data") or {}
    store = (await admin.request_json(f"$SYS.REQ.ACCOUNT.{STORE_ACCOUNT}.INFO", None)).get("data") or {}
    findings = []
    if not clients:
        return [Finding("account CLIENTS", Level.FAIL, "there is none", "copy the accounts from nats.conf")]
    if clients.get("jetstream_enabled"):
        fix = "remove `jetstream` from CLIENTS: with it any user can delete the stream"
        findings.append(Finding("account CLIENTS", Level.FAIL, "it has JetStream", fix))
    else:
        findings.append(Finding("account CLIENTS", Level.OK, "has no JetStream"))
    imports = {row["subject"] for row in clients.get("imports") or [] if row.get("account") == STORE_ACCOUNT}
    exports = {row["subject"] for row in store.get("exports") or []}
    findings.append(_services("imports of CLIENTS", imports))
    findings.append(_services("exports of STORE", exports))
    return findings


def _services(check: str, seen: set[str]) -> Finding:
    missing, extra = sorted(set(SERVICES) - seen), sorted(seen - set(SERVICES))
    if missing:
        return Finding(check, Level.FAIL, f"missing: {', '.join(missing)}", "copy them from nats.conf")
    if extra:
        fix = "remove them: what people can reach is no longer only their mail"
        return Finding(check, Level.FAIL, f"more than there should be: {', '.join(extra)}", fix)
    return Finding(check, Level.OK, "the four services, and no more")


async def _check_jetstream(home: NatsLink) -> Finding:
    try:
        answer = await home.request_json("$JS.API.INFO", None)
    except HomeUnavailableError:
        fix = "add a jetstream { } block to the server, and one to account STORE"
        return Finding("JetStream in STORE", Level.FAIL, "no JetStream answers", fix)
    error = answer.get("error")
    if error:
        return Finding(
            "JetStream in STORE", Level.FAIL, str(error.get("description")), "enable jetstream in STORE"
        )
    limits = answer.get("limits") or {}
    storage, consumers = int(limits.get("max_storage", -1)), int(limits.get("max_consumers", -1))
    if 0 <= storage < MIN_STORAGE:
        return Finding(
            "JetStream in STORE", Level.FAIL, f"max_file is {storage} bytes", "give STORE at least 1G"
        )
    if 0 <= consumers < MIN_CONSUMERS:
        fix = "each person takes one consumer: set max_consumers: 200000"
        return Finding("JetStream in STORE", Level.WARN, f"max_consumers is {consumers}", fix)
    return Finding("JetStream in STORE", Level.OK, f"max_file {storage}, max_consumers {consumers}")


async def _check_issuer(settings: Settings, keys: HomeKeys) -> Finding:
    seen = await issuer_seen_by_callout(settings.own_nats_urls, keys.callout)
    if seen is None:
        fix = f"add auth_callout {{ issuer: {keys.issuer.public}, account: AUTH, auth_users: [...] }}"
        return Finding("auth callout", Level.FAIL, "a stranger's login does not reach the callout", fix)
    if seen != keys.issuer.public:
        fix = f"set auth_callout issuer: {keys.issuer.public} (or AUTH_CALLOUT_NKEY_PATH to its seed)"
        return Finding("auth callout", Level.FAIL, f"the server's issuer is {seen}", fix)
    return Finding("auth callout", Level.OK, "a stranger's login reaches it, and the issuer is ours")


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command line prints
