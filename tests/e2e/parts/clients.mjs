// Asks one query by a client that others use; prints a JSON line for everything the client is told, with its time.
// Arguments: the folder with the packages, the endpoint's URL, the client (alpha9, 2022 or meros), the query.
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, url, client, query] = process.argv.slice(2);
const require = createRequire(join(folder, "package.json"));
const say = (told) => console.log(JSON.stringify({ at: performance.timeOrigin + performance.now(), ...told }));

if (client === "meros") {
  const { meros } = require("meros/browser");
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json, multipart/mixed" },
    body: JSON.stringify({ query }),
  });
  for await (const { json, body } of await meros(response)) {
    say({ json, body });
  }
} else {
  const { ApolloClient, HttpLink, InMemoryCache, gql } = require("@apollo/client");
  const { Defer20220824Handler, GraphQL17Alpha9Handler } = require("@apollo/client/incremental");
  const apollo = new ApolloClient({
    link: new HttpLink({ uri: url }),
    cache: new InMemoryCache(),
    incrementalHandler: client === "alpha9" ? new GraphQL17Alpha9Handler() : new Defer20220824Handler(),
  });
  await new Promise((done) => {
    const options = { query: gql(query), fetchPolicy: "no-cache" };
    apollo.watchQuery(options).subscribe(({ data, dataState, error, loading }) => {
      say({ data, dataState, error: error?.message, loading });
      if (!loading || error) done();
    });
  });
  apollo.stop();
}
