"""Which operation a request asks for, and whether it may run this way."""

from http import HTTPStatus
from typing import Any

from graphql import OperationDefinitionNode, OperationType

from gateway.documents import Document
from schema.errors import RequestError


class CannotRun(RequestError):
    """The request names no operation that may run this way."""

    def __init__(self, code: str, message: str, hint: str | None = None, status: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.status = status


class NeedsStream(CannotRun):
    """The request is a subscription; one answer cannot hold it."""

    def __init__(self) -> None:
        super().__init__(
            "SUBSCRIPTION_NEEDS_STREAM",
            "A subscription needs a stream; this answer would be a single one.",
            "Accept text/event-stream, or use a WebSocket; ask for a query to read the present state.",
        )


def choose_operation(document: Document, name: str | None) -> OperationDefinitionNode:
    """The operation to run; several need a name, and a name must be one of them. Raises CannotRun."""
    operations = document.operations
    known = ", ".join(o.name.value[:40] for o in operations[:5] if o.name) or "none with a name"
    if name is None:
        if len(operations) == 1:
            return operations[0]
        if not operations:
            raise CannotRun("OPERATION_NOT_FOUND", "The document has no operation.", "Write 'query { ... }'.")
        message = f"The document has {len(operations)} operations; operationName must say which to run."
        raise CannotRun("OPERATION_NAME_REQUIRED", message, f"Known: {known}.")
    for operation in operations:
        if operation.name and operation.name.value == name:
            return operation
    raise CannotRun(
        "OPERATION_NOT_FOUND", f"The document has no operation {name[:60]!r}.", f"Known: {known}."
    )


def check_transport(operation: OperationDefinitionNode, method: str) -> None:
    """Raises CannotRun where a method must not run the operation, NeedsStream for a subscription."""
    if operation.operation is OperationType.SUBSCRIPTION:
        raise NeedsStream
    if operation.operation is OperationType.MUTATION and method != "POST":
        status = HTTPStatus.METHOD_NOT_ALLOWED
        raise CannotRun("METHOD_NOT_ALLOWED", "A mutation may only be sent by POST.", "Use POST.", status)


def persisted_hash(extensions: dict[str, Any]) -> str | None:
    """The hash that names a document instead of its text, in lower case; raises CannotRun."""
    persisted = extensions.get("persistedQuery")
    if persisted is None:
        return None
    found = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if not isinstance(found, str):
        raise CannotRun("BAD_USER_INPUT", "extensions.persistedQuery must have a string 'sha256Hash'.")
    return found.lower()
