// What the examples talk to: serves the example files on http://127.0.0.1:8000, and shows what is
// POSTed below /hooks/. deno run -A examples/site.ts; Ctrl-C stops it.

import { print } from "../local/commands/say.ts";
import { siteFiles } from "../demo/plan_runs.ts";
import { Site } from "../demo/site.ts";

const files = await siteFiles(undefined);
const site = new Site({
  files,
  port: 8000,
  onDelivery: ({ path, idempotencyKey, body }) =>
    print(`POST ${path}  idempotency-key ${idempotencyKey}\n${JSON.stringify(body, null, 2)}`),
});
for (const path of Object.keys(files)) print(`${site.url}${path}`);
print(`${site.url}/hooks/… takes what is POSTed`);
