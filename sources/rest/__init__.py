"""Any JSON-over-HTTP system by configuration alone.

Speaks HTTP/1.1 with JSON answers: GET with keys in path or query, POST with keys in a JSON body; credentials none,
basic, bearer, API-key header or OAuth2 client credentials. The language of its table is in docs/rest-adapter.md.
Not covered: XML, SOAP, GraphQL upstream, files, session logins, and answers that need several calls to be joined.
"""
