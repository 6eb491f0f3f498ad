"""The endpoint over a schema of next to nothing, run as the gateway runs itself; the port is the only argument."""

import sys

import uvicorn
from graphql import build_schema
from starlette.applications import Starlette
from starlette.routing import Route

from gateway.engine import SchemaEngine
from gateway.http import GraphQLEndpoint
from gateway.server import server_config

if __name__ == "__main__":
    schema = build_schema("type Query { ok: Boolean } type Mutation { ok: Boolean }")
    engine = SchemaEngine(schema, lambda http: None)
    app = Starlette(routes=[Route("/graphql", GraphQLEndpoint(engine))])
    uvicorn.Server(server_config(app, port=int(sys.argv[1]))).run()
