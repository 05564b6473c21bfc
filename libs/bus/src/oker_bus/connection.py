"""A connection that hostile bytes do not deafen.

A company may publish on a subject that is not UTF-8, or with a header block that is none; nats-server takes both. In
nats-py 2.16 either ends the reading loop of whoever is delivered such a message: it stays connected and hears nothing
any more. So both are read as well as they can be, and the edge puts the message into quarantine.
"""

from typing import Any

from nats.aio.client import Client


class Connection(Client):  # type: ignore[misc]
    """nats-py, reading whatever the server delivers."""

    async def _process_headers(self, headers: Any) -> Any:
        try:
            return await super()._process_headers(headers)
        except (IndexError, UnicodeDecodeError):
            return None

    def _build_message(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: Any) -> Any:
        said = bytes(subject).decode("utf-8", "backslashreplace").encode()
        return super()._build_message(sid, said, reply, data, headers)


async def connect(options: dict[str, Any]) -> Client:
    """Connect with the options of :func:`nats.connect`."""
    connection = Connection()
    servers = options["servers"]
    await connection.connect(servers, **{name: value for name, value in options.items() if name != "servers"})
    return connection
