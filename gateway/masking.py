"""What a client is told about an error: a short message, a stable code, and nothing of our insides.

Errors raised on purpose (CrossdockError) are shown with their code and hint; errors of graphql-core about the
client's own document are shown, cut short; everything else is "Internal error" with the request id, and the
traceback goes to the log, once.
"""

import re
from collections.abc import Iterable
from itertools import islice
from typing import Any, TypeAlias

import structlog
from graphql import GraphQLError

from schema.errors import CrossdockError

INTERNAL = "INTERNAL_SERVER_ERROR"
MAX_MESSAGE = 300
MAX_ERRORS = 100
_LITERAL = re.compile(r"'[^'\n]{80,}'|\"[^\"\n]{80,}\"|[^\s'\"]{80,}")

Logged: TypeAlias = set[tuple[type[BaseException], str]]
"""The kinds of faults of one answer that stand in the log: what was raised, and where."""

log = structlog.get_logger("crossdock.graphql")


def shorten(message: str) -> str:
    """The message with long literals and then itself cut short."""
    message = _LITERAL.sub(lambda m: m[0][:40] + "..." + m[0][-8:], message[:20_000])
    return message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 3] + "..."


def error_entry(message: str, code: str, *, hint: str | None = None, **more: object) -> dict[str, Any]:
    """One member of ``errors`` with its code under ``extensions``."""
    extensions: dict[str, Any] = {"code": code, **({"hint": hint} if hint else {}), **more}
    return {"message": shorten(message), "extensions": extensions}


def present(error: GraphQLError, code: str, request_id: str) -> dict[str, Any]:
    """One error as the client sees it; ``code`` is for errors graphql-core makes about the request itself."""
    cause = _cause(error)
    if isinstance(cause, CrossdockError):
        # Before execution graphql-core's text also names the variable or argument; later the path says where.
        entry = error_entry(str(cause) if error.path else error.message, cause.code, hint=cause.hint)
    elif is_fault(error):
        entry = internal_error(request_id)
    else:
        # Where a scalar could not read the client's value, the exception's own words stay with us.
        message = error.message.replace(str(cause), "").rstrip("; :") if cause else error.message
        entry = error_entry(message, _own_code(error) or code)
    if error.locations:
        entry["locations"] = [location.formatted for location in error.locations[:5]]
    if error.path:
        entry["path"] = error.path
    return entry


def present_all(
    errors: Iterable[GraphQLError],
    code: str,
    request_id: str,
    logged: Logged | None = None,
    *,
    debug: bool = False,
) -> list[dict[str, Any]]:
    """Errors as the client sees them, at most a hundred; each kind of fault of ours is logged once (``logged``: where
    the answer has several lists). With ``debug`` an unexpected exception's type and text are shown.
    """
    logged = set() if logged is None else logged
    shown = []
    for error in islice(errors, MAX_ERRORS):
        shown.append(present(error, code, request_id))
        if debug and error.original_error is not None:
            shown[-1]["extensions"]["debug"] = repr(error.original_error)[:500]
        cause = _cause(error) or error
        where = ".".join(step for step in error.path or () if isinstance(step, str))
        if is_fault(error) and (type(cause), where) not in logged:
            logged.add((type(cause), where))
            log.error("unexpected error in a resolver", path=where, exc_info=cause)
    return shown


def is_fault(error: GraphQLError) -> bool:
    """Whether the gateway is to blame, so that the error is masked: an unexpected exception, or a resolver's value
    that its type cannot represent. Errors about the document or a variable are the client's.
    """
    cause = _cause(error)
    if isinstance(cause, CrossdockError):
        return False
    if error.path is None:
        return cause is not None and not isinstance(cause, ValueError | TypeError | ArithmeticError)
    if cause is not None:
        return True
    # graphql-core places errors about arguments in the document itself; those about values it does not.
    inner = error.original_error
    return _own_code(error) is None and isinstance(inner, GraphQLError) and not inner.nodes


def internal_error(request_id: str) -> dict[str, Any]:
    """What is said about a fault of ours; the request id finds it in the log."""
    return error_entry("Internal error", INTERNAL, requestId=request_id)


def _cause(error: GraphQLError) -> BaseException | None:
    """The exception that is not graphql-core's own, or None where the error speaks of the document."""
    cause: BaseException | None = error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause


def _own_code(error: GraphQLError) -> str | None:
    code = (error.extensions or {}).get("code")
    return code if isinstance(code, str) else None
