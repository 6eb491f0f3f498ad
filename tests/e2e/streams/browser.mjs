// A real browser without a window. Prints one JSON line for whatever it sees; lives until its input ends.
// Arguments: the folder whose node_modules has it, what to do, the endpoint's URL, the document, a file for a picture.
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, task, url, query, picture] = process.argv.slice(2);
const need = createRequire(join(folder, "package.json"));
const load = async (name) => import(pathToFileURL(need.resolve(name)).href);
const { default: chromium } = await load("@sparticuz/chromium");
const { default: puppeteer } = await load("puppeteer-core");
const say = (kind, value) => console.log(JSON.stringify({ kind, value }));

const browser = await puppeteer.launch({
  args: [...chromium.args, "--no-sandbox"], executablePath: await chromium.executablePath(), headless: "shell",
});
process.stdin.on("end", () => browser.close().then(() => process.exit(0)));
const page = await browser.newPage();
await page.setViewport({ width: 1200, height: 700 });
page.on("pageerror", (error) => say("fault", String(error)));
await page.goto(url, { waitUntil: "load" });
await page.exposeFunction("said", say);

const tasks = {
  async eventsource() {
    await page.evaluate((path) => {
      const source = new EventSource(path);
      source.onopen = () => said("connected");
      source.addEventListener("next", (event) => said("next", { ...JSON.parse(event.data), id: event.lastEventId }));
      source.addEventListener("complete", () => { source.close(); said("complete"); });
    }, `/graphql?query=${encodeURIComponent(query)}`);
  },
  async page() {
    await page.evaluate((text) => { document.getElementById("query").value = text; }, query);
    await page.evaluate(() => {
      const list = document.getElementById("live"), state = document.getElementById("status");
      const tell = () => said("list", {
        status: state.textContent, button: document.getElementById("run").textContent, shown: !list.hidden,
        results: [...list.querySelectorAll("pre")].map((one) => JSON.parse(one.textContent)),
      });
      for (const node of [list, state]) new MutationObserver(tell).observe(node, { childList: true });
    });
    await page.click("#run");
  },
};
await tasks[task]();
say("ready");
for await (const line of process.stdin) {
  if (String(line).includes("picture")) { await page.screenshot({ path: picture }); say("picture"); }
  if (String(line).includes("click")) await page.click("#run");
}
