"""`deploy/nats.conf` is what `kezd-home init` writes, with comments."""

import secrets
from pathlib import Path

from kezd.home.nats_config import NatsConfig, render_nats_config
from kezd.home.nats_keys import create_missing_keys, load_keys

DEPLOY = Path(__file__).parents[2] / "deploy" / "nats.conf"


def words(text):
    return " ".join(line.partition("#")[0] for line in text.splitlines()).split()


def test_the_documented_config_is_the_generated_one(tmp_path):
    create_missing_keys(tmp_path, secrets.token_bytes)
    keys = load_keys(tmp_path)
    state = Path("/var/lib/kezd-home")
    config = NatsConfig(
        "127.0.0.1", 4222, state / "nats", state / "nats.log", state / "nats.pid", 80_000_000_000
    )
    text = render_nats_config(config, keys)
    for key, name in (
        (keys.admin, "U_ADMIN"),
        (keys.callout, "U_CALLOUT"),
        (keys.home, "U_HOME"),
        (keys.issuer, "A_ISSUER"),
    ):
        text = text.replace(key.public, name)
    assert words(DEPLOY.read_text()) == words(text)


def test_optional_listeners(tmp_path):
    create_missing_keys(tmp_path, secrets.token_bytes)
    config = NatsConfig(
        "h", 1, tmp_path, tmp_path, tmp_path, 1, websocket="127.0.0.1:8443", monitoring="127.0.0.1:8222"
    )
    text = render_nats_config(config, load_keys(tmp_path))
    assert 'websocket { listen: "127.0.0.1:8443", no_tls: true }' in text
    assert 'http: "127.0.0.1:8222"' in text
