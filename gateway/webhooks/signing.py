"""Secrets and signatures of webhooks, by Standard Webhooks (https://www.standardwebhooks.com).

No secret is stored: each is derived from the gateway's own (``webhooks.secret``), the webhook and a generation. A
rotation raises the generation; for a while the one before signs as well, so that a partner can change over in peace.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from standardwebhooks import Webhook

PREFIX = "whsec_"
LEAST_MASTER = 16
"""Characters of the gateway's own secret at least."""


class Secrets:
    """The secrets of all webhooks."""

    def __init__(self, master: str) -> None:
        self._master = master.encode()

    def of(self, webhook: str, generation: int) -> str:
        """The secret of one generation, as the partner is shown it."""
        made = hmac.new(self._master, f"webhook\n{webhook}\n{generation}".encode(), hashlib.sha256).digest()
        return PREFIX + base64.b64encode(made).decode()

    def headers(
        self, webhook: str, generations: Sequence[int], message: str, at: datetime, body: bytes
    ) -> dict[str, str]:
        """The three headers of a message: its id, the moment of this attempt, and a signature by each generation."""
        text = body.decode()
        signatures = [Webhook(self.of(webhook, one)).sign(message, at, text) for one in generations]
        return {
            "webhook-id": message,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(signatures),
        }
