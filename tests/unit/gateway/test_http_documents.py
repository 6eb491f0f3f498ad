"""Documents are prepared once, remembered within bounds, and forgotten oldest first."""

import pytest
from graphql import build_schema

from gateway.documents import DocumentInvalid, Documents, hash_of
from gateway.limits import DocumentLimits, DocumentRefused

SCHEMA = build_schema("type Query { a: Int }")


def test_a_document_is_prepared_once() -> None:
    """The same text gives the same object, found by its hash too."""
    documents = Documents(SCHEMA, DocumentLimits())
    first = documents.prepare("{ a }")
    assert documents.prepare("{ a }") is first
    assert documents.by_hash(hash_of("{ a }")) is first
    assert documents.by_hash("0") is None


def test_the_least_recently_used_goes_first() -> None:
    """Beyond the number of entries, what was not used for longest is forgotten."""
    documents = Documents(SCHEMA, DocumentLimits(), max_entries=2)
    for text in ("{ a }", "{ b: a }", "{ a }", "{ c: a }"):
        documents.prepare(text)
    assert documents.by_hash(hash_of("{ b: a }")) is None
    assert documents.by_hash(hash_of("{ a }")) is not None


def test_bytes_are_bounded() -> None:
    """Long documents push out more than short ones, and one too long for the cache is simply not kept."""
    documents = Documents(SCHEMA, DocumentLimits(), max_bytes=60_000)
    for i in range(50):
        documents.prepare(f"{{ alias{i:03}: a }}")
    assert 0 < len(documents) < 50
    kept, long = len(documents), "{ a }" + "#" * 5_000
    documents.prepare(long)
    assert documents.by_hash(hash_of(long)) is None
    assert len(documents) == kept
    assert documents.prepare("{ a }").operations


def test_invalid_documents_are_not_kept() -> None:
    """A stream of bad documents does not push out the good ones."""
    documents = Documents(SCHEMA, DocumentLimits())
    for text in ("{ nope }", "{"):
        with pytest.raises(DocumentInvalid):
            documents.prepare(text)
    assert len(documents) == 0


def test_a_long_document_is_refused_unread() -> None:
    """Beyond the length a document is not even hashed."""
    with pytest.raises(DocumentRefused, match="at most 10"):
        Documents(SCHEMA, DocumentLimits(max_length=10)).prepare("{ a a a a a }")
