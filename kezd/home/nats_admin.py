"""Who is connected, and how to show somebody the door: the SYS account's two questions.

Works over a whole cluster: every server answers for its own connections. Not here: when to kick.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from kezd.home.errors import HomeUnavailableError
from kezd.home.nats_config import CLIENTS_ACCOUNT
from kezd.home.nats_link import NatsLink

log = logging.getLogger(__name__)

PAGE = 1024


@dataclass(frozen=True, slots=True)
class Connection:
    """One live connection of a person: server, connection id, nkey, and the name it gave itself."""

    server_id: str
    cid: int
    nkey: str
    name: str


class NatsAdmin:
    """The admin nkey's view of the brokers."""

    def __init__(self, link: NatsLink) -> None:
        self._link = link

    async def connections(self, nkey: str | None = None) -> list[Connection]:
        """Live connections in the CLIENTS account, of one nkey or of everybody.

        Raises:
            HomeUnavailableError: NATS is away.
        """
        found: list[Connection] = []
        offset, more = 0, True
        while more:
            query: dict[str, Any] = {"auth": True, "acc": CLIENTS_ACCOUNT, "limit": PAGE, "offset": offset}
            if nkey is not None:
                query["user"] = nkey
            more = False
            for message in await self._link.gather("$SYS.REQ.SERVER.PING.CONNZ", query):
                answer = msgspec.json.decode(message.data, type=dict[str, Any])
                page = _page(answer)
                found.extend(page)
                more = more or len(page) == PAGE
            offset += PAGE
        return found

    async def kick(self, connections: Iterable[Connection]) -> int:
        """Close connections; one that is gone already is no error.

        Returns:
            How many servers were asked.
        """
        asked = 0
        for connection in connections:
            nats_subject = f"$SYS.REQ.SERVER.{connection.server_id}.KICK"
            try:
                await self._link.request_json(nats_subject, {"cid": connection.cid})
                asked += 1
            except HomeUnavailableError as error:
                log.warning("connection could not be kicked", extra={"reason": str(error)})
        return asked


def _page(answer: dict[str, Any]) -> list[Connection]:
    server_id = str(answer.get("server", {}).get("id", ""))
    rows = answer.get("data", {}).get("connections") or []
    return [
        Connection(server_id, int(row["cid"]), str(row.get("authorized_user", "")), str(row.get("name", "")))
        for row in rows
    ]
