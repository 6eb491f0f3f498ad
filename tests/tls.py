"""TLS in front of a port of this machine. The key is for tests alone: it is public, and nothing trusts it."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

HOST = "127.0.0.1"
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBpzCCAU2gAwIBAgIUCJydrBG+0p9uXtSiMJ1z/YWEBZ8wCgYIKoZIzj0EAwIw
GjEYMBYGA1UEAwwPY3Jvc3Nkb2NrIHRlc3RzMCAXDTI2MTEyNDA2MzUzNVoYDzIx
MjYxMDMxMDYzNTM1WjAaMRgwFgYDVQQDDA9jcm9zc2RvY2sgdGVzdHMwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAARJ6lh+rSM/vya37l76tOAhx73fhzfLQQmirUv8
i/rsQL3i22EVuZMSPsDPPniLkaKH67vJxZDS6zYAsSJ5MF3to28wbTAdBgNVHQ4E
FgQUiRQ6iwlxUtUErJu1hTbpyCGDZmYwHwYDVR0jBBgwFoAUiRQ6iwlxUtUErJu1
hTbpyCGDZmYwDwYDVR0TAQH/BAUwAwEB/zAaBgNVHREEEzARhwR/AAABgglsb2Nh
bGhvc3QwCgYIKoZIzj0EAwIDSAAwRQIhAJayzNWKYcmQyKLl8qc5UeEQPeQSjAnl
ruklKCv4kJAtAiB3c3T/6tB9RMMGsHbxRK4PQeMbT5VYBM/VqH1/vARk6g==
-----END CERTIFICATE-----
"""
"""For 127.0.0.1 and localhost, signed by itself, until 2126."""
KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgxPlrLdXk41tpVl0l
PcK2mQzYekrR+RnTJ3szXFl3BU+hRANCAARJ6lh+rSM/vya37l76tOAhx73fhzfL
QQmirUv8i/rsQL3i22EVuZMSPsDPPniLkaKH67vJxZDS6zYAsSJ5MF3t
-----END PRIVATE KEY-----
"""


@asynccontextmanager
async def terminating(target: int, folder: Path) -> AsyncIterator[tuple[int, Path]]:
    """TLS at a free port in front of a port; yields the port and the file of the certificate to trust."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    certificate.write_text(CERTIFICATE)
    key.write_text(KEY)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(HOST, target)
        try:
            await asyncio.gather(_pump(reader, back), _pump(there, writer))
        finally:
            back.close()
            writer.close()

    server = await asyncio.start_server(serve, HOST, 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], certificate
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.05)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    writer.close()
