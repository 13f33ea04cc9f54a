"""As much of GitHub as one account's gists need, on a `small_web`: the answers have the shape of the REST API."""

import json
import secrets
from typing import Any

from kezd.testing.small_web import Web


class SmallGitHub:
    """The account `user`; base URLs are `https://HOST:PORT/gh` and `https://HOST:PORT/raw`."""

    def __init__(self, web: Web, host: str, user: str) -> None:
        self.web = web
        self.host = host
        self.user = user
        self.gists: dict[str, dict[str, Any]] = {}
        self.made = 0
        """How many were ever made."""
        self.down = False
        pages = web.pages
        pages[f"{host}/gh/user"] = lambda _r: self._answer({"login": user})
        pages[f"{host}/gh/users/{user}/gists?per_page=100"] = lambda _r: self._answer(self._list())
        pages[f"{host}/gh/gists?per_page=30"] = lambda _r: self._answer(self._list())
        pages[f"POST {host}/gh/gists"] = lambda _r: self._make()

    def _answer(self, value: object, status: int = 200) -> Any:
        return (503 if self.down else status, [], json.dumps(value).encode())

    def _list(self) -> list[dict[str, Any]]:
        return list(self.gists.values())

    def _make(self) -> Any:
        if self.down:
            return self._answer(None)
        body = json.loads(self.web.bodies[-1])
        name = secrets.token_hex(8)
        raw = f"/raw/{self.user}/{name}"
        self.web.put(self.host, raw, body["files"]["kez.md"]["content"])
        file = {"filename": "kez.md", "raw_url": self.web.url(self.host, raw), "size": 900}
        self.gists[name] = {
            "id": name,
            "html_url": f"https://gist.github.com/{self.user}/{name}",
            "description": body["description"],
            "owner": {"login": self.user},
            "files": {"kez.md": file},
        }
        self.made += 1
        self.web.pages[f"DELETE {self.host}/gh/gists/{name}"] = lambda _r: self._drop(name)
        return self._answer(self.gists[name], 201)

    def _drop(self, name: str) -> Any:
        if self.down:
            return (503, [], b"")
        return (404 if self.gists.pop(name, None) is None else 204, [], b"")
