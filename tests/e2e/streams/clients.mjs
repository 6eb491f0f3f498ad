// The clients that people have, each given one operation. Prints one JSON line for whatever it is told.
// Arguments: the folder whose node_modules has them, the client's name, the endpoint's URL, the operation as JSON.
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, name, url, operation] = process.argv.slice(2);
const need = createRequire(join(folder, "package.json"));
const request = JSON.parse(operation);
const say = (kind, value) => console.log(JSON.stringify({ kind, value }));
const told = (error) => (Array.isArray(error) ? error : [{ message: error.message ?? String(error), code: error.code }]);
const sink = {
  next: (value) => say("next", value),
  error: (error) => { say("error", told(error)); process.exit(0); },
  complete: () => { say("complete"); process.exit(0); },
};

const clients = {
  "graphql-ws"() {
    const { createClient } = need("graphql-ws");
    const client = createClient({
      url: url.replace("http", "ws"), webSocketImpl: need("ws"), keepAlive: 200, retryAttempts: 20,
      retryWait: () => new Promise((done) => setTimeout(done, 100)),
      on: { closed: (event) => say("closed", event.code), connected: () => say("connected") },
    });
    client.subscribe(request, sink);
  },
  "graphql-sse"() {
    const { createClient } = need("graphql-sse");
    const client = createClient({
      url, retryAttempts: 20, retry: () => new Promise((done) => setTimeout(done, 100)),
      on: { connected: () => say("connected") },
    });
    client.subscribe(request, sink);
  },
  eventsource() {
    const { EventSource } = need("eventsource");
    const query = new URLSearchParams({ query: request.query, variables: JSON.stringify(request.variables ?? {}) });
    const source = new EventSource(`${url}?${query}`);
    source.onopen = () => say("connected");
    source.addEventListener("next", (event) => say("next", { ...JSON.parse(event.data), id: event.lastEventId }));
    source.addEventListener("complete", () => { source.close(); sink.complete(); });
  },
  apollo() {
    const { ApolloClient, HttpLink, InMemoryCache, gql } = need("@apollo/client/core");
    const client = new ApolloClient({ link: new HttpLink({ uri: url }), cache: new InMemoryCache() });
    client.subscribe({ query: gql(request.query), variables: request.variables, errorPolicy: "all" }).subscribe({
      ...sink,
      next: (result) => {
        if (result.error) say("error", result.error.errors ?? told(result.error));
        else say("next", { data: result.data });
      },
    });
  },
};
clients[name]();
