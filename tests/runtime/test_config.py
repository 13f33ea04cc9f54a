"""Every value has one schema and tells where it came from; what is unknown is named."""

import dataclasses
from pathlib import Path

import pytest

from kezd.errors import RequestError, Slug
from kezd.runtime.config import Config, explain, load
from kezd.runtime.paths import Paths
from kezd.runtime.settings import LogLevel, VaultSource
from kezd.runtime.urls import is_acceptable_url


def paths_with(tmp_path: Path, text: str | None) -> Paths:
    paths = Paths.from_environment({"KEZD_HOME": str(tmp_path)})
    if text is not None:
        paths.config_file.write_text(text)
    return paths


def test_no_file_is_all_defaults(tmp_path: Path) -> None:
    config = load({}, paths_with(tmp_path, None), {})
    assert dataclasses.replace(config, origins={}) == Config(origins={})
    assert {line.origin for line in explain(config)} == {"default"}


def test_later_sources_win_and_say_so(tmp_path: Path) -> None:
    paths = paths_with(
        tmp_path,
        '# mine\n[home]\nurl = "https://one.example"\n\n[home.servers]\n"two.example" = "http://127.0.0.1:81"\n'
        '[chat]\nread_receipts = false\nretry_base_s = 3\n[profiles]\nnames = ["default", "work"]\n[vault]\nsource="keyring"\n',
    )
    config = load(
        {"KEZD_CHAT_READ_RECEIPTS": "yes", "KEZD_HOME": str(tmp_path)}, paths, {"log.level": "debug"}
    )
    assert config.home.url == "https://one.example"
    assert config.home.servers == {"two.example": "http://127.0.0.1:81"}
    assert config.chat.read_receipts is True
    assert config.chat.retry_base_s == 3.0
    assert config.profiles.names == ("default", "work")
    assert config.vault.source is VaultSource.KEYRING
    assert config.log.level is LogLevel.DEBUG
    origins = {line.name: line.origin for line in explain(config)}
    assert origins["home.url"] == f"{paths.config_file}:3"
    assert origins["home.servers"] == f"{paths.config_file}:5"
    assert origins["chat.retry_base_s"] == f"{paths.config_file}:9"
    assert origins["chat.read_receipts"] == "env KEZD_CHAT_READ_RECEIPTS"
    assert origins["log.level"] == "flag --log.level"
    assert origins["rpc.batch"] == "default"
    values = {line.name: line.value for line in explain(config)}
    assert values["home.servers"] == "two.example=http://127.0.0.1:81"
    assert values["profiles.names"] == "default,work"
    assert values["chat.read_receipts"] == "true"


def test_environment_reads_every_type(tmp_path: Path) -> None:
    environ = {
        "KEZD_HOME_SERVERS": "a.example=https://b.example, c.example=https://d.example",
        "KEZD_PROFILES_NAMES": "default,b",
        "KEZD_RPC_BATCH": "7",
        "KEZD_CONTACTS_RECHECK_S": "1.5",
        "KEZD_VAULT_SOURCE": "passphrase",
    }
    config = load(environ, paths_with(tmp_path, None), {})
    assert config.home.servers == {"a.example": "https://b.example", "c.example": "https://d.example"}
    assert config.profiles.names == ("default", "b")
    assert (config.rpc.batch, config.contacts.recheck_s, config.vault.source) == (
        7,
        1.5,
        VaultSource.PASSPHRASE,
    )


@pytest.mark.parametrize(
    ("text", "environ", "flags", "named", "hint"),
    [
        ('[home]\nulr = "https://x.example"', {}, {}, "'home.ulr'", "home.url"),
        ("[chat]\n\nread_receipt = true", {}, {}, "config.toml:3", "chat.read_receipts"),
        ("[hoem]\nurl = 'x'", {}, {}, "'hoem'", "home"),
        ("batch = 3", {}, {}, "'batch'", ""),
        ("", {"KEZD_CHAT_READ_RECIEPTS": "1"}, {}, "KEZD_CHAT_READ_RECIEPTS", "KEZD_CHAT_READ_RECEIPTS"),
        ("", {}, {"log.levle": "info"}, "log.levle", "log.level"),
        ("[rpc]\nbatch = 'many'", {}, {}, "rpc.batch must be a whole number", ""),
        ("[rpc]\nbatch = true", {}, {}, "rpc.batch must be a whole number", ""),
        ("[rpc]\nbatch = 0", {}, {}, "rpc.batch must be between", ""),
        ("", {"KEZD_RPC_BATCH": "x"}, {}, "KEZD_RPC_BATCH", ""),
        ("[chat]\nread_receipts = 'maybe'", {}, {}, "true or false", ""),
        ("", {}, {"chat.read_receipts": "maybe"}, "true or false", ""),
        ("[log]\nlevel = 'loud'", {}, {}, "one of debug", ""),
        ("[log]\nlevel = 3", {}, {}, "one of debug", ""),
        ("[home]\nurl = 'http://kez.lat'", {}, {}, "home.url must be https", ""),
        ("[home]\nurl = 3", {}, {}, "home.url must be a text", ""),
        ("[home]\nservers = 'x'", {}, {}, "home.servers must be a table", ""),
        ("[home.servers]\nx = 3", {}, {}, "home.servers must be a table", ""),
        ("[home.servers]\nx = 'ftp://x'", {}, {}, "home.servers must be https", ""),
        ("[profiles]\nnames = []", {}, {}, "profiles.names must be a list", ""),
        ("[home", {}, {}, "config.toml", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(
    tmp_path: Path, text: str, environ: dict[str, str], flags: dict[str, str], named: str, hint: str
) -> None:
    with pytest.raises(RequestError) as caught:
        load(environ, paths_with(tmp_path, text), flags)
    assert caught.value.slug is Slug.BAD_CONFIG
    assert named in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://kez.lat", True),
        ("https://kez.lat:8443/base", True),
        ("http://127.0.0.1:6969", True),
        ("http://localhost:6969", True),
        ("http://[::1]:6969", True),
        ("http://127.0.0.1.evil.example", False),
        ("http://kez.lat", False),
        ("https://user@kez.lat", False),
        ("https://kez.lat/?q=1", False),
        ("https://kez.lat:99999", False),
        ("https://", False),
        ("file:///etc/passwd", False),
        ("http://[", False),
    ],
)
def test_urls_that_a_home_is_asked_at(url: str, good: bool) -> None:
    assert is_acceptable_url(url) is good
