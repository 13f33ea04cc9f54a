"""Reading the body of an answer up to a cap: what all HTTP of the peer has in common.

Not here: what to do about a body that is too long, or compressed although nobody asked for that.
"""

import httpcore
import httpx

IDENTITY = "identity"


def is_compressed(response: httpx.Response) -> bool:
    """Whether the body is not what it says to be: a small one may be a bomb."""
    return bool(response.headers.get("content-encoding", IDENTITY) != IDENTITY)


async def read_capped(response: httpx.Response, max_bytes: int) -> bytes | None:
    """The body as it was sent, None when it has more than `max_bytes`.

    Raises:
        httpx.HTTPError: the connection broke.
        httpcore.NetworkError: as above, under a transport of ours.
        httpcore.ProtocolError: the other side does not speak HTTP.
    """
    body = bytearray()
    too_long = False
    try:
        # Never left early: httpx's inner generators would be left to the garbage collector, which Trio
        # warns about. Closing makes the next read fail, which ends all of them.
        async for chunk in response.aiter_raw():
            if not too_long:
                body += chunk
                too_long = len(body) > max_bytes
                if too_long:
                    await response.aclose()
    except (httpx.HTTPError, httpx.StreamError, httpcore.NetworkError, httpcore.ProtocolError):
        if not too_long:
            raise
    return None if too_long else bytes(body)


def parse_retry_after(text: str, otherwise: int, most: int) -> int:
    """Seconds of a Retry-After header, from 1 to `most`; `otherwise` when it holds no number."""
    if not text.isascii() or not text.isdigit():
        return otherwise
    # Python refuses to read thousands of digits
    return most if len(text) > 9 else min(max(int(text), 1), most)
