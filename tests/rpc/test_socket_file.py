"""The socket file: private from its first moment, one owner, no leftovers, none of ours removed."""

import os
import socket
import stat

import pytest

from kezd.errors import Slug, StoreError
from kezd.rpc.socket_file import bound_listener


def test_it_is_born_private_and_goes_away(tmp_path):
    path = tmp_path / "run" / "kezd.sock"
    before = os.umask(0)
    try:
        with bound_listener(path):
            assert stat.S_IMODE(path.lstat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.lstat().st_mode) == 0o700
            assert os.umask(0) == 0, "the process keeps its umask"
    finally:
        os.umask(before)
    assert not path.exists()


def test_a_left_over_socket_is_replaced(tmp_path):
    path = tmp_path / "run" / "kezd.sock"
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with bound_listener(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_living_socket_is_left_alone(tmp_path):
    path = tmp_path / "run" / "kezd.sock"
    with bound_listener(path):
        with pytest.raises(StoreError) as caught, bound_listener(path):
            pass
        assert caught.value.slug is Slug.ALREADY_RUNNING
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


@pytest.mark.parametrize("what", ["file", "link"])
def test_something_else_in_its_place_is_not_removed(tmp_path, what):
    path = tmp_path / "run" / "kezd.sock"
    path.parent.mkdir(mode=0o700)
    if what == "file":
        path.write_text("precious")
    else:
        path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError) as caught, bound_listener(path):
        pass
    assert caught.value.slug is Slug.UNSAFE_PATH
    assert path.is_symlink() or path.read_text() == "precious"


def test_a_directory_open_to_others_is_refused(tmp_path):
    directory = tmp_path / "run"
    directory.mkdir()
    directory.chmod(0o755)
    with pytest.raises(StoreError) as caught, bound_listener(directory / "kezd.sock"):
        pass
    assert caught.value.slug is Slug.UNSAFE_PATH
    assert not (directory / "kezd.sock").exists()


def test_another_ones_socket_at_the_end_is_not_removed(tmp_path):
    path = tmp_path / "run" / "kezd.sock"
    with bound_listener(path):
        path.unlink()
        successor = socket.socket(socket.AF_UNIX)
        successor.bind(str(path))
    assert path.exists()
    successor.close()
