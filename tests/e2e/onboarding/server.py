"""JobPilot, a small foreign system that nothing here knows: run as a program, it prints its port.

Its habits: POST searches with keys as objects, a hash mark before numbers, German flags, minutes as numbers, one
stock call per part, a cursor in the body, errors inside answers of status 200.
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

JOBS = [
    {
        "id": {"werk": "K1", "no": f"#{n:05d}"},
        "teil": f"P-{n % 3}",
        "fertig": n % 4 == 0,
        "gesperrt": n == 7,
        "gestartet": n > 2,
        "menge": {"wert": 10.5 + n, "einheit": "Stk"},
        "termin": f"{n + 1:02d}.12.2026",
        "stand": f"2026-11-23 08:{n:02d}",
        "schritte": [
            {"nr": 10, "text": "Sägen", "ruesten_min": 12.5, "platz": {"code": " saw-1 "}},
            {"nr": 20, "text": "Fräsen", "ruesten_min": 90, "platz": {"code": " mill-2 "}},
        ],
    }
    for n in range(1, 10)
]
STOCK = {"P-1": [{"lager": "L1", "bestand": "7,5"}, {"lager": "L2", "bestand": "1"}], "P-2": []}


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Stock of one part."""
        part = self.path.rpartition("/")[2]
        known = self._trusted() and part in STOCK
        rows = [{**row, "bestand": row["bestand"].replace(",", ".")} for row in STOCK.get(part, [])]
        self._answer(200 if known else 404, {"lagerorte": rows})

    def do_POST(self) -> None:
        """Jobs by key, or a page of all."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._trusted():
            self._answer(403, {"fehler": "Schlüssel"})
            return
        wanted = body["suche"].get("schluessel")
        if wanted is None:
            start, size = int(body.get("weiter") or 0), body["anzahl"]
            more = start + size if start + size < len(JOBS) else None
            self._answer(200, {"treffer": JOBS[start : start + size], "weiter": more})
            return
        found = [job for job in JOBS if job["id"] in wanted]
        broken = [{"id": key, "fehler": "Satz gesperrt"} for key in wanted if key["no"] == "#00099"]
        self._answer(200, {"treffer": [*reversed(found), *broken]})

    def _trusted(self) -> bool:
        return self.headers["X-Pilot"] == "Token letmein"

    def _answer(self, status: int, value: object) -> None:
        raw = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
