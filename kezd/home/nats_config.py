"""The generated `nats.conf`: four accounts, so that no user shares one with JetStream.

nats-server checks the right to publish on the subject, never on the reply; in an account that
has JetStream one user could delete the stream with one reply subject. So: SYS (admin), AUTH (the
callout, nothing else), STORE (JetStream and home), CLIENTS (people, no JetStream, four imported
services). Pure: text out. `deploy/nats.conf` is this text with comments for operators.
"""

from dataclasses import dataclass
from pathlib import Path

from kezd.home.nats_keys import HomeKeys

CLIENTS_ACCOUNT = "CLIENTS"
STORE_ACCOUNT = "STORE"
AUTH_ACCOUNT = "AUTH"
SYS_ACCOUNT = "SYS"
STREAM = "KEZ_INBOX"
INBOX_SUBJECTS = "kez.inbox.*.*.*"
SESSION_SUBJECTS = "kez.rpc.*.session"
PULL_SUBJECTS = f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.*"
ACK_SUBJECTS = f"$JS.ACK.{STREAM}.>"
SERVICES = (INBOX_SUBJECTS, SESSION_SUBJECTS, PULL_SUBJECTS, ACK_SUBJECTS)
"""What CLIENTS imports from STORE, and nothing else."""

KIB = 1024
MIB = 1024 * KIB
MAX_PAYLOAD = 256 * KIB
"""Bytes a NATS message may have; a sealed envelope is at most 192 KiB."""

LOG_BYTES = 16 * MIB
LOG_FILES = 4


@dataclass(frozen=True, slots=True)
class NatsConfig:
    """What differs from one home server to the next."""

    host: str
    port: int
    store_dir: Path
    log_path: Path
    pid_path: Path
    max_file_bytes: int
    sync_interval: str = "always"
    max_connections: int = 20_000
    websocket: str | None = None
    monitoring: str | None = None
    auth_timeout: float = 2.0


def render_nats_config(config: NatsConfig, keys: HomeKeys) -> str:
    """The whole text of nats.conf."""
    exports = "\n".join(f"      {_export(subject)}" for subject in SERVICES)
    imports = "\n".join(
        f'      {{ service: {{ account: {STORE_ACCOUNT}, subject: "{subject}" }} }}' for subject in SERVICES
    )
    return f"""\
# Written by kezd-home at each start: changes here do not last.
# For a NATS of your own, copy it and start with: kezd-home up --no-nats --nats-url URL
listen: "{config.host}:{config.port}"
server_name: kezd-home
max_payload: {MAX_PAYLOAD}
max_connections: {config.max_connections}
pid_file: "{config.pid_path}"
log_file: "{config.log_path}"
log_size_limit: {LOG_BYTES}
logfile_max_num: {LOG_FILES}
jetstream {{
  store_dir: "{config.store_dir}"
  max_mem: 64M
  max_file: {config.max_file_bytes}
  sync_interval: {config.sync_interval}
}}
accounts {{
  {SYS_ACCOUNT} {{ users: [ {{ nkey: {keys.admin.public} }} ] }}
  {AUTH_ACCOUNT} {{ users: [ {{ nkey: {keys.callout.public} }} ] }}
  {STORE_ACCOUNT} {{
    jetstream {{ max_mem: 64M, max_file: {config.max_file_bytes}, max_streams: 16, max_consumers: 200000 }}
    users: [ {{ nkey: {keys.home.public} }} ]
    exports: [
{exports}
    ]
  }}
  {CLIENTS_ACCOUNT} {{
    limits {{ max_connections: {config.max_connections}, max_subscriptions: {config.max_connections * 16}, max_payload: {MAX_PAYLOAD} }}
    imports: [
{imports}
    ]
  }}
}}
system_account: {SYS_ACCOUNT}
authorization {{
  timeout: {config.auth_timeout}
  auth_callout {{
    issuer: {keys.issuer.public}
    account: {AUTH_ACCOUNT}
    auth_users: [ {keys.callout.public}, {keys.home.public}, {keys.admin.public} ]
  }}
}}
{_listeners(config)}"""


def _export(subject: str) -> str:
    stream = ", response_type: stream" if subject == PULL_SUBJECTS else ""
    return f'{{ service: "{subject}"{stream}, accounts: [{CLIENTS_ACCOUNT}] }}'


def _listeners(config: NatsConfig) -> str:
    lines = []
    if config.websocket:
        lines.append(f'websocket {{ listen: "{config.websocket}", no_tls: true }}')
    if config.monitoring:
        lines.append(f'http: "{config.monitoring}"')
    return "".join(line + "\n" for line in lines)
