"""The page a browser gets at `/` when no --web-dir is set: what this is, and what to type."""

from html import escape

from starlette.types import Receive, Scope

from kezd.home.http_wire import Handler, Reply

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{server}</title>
<h1>{server}</h1>
<p>This is a KEZ home server. It keeps handles and hands out sealed mail that it cannot read.</p>
<pre>kez register alice --home-url {url}</pre>
<p><a href="/v1/server">/v1/server</a> says how programs reach it.</p>
</html>
"""
_HEADERS = ((b"content-security-policy", b"default-src 'none'"), (b"x-content-type-options", b"nosniff"))


def front_page(server: str, url: str) -> Handler:
    """A handler that answers with the page of this server, which is reached at `url`."""
    page = _PAGE.format(server=escape(server), url=escape(url))
    reply = Reply(200, page.encode(), b"text/html; charset=utf-8", _HEADERS)

    async def handler(_scope: Scope, _receive: Receive) -> Reply:
        return reply

    return handler
