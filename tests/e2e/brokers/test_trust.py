"""Brokers with TLS, client certificates and passwords; a connection that is cut."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import nats
import pytest
from structlog.testing import capture_logs

from tests.broker_servers import HOST, KafkaServer, NatsServer
from tests.e2e.brokers.plant import (
    STREAM,
    SUBJECTS,
    Way,
    body,
    consuming,
    heard,
    jetstream,
    kafka,
    publishing,
)
from tests.proxy import Proxy
from tests.tls import CERTIFICATE, KEY


@asynccontextmanager
async def guarded(folder: Path) -> AsyncIterator[tuple[NatsServer, dict[str, str]]]:
    """A NATS server that wants a certificate and a password of everybody, and the files that satisfy it."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    certificate.write_text(CERTIFICATE)
    key.write_text(KEY)
    tls = f'tls {{ cert_file: "{certificate}", key_file: "{key}", ca_file: "{certificate}", verify: true }}'
    more = f'{tls}\nauthorization {{ user: "me", password: "right" }}'
    files = {"ca_file": str(certificate), "cert_file": str(certificate), "key_file": str(key)}
    with NatsServer(more, tls) as server:
        yield server, files


def ways(server: NatsServer, files: dict[str, str], password: str) -> dict[str, Way]:
    """Both ways to this server."""
    shown: dict[str, Any] = {"username": "me", "password": {"value": password}, "tls": files}
    nats_use = {"topics": SUBJECTS, "stream": STREAM, "ack_seconds": 1}
    mqtt_config = {"type": "mqtt", "url": f"mqtts://{HOST}:{server.mqtt_port}", "protocol": "3.1.1"}
    return {
        "nats": Way("nats", {"type": "nats", "url": f"tls://{HOST}:{server.port}", **shown}, nats_use),
        "mqtt": Way("mqtt", {**mqtt_config, **shown}, {"topics": ["plant/#"]}),
    }


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", ["nats", "mqtt"])
async def test_certificates_and_passwords(name: str, tmp_path: Path) -> None:
    """With both we are let in; with a wrong password we are not, and it is said."""
    async with guarded(tmp_path) as (server, files):
        context = ssl.create_default_context(cafile=files["ca_file"])
        context.load_cert_chain(files["cert_file"], files["key_file"])
        client = await nats.connect(
            f"tls://{HOST}:{server.port}", tls=context, user="me", password="right", allow_reconnect=False
        )
        await client.jetstream().add_stream(name=STREAM, subjects=SUBJECTS)
        async with consuming(ways(server, files, "right")[name], tmp_path) as running:
            await asyncio.sleep(1)
            if name == "nats":
                await client.jetstream().publish("plant.1", body("1", 1))
            else:
                publisher = aiomqtt.Client(
                    HOST, server.mqtt_port, username="me", password="right", tls_context=context
                )
                async with publisher:
                    await publisher.publish("plant/1", body("1", 1), qos=1)
            assert await heard(running.events, 1) == [("1", 1)]
        with capture_logs() as logs:
            async with consuming(ways(server, files, "wrong")[name], tmp_path):
                await asyncio.sleep(1.5)
        assert [one["event"] for one in logs] == ["a broker is away and is tried again"]
        with capture_logs() as logs:
            async with consuming(ways(server, {}, "right")[name], tmp_path):
                await asyncio.sleep(1.5)
        assert [one["event"] for one in logs] == ["a broker is away and is tried again"], "no authority"
        await client.close()


@pytest.mark.parametrize("name", ["nats", "kafka"])
async def test_a_cut_connection_is_made_again(name: str, tmp_path: Path) -> None:
    """Said once when it is gone and once when it is back; what was published meanwhile comes."""
    server: NatsServer | KafkaServer = NatsServer() if name == "nats" else KafkaServer()
    with Proxy(server.port) as proxy:
        if isinstance(server, KafkaServer):
            server.advertised = proxy.port
        with server:
            url = f"{name}://{HOST}:{proxy.port}"
            way = jetstream(url) if name == "nats" else kafka(url)
            async with publishing(way) as publish:
                await publish("1", body("1", 1))
            with capture_logs() as logs:
                async with consuming(way, tmp_path) as running:
                    assert await heard(running.events, 1) == [("1", 1)]
                    await asyncio.to_thread(proxy.down)
                    async with asyncio.timeout(60):
                        while logs[-1]["event"] != "a broker is away and is tried again":  # noqa: ASYNC110
                            await asyncio.sleep(0.05)
                    await asyncio.sleep(1)
                    await asyncio.to_thread(proxy.up)
                    async with publishing(way) as publish:
                        await publish("1", body("1", 2))
                    assert await heard(running.events, 2) == [("1", 1), ("1", 2)]
            said = [one["event"] for one in logs if one["event"].startswith("a broker")]
            assert said == [
                "a broker is connected",
                "a broker is away and is tried again",
                "a broker is connected",
            ]
