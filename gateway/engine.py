"""The engine behind the endpoint: one schema, documents prepared once, errors masked.

A request becomes an answer in five steps: find the document (text, or hash of one seen before), choose the
operation, check that the method may run it, make its context, execute. Whatever stops it before execution is a
request error: no ``data``, at least one coded error.
"""

from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol

from graphql import (
    DocumentNode,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    assert_valid_schema,
)
from starlette.requests import Request

from gateway.answers import Answers, Question, Whole, canonical
from gateway.documents import Document, DocumentInvalid, Documents, hash_of
from gateway.http import Answer, GraphQLRequest, to_json, while_connected
from gateway.limits import DocumentLimits
from gateway.masking import error_entry, present_all
from gateway.multipart import Form
from gateway.parts import Delivery
from gateway.request import HttpRefusal, lane_of
from gateway.telemetry import request_facts
from resolvers.execution.incremental import Parts
from resolvers.execution.operation import Divided, Executed, ReferenceExecution
from schema.errors import CrossdockError, RequestError

MakeContext = Callable[[Request], object]
"""Gives the context of one operation: a value, or an async context manager that opens and closes it."""


class Hooks(Protocol):
    """What the graph wants to know of a document, and says about an operation."""

    def describe(self, document: DocumentNode) -> object:
        """Facts about a valid document, found once for all its runs."""
        ...

    def begin(self, context: Any, described: object, request: GraphQLRequest) -> None:
        """Give the operation's context the facts about its document; refuses what the request must not say."""
        ...

    def extensions(self, context: Any) -> dict[str, Any] | None:
        """What goes into the answer's ``extensions``."""
        ...

    def headers(self, context: Any) -> dict[str, str]:
        """What HTTP is told about the answer of a query that has no errors."""
        ...

    def keeps(self, described: object) -> bool:
        """Whether an answer to such a document may be one that is given again."""
        ...

    def until(self, context: Any) -> float:
        """When the operation's time is over, in seconds of ``time.monotonic()``."""
        ...

    def whole(self, context: Any) -> Whole | None:
        """What such an answer is made of, where it may be given again; asked after ``headers``."""
        ...


class Told(NamedTuple):
    """What is said about an answer besides its data."""

    headers: dict[str, str]
    whole: Whole | None = None
    extensions: dict[str, Any] | None = None


class Execution(Protocol):
    """Whatever executes an operation of a valid document."""

    async def execute(
        self,
        document: DocumentNode,
        context: Any,
        variables: Mapping[str, Any],
        name: str | None = None,
        *,
        hide_suggestions: bool = False,
    ) -> Executed:
        """Execute the operation of that name, or the only one."""
        ...

    async def execute_in_parts(
        self,
        divided: Divided,
        context: Any,
        variables: Mapping[str, Any],
        name: str | None = None,
        *,
        hide_suggestions: bool = False,
    ) -> Executed | Parts:
        """Execute such a query up to its first part; to its end where nothing is put off with these variables."""
        ...


class CannotRun(RequestError):
    """The request names no operation that may run this way."""

    def __init__(self, code: str, message: str, hint: str | None = None, status: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.status = status


class SchemaEngine:
    """Runs queries and mutations of one schema.

    ``make_context`` is called once per operation; ``limits`` bound documents before they run; with ``debug``
    an unexpected exception's type and text are shown to the client (for development only). ``answers`` are those that
    may be given again.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        make_context: MakeContext,
        limits: DocumentLimits | None = None,
        *,
        debug: bool = False,
        hooks: Hooks | None = None,
        execution: Execution | None = None,
        answers: Answers | None = None,
    ) -> None:
        assert_valid_schema(schema)
        self.schema = schema
        self.make_context = make_context
        self.hooks = hooks
        self.execution = execution or ReferenceExecution(schema)
        self.documents = Documents(
            schema, limits or DocumentLimits(), describe=hooks.describe if hooks is not None else None
        )
        self.debug = debug
        self.answers = answers

    async def execute(self, request: GraphQLRequest, http: Request) -> Answer:
        """Answers one request.

        Raises ClientGone if the client leaves while a query runs, and HttpRefusal where ``make_context`` does.
        """
        facts = request_facts(http.scope)
        try:
            document = self._document(request)
            operation = choose_operation(document, request.operation_name)
            facts.operation = operation.name.value if operation.name else None
            facts.kind = operation.operation.value
            _check_transport(operation, request.method)
        except DocumentInvalid as invalid:
            return _refused(present_all(invalid.errors, invalid.code, facts.request_id))
        except CannotRun as cannot:
            allow = {"Allow": "POST"} if cannot.status == HTTPStatus.METHOD_NOT_ALLOWED else {}
            return _refused([_entry(cannot)], cannot.status, allow)
        except CrossdockError as error:
            return _refused([_entry(error)])
        question = self._question(document, operation, request, http)
        if self.answers is not None and question is not None:
            kept = self.answers.find(question)
            if kept is not None:
                return Answer(kept.body, headers=self.answers.headers(kept), kept=kept)
        return await self._run(document, operation, request, http, question)

    def _question(
        self, document: Document, operation: OperationDefinitionNode, request: GraphQLRequest, http: Request
    ) -> Question | None:
        """What is asked and with which rights, where the answer may have been kept or may be; raises HttpRefusal."""
        asks_more = request.extensions and request.extensions.keys() != {"persistedQuery"}
        if self.answers is None or operation.operation is not OperationType.QUERY or asks_more:
            return None
        if self.hooks is None or not self.hooks.keeps(document.described):
            return None
        # A kept answer has no context: what making one would refuse is refused here.
        lane_of(http.headers)
        rights, name = self.answers.rights(http.scope), operation.name.value if operation.name else None
        return Question(document.sha256, name, canonical(request.variables), rights)

    def _document(self, request: GraphQLRequest) -> Document:
        """The document, by its text or, for persisted-query clients, by the hash of one seen before."""
        wanted = _persisted_hash(request.extensions)
        if request.query is None:
            found = self.documents.by_hash(wanted or "")
            if found is None:
                hint = "Send the query's text together with its hash."
                raise CannotRun("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound", hint)
            return found
        if wanted is not None and wanted != hash_of(request.query):
            message = "extensions.persistedQuery.sha256Hash is not the SHA-256 of the query."
            raise CannotRun("PERSISTED_QUERY_HASH_MISMATCH", message)
        return self.documents.prepare(request.query)

    async def _run(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        request: GraphQLRequest,
        http: Request,
        question: Question | None,
    ) -> Answer:
        # A query stops when its reader leaves; a mutation that has begun is carried through, and told as a whole.
        is_query = operation.operation is OperationType.QUERY
        work: Coroutine[Any, Any, tuple[Executed, Told] | Answer]
        if is_query and request.parts is not None and document.whole is not document.ast:
            work = self._begun(document, operation, request, http, request.parts)
        else:
            work = self._executed(document, operation, request, http)
        try:
            done = await (while_connected(http, work) if is_query else work)
        except HttpRefusal:
            raise
        except CrossdockError as error:
            return _refused([_entry(error)])
        if isinstance(done, Answer):
            return done
        executed, told = done
        answer = self._answer(executed, told, request_facts(http.scope).request_id)
        return answer if question is None or told.whole is None else self._kept(answer, question, told.whole)

    def _kept(self, answer: Answer, question: Question, whole: Whole) -> Answer:
        """The same answer as bytes, kept for whoever asks the same."""
        body = answer.result if isinstance(answer.result, bytes) else to_json(answer.result)
        kept = self.answers.keep(question, body, whole) if self.answers is not None else None
        return replace(answer, result=body, kept=kept)

    async def _executed(
        self, document: Document, operation: OperationDefinitionNode, request: GraphQLRequest, http: Request
    ) -> tuple[Executed, Told]:
        made: Any = self.make_context(http)
        if not hasattr(made, "__aenter__"):
            return await self._executed_in(made, document, operation, request)
        async with made as context:
            return await self._executed_in(context, document, operation, request)

    async def _executed_in(
        self, context: Any, document: Document, operation: OperationDefinitionNode, request: GraphQLRequest
    ) -> tuple[Executed, Told]:
        if self.hooks is not None:
            self.hooks.begin(context, document.described, request)
        executed = await self.execution.execute(
            document.whole,
            context,
            request.variables,
            operation.name.value if operation.name else None,
            hide_suggestions=not self.documents.limits.introspection,
        )
        return executed, self._told(executed, operation, context)

    async def _begun(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        request: GraphQLRequest,
        http: Request,
        form: Form,
    ) -> tuple[Executed, Told] | Answer:
        """The first part of an answer, whose context stays open for the others; or all of it, where nothing follows."""
        made = self.make_context(http)
        scope = made if isinstance(made, AbstractAsyncContextManager) else nullcontext(made)
        async with AsyncExitStack() as closing:
            context = await closing.enter_async_context(scope)
            if self.hooks is not None:
                self.hooks.begin(context, document.described, request)
            executed = await self.execution.execute_in_parts(
                Divided(document.ast, document.whole, form.streams),
                context,
                request.variables,
                operation.name.value if operation.name else None,
                hide_suggestions=not self.documents.limits.introspection,
            )
            if isinstance(executed, Executed):
                return executed, self._told(executed, operation, context)
            closing.push_async_callback(executed.close)
            extensions, until = None, None
            if self.hooks is not None:
                extensions, until = partial(self.hooks.extensions, context), self.hooks.until(context)
            delivery = Delivery(
                executed,
                form,
                request_facts(http.scope).request_id,
                extensions=extensions,
                until=until,
                debug=self.debug,
            )
            first = delivery.initial()
            delivery.closing = closing.pop_all()
            return Answer(first, parts=delivery)

    def _told(self, executed: Executed, operation: OperationDefinitionNode, context: Any) -> Told:
        """Let the graph say what else belongs to the answer."""
        if self.hooks is None:
            return Told({})
        extensions = self.hooks.extensions(context)
        good = operation.operation is OperationType.QUERY and not executed.errors
        headers = self.hooks.headers(context) if good else {}
        return Told(headers, self.hooks.whole(context) if headers else None, extensions)

    def _answer(self, executed: Executed, told: Told, request_id: str) -> Answer:
        headers, extensions = told.headers, told.extensions
        if isinstance(executed.data, bytes):
            more = b',"extensions":' + to_json(extensions) if extensions else b""
            return Answer(b'{"data":' + executed.data + more + b"}", headers=headers)
        errors = executed.errors
        # graphql-core reports variables it cannot coerce without a path: nothing has been executed then.
        request_error = executed.data is None and bool(errors) and all(error.path is None for error in errors)
        shown = present_all(errors, "BAD_USER_INPUT", request_id, debug=self.debug)
        if request_error:
            return _refused(shown)
        body: dict[str, Any] = {"errors": shown} if shown else {}
        body["data"] = executed.data
        if extensions:
            body["extensions"] = extensions
        return Answer(body, headers=headers)


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


def _check_transport(operation: OperationDefinitionNode, method: str) -> None:
    if operation.operation is OperationType.SUBSCRIPTION:
        message = "A subscription needs a stream; this answer would be a single one."
        raise CannotRun(
            "SUBSCRIPTION_NEEDS_STREAM", message, "Ask for it as a query to read the present state."
        )
    if operation.operation is OperationType.MUTATION and method != "POST":
        status = HTTPStatus.METHOD_NOT_ALLOWED
        raise CannotRun("METHOD_NOT_ALLOWED", "A mutation may only be sent by POST.", "Use POST.", status)


def _persisted_hash(extensions: dict[str, Any]) -> str | None:
    persisted = extensions.get("persistedQuery")
    if persisted is None:
        return None
    found = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if not isinstance(found, str):
        raise CannotRun("BAD_USER_INPUT", "extensions.persistedQuery must have a string 'sha256Hash'.")
    return found.lower()


def _entry(error: CrossdockError) -> dict[str, Any]:
    return error_entry(str(error), error.code, hint=error.hint)


def _refused(
    errors: list[dict[str, Any]], status: int | None = None, headers: dict[str, str] | None = None
) -> Answer:
    return Answer({"errors": errors}, True, status, headers or {})
