"""The page a browser gets at ``/graphql``: an editor that needs no other network than this server.

A plant network reaches no CDN, so the page is one file without external assets, under a policy (CSP with a fresh
nonce) that forbids any.
"""

import json
import secrets
from collections.abc import Callable
from importlib.resources import files

from starlette.responses import HTMLResponse


def graphiql_page(example: str, variables: str = "{}") -> Callable[[], HTMLResponse]:
    """Renders the page with an example query filled in; each answer has its own nonce."""
    template = files("gateway").joinpath("graphiql.html").read_text("utf-8")
    template = template.replace("__EXAMPLE__", _in_script({"query": example, "variables": variables}))

    def render() -> HTMLResponse:
        nonce = secrets.token_urlsafe(16)
        return HTMLResponse(template.replace("__NONCE__", nonce), headers=_headers(nonce))

    return render


def _in_script(value: object) -> str:
    """JSON that cannot end the script element it stands in."""
    return json.dumps(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _headers(nonce: str) -> dict[str, str]:
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Vary": "Accept",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
