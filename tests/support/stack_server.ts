// A stack of its own for a test process: started by stack.ts, stops when its standard input ends.
// Prints one JSON line when it is ready. Beside the stack it serves `control_url`, by which tests
// do to it what only its own process can do: restart Postgres, kill functions.

import { type Stack, startStack } from "../../local/stack.ts";
import { type Fault, FaultProxy } from "./fault_proxy.ts";
import { writeTestConfig } from "./functions/config.ts";
import { createLedgerFolder } from "./ledger_folder.ts";
import type { TestStackOptions } from "./stack.ts";

const options: TestStackOptions = JSON.parse(Deno.env.get("MILLRACE_TEST_OPTIONS") ?? "{}");

const LOG_FILE = Deno.env.get("MILLRACE_TEST_LOG");
const log = LOG_FILE === undefined ? undefined : Deno.openSync(LOG_FILE, {
  create: true,
  append: true,
});

const folder = await createLedgerFolder();
const proxy = options.faults ? new FaultProxy() : undefined;
const stack = await startStack({
  fresh: true,
  databaseCopies: true,
  cron: options.cron ?? true,
  virtualClock: options.virtualClock ?? false,
  configFile: await writeTestConfig(folder),
  env: {
    HTTP_ALLOW_PRIVATE_NETWORK: "true",
    MILLRACE_TEST_LEDGER: folder,
    ...(proxy === undefined ? {} : { SUPABASE_URL: proxy.url }),
    ...options.env,
  },
  onLog: (source, line) => log?.writeSync(new TextEncoder().encode(`${source}: ${line}\n`)),
}).catch(async (error) => {
  await Deno.remove(folder, { recursive: true });
  throw error;
});
if (proxy !== undefined) proxy.target = stack.apiUrl;

/** What a test may ask the stack's process to do. */
const CONTROLS: Record<string, (stack: Stack, argument: string) => unknown> = {
  restartPostgres: (stack, mode) => stack.restartPostgres(mode === "immediate" ? mode : "fast"),
  killFunction: (stack, name) => stack.killFunction(name),
  retireFunction: (stack, name) => stack.retireFunction(name),
  functionPid: (stack, name) => stack.functionPid(name),
  createDatabase: (stack) => stack.createDatabase(),
  addFault: (_, fault) => proxy?.add(JSON.parse(fault) as Fault),
  faultHits: (_, id) => proxy?.hits(id),
  removeFault: (_, id) => proxy?.remove(id),
};

const control = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen: () => {} },
  async (request) => {
    const { method, argument } = await request.json();
    const run = Object.hasOwn(CONTROLS, method) ? CONTROLS[method] : undefined;
    if (run === undefined) return Response.json({ error: `no control ${method}` }, { status: 404 });
    try {
      return Response.json({ result: await run(stack, argument ?? "") ?? null });
    } catch (error) {
      return Response.json({ error: String(error) }, { status: 500 });
    }
  },
);

const ready = JSON.stringify({
  api_url: stack.apiUrl,
  functions_url: stack.functionsUrl,
  db_url: stack.dbUrl,
  superuser_url: stack.superuserUrl,
  publishable_key: stack.publishableKey,
  secret_key: stack.secretKey,
  jwt_secret: stack.jwtSecret,
  control_url: `http://127.0.0.1:${control.addr.port}/`,
  ledger: folder,
});
await Deno.stdout.write(new TextEncoder().encode(ready + "\n"));

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => void stop());
}
for await (const _ of Deno.stdin.readable); // until whoever started this is gone
await stop();

async function stop(): Promise<never> {
  await control.shutdown();
  await stack.stop();
  await proxy?.close();
  await Deno.remove(folder, { recursive: true });
  Deno.exit(0);
}
