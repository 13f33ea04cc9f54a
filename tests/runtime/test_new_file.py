"""Files that appear whole or not at all, wherever somebody wants them and whoever is faster."""

import os
import socket
import stat
from pathlib import Path

import pytest

from kezd.errors import RequestError, Slug
from kezd.runtime.new_file import new_file


def refused(path, **how):
    with pytest.raises(RequestError) as caught, new_file(path, **how) as file:
        file.write(b"ours")
    assert list(path.parent.glob("*.part")) == []
    return caught.value.slug


def test_who_was_faster_keeps_the_name(tmp_path):
    target = tmp_path / "backup"

    def be_slower():
        with new_file(target) as file:
            file.write(b"ours")
            target.write_bytes(b"theirs")

    with pytest.raises(RequestError) as caught:
        be_slower()
    assert caught.value.slug is Slug.FILE_EXISTS
    assert target.read_bytes() == b"theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["backup"]


def test_a_new_file_is_one_file_of_ours_alone(tmp_path):
    target = tmp_path / "backup"
    with new_file(target) as file:
        file.write(b"ours")
    found = target.stat()
    assert (found.st_nlink, stat.S_IMODE(found.st_mode), target.read_bytes()) == (1, 0o600, b"ours")


def test_only_files_are_replaced(tmp_path):
    pipe, place, other = tmp_path / "pipe", tmp_path / "socket", tmp_path / "directory"
    os.mkfifo(pipe)
    other.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        for path in (pipe, place, other):
            before = path.lstat()
            assert refused(path, replace=True) is Slug.FILE_EXISTS
            assert path.lstat().st_ino == before.st_ino


@pytest.mark.parametrize("replace", [True, False])
def test_the_root_is_no_file(replace):
    assert refused(Path("/"), replace=replace) is Slug.FILE_EXISTS


def test_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "real").write_bytes(b"real")
    (tmp_path / "link").symlink_to("real")
    with new_file(tmp_path / "link", replace=True) as file:
        file.write(b"ours")
    assert (tmp_path / "real").read_bytes() == b"real"
    assert not (tmp_path / "link").is_symlink()
