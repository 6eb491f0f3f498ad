"""A slow system in a process of its own: every answer takes 20 ms, and so many are made at once, no more.

    python tests/contract/slow_system.py 8

Prints its port. Plain asyncio, so that it is never the measured part that is busy.
"""

import asyncio
import sys

SECONDS = 0.02
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


async def main(at_once: int) -> None:
    """Serve until killed."""
    workers = asyncio.Semaphore(at_once)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                async with workers:
                    await asyncio.sleep(SECONDS)
                writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
