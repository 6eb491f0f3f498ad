"""From text to a document that is safe to run: lexed, measured, validated, and remembered by its hash."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    ValidationRule,
    parse,
    specified_rules,
    validate,
)
from graphql.validation import NoSchemaIntrospectionCustomRule

from gateway.limits import DocumentLimits, DocumentRefused, check_document
from resolvers.execution.incremental import undivided

MAX_VALIDATION_ERRORS = 20
_TREE_BYTES_PER_CHARACTER = 160
"""Upper estimate of a parsed document's memory per character of text: 50 to 80 for usual documents, 160 for
documents of nothing but two-letter fields (measured with tracemalloc)."""
_TREE_BYTES_AT_LEAST = 2_000


@dataclass(frozen=True, slots=True)
class Document:
    """A valid document with its operations; ``sha256`` is the hash of its text.

    ``whole`` is the document without ``@defer`` and ``@stream``: the same object where it has none.
    """

    sha256: str
    ast: DocumentNode
    whole: DocumentNode
    operations: tuple[OperationDefinitionNode, ...]
    described: object = None
    """What the engine's hooks found out about it, once for all its runs."""


class DocumentInvalid(Exception):
    """The document cannot be run; ``errors`` say why, all under one code."""

    def __init__(self, code: str, errors: list[GraphQLError]) -> None:
        super().__init__(code)
        self.code = code
        self.errors = errors


class NoServiceSdlRule(ValidationRule):
    """Refuses ``_service``: its ``sdl`` is the whole schema, which switched-off introspection is to hide."""

    def enter_field(self, node: FieldNode, *_args: Any) -> None:
        """Reports a ``_service`` field of the query root."""
        parent = self.context.get_parent_type()
        if node.name.value == "_service" and parent is self.context.schema.query_type:
            self.report_error(GraphQLError("Introspection is switched off, and with it '_service'.", node))


class Documents:
    """Prepares documents for one schema and remembers the valid ones, least recently used first out.

    Bounded in entries and in (estimated) bytes. Invalid documents are not kept: a stream of them must not push
    out the documents that clients really use.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        limits: DocumentLimits,
        *,
        max_entries: int = 1_000,
        max_bytes: int = 64 << 20,
        describe: Callable[[DocumentNode], object] | None = None,
    ) -> None:
        self.schema = schema
        self.limits = limits
        self.max_entries = max_entries
        self.max_bytes = max_bytes
        self._kept: OrderedDict[str, tuple[Document, int]] = OrderedDict()
        self._bytes = 0
        self._describe = describe

    def __len__(self) -> int:
        return len(self._kept)

    def by_hash(self, sha256: str) -> Document | None:
        """A document seen before, by the SHA-256 of its text in lower-case hex."""
        found = self._kept.get(sha256)
        if found is None:
            return None
        self._kept.move_to_end(sha256)
        return found[0]

    def prepare(self, text: str) -> Document:
        """The document, ready to run; raises DocumentRefused beyond a limit and DocumentInvalid otherwise."""
        if len(text) > self.limits.max_length:
            message = f"The document has {len(text)} characters; at most {self.limits.max_length} are read."
            raise DocumentRefused("DOCUMENT_TOO_LONG", message, "Send long literals as variables.")
        sha256 = hash_of(text)
        found = self.by_hash(sha256)
        if found is None:
            found = self._validated(sha256, self._parsed(text))
            size = _TREE_BYTES_AT_LEAST + len(text) * _TREE_BYTES_PER_CHARACTER
            self._keep(found, size if found.whole is found.ast else 2 * size)
        return found

    def _parsed(self, text: str) -> DocumentNode:
        limit = self.limits.max_tokens
        try:
            return parse(text, max_lexical_tokens=limit, max_comments=limit)
        except GraphQLSyntaxError as error:
            if f"more than {limit} " in error.message:
                message = f"The document has more than {limit} tokens."
                raise DocumentRefused(
                    "TOO_MANY_TOKENS", message, "Ask for less, or in several requests."
                ) from None
            if "nested too deeply" in error.message:
                raise DocumentRefused(
                    "QUERY_TOO_DEEP", "The document is nested too deeply to be read."
                ) from None
            raise DocumentInvalid("GRAPHQL_PARSE_FAILED", [error]) from None

    def _validated(self, sha256: str, ast: DocumentNode) -> Document:
        check_document(ast, self.limits)
        open_schema = self.limits.introspection
        if not open_schema:
            self._validate(ast, [NoSchemaIntrospectionCustomRule, NoServiceSdlRule], "INTROSPECTION_DISABLED")
        self._validate(ast, list(specified_rules), "GRAPHQL_VALIDATION_FAILED")
        operations = tuple(d for d in ast.definitions if isinstance(d, OperationDefinitionNode))
        described = self._describe(ast) if self._describe else None
        return Document(sha256, ast, undivided(ast), operations, described)

    def _validate(self, ast: DocumentNode, rules: list[Any], code: str) -> None:
        # Suggestions ("Did you mean ...") spell out the schema, so they go when introspection goes.
        hide = not self.limits.introspection
        errors = validate(self.schema, ast, rules, max_errors=MAX_VALIDATION_ERRORS, hide_suggestions=hide)
        if errors:
            raise DocumentInvalid(code, errors)

    def _keep(self, document: Document, size: int) -> None:
        self._kept[document.sha256] = (document, size)
        self._bytes += size
        while self._kept and (len(self._kept) > self.max_entries or self._bytes > self.max_bytes):
            _, (_, freed) = self._kept.popitem(last=False)
            self._bytes -= freed


def hash_of(text: str) -> str:
    """SHA-256 of the text in hex, as automatic persisted queries compute it."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
