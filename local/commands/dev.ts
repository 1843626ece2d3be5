import { join } from "node:path";
import { loadConfig } from "../config.ts";
import { readEnvFiles } from "../functions/environment.ts";
import { PROJECT, type Stack, startStack } from "../stack.ts";
import { readArguments, readPort } from "./arguments.ts";
import { print, say } from "./say.ts";

/** What `deno task dev --help` prints. */
export const USAGE = `Usage: deno task dev [options]

Runs the local stack until Ctrl-C.

  --port N           port of the API; 0 is any free one
  --db-port N        port of Postgres; 0 is any free one
  --fresh            with data that are thrown away at the end
  --virtual-clock    with a clock that \`deno task clock\` moves
  --json             print addresses and keys as one line of JSON when it runs`;

/** `deno task dev`: runs the local stack until SIGINT or SIGTERM; exit code 0 then. */
export async function dev(args: string[]): Promise<number> {
  const { values } = readArguments(args, {
    "port": { type: "string" },
    "db-port": { type: "string" },
    "fresh": { type: "boolean" },
    "virtual-clock": { type: "boolean" },
    "json": { type: "boolean" },
  });
  const config = await loadConfig(join(PROJECT, "supabase/config.toml"));
  const apiPort = readPort(values.port, config.api.port, "--port");
  const dbPort = readPort(values["db-port"], config.db.port, "--db-port");

  // Waited for from the beginning, so that an early Ctrl-C stops what has been started.
  const signal = Promise.withResolvers<void>();
  Deno.addSignalListener("SIGINT", signal.resolve);
  Deno.addSignalListener("SIGTERM", signal.resolve);

  const started = startStack({
    apiPort,
    dbPort,
    fresh: values.fresh ?? false,
    virtualClock: values["virtual-clock"] ?? false,
    watch: true,
    env: await readEnvFiles(PROJECT),
    logsDir: join(PROJECT, ".millrace/logs"),
    onLog: (source, line) => source === "postgres" || say(`${source} | ${line}`),
  });
  const stack = await started;
  if (values.json) print(JSON.stringify(addresses(stack)));
  else introduce(stack);

  await signal.promise;
  if (!values.json) say("Stopping …");
  await stack.stop();
  return 0;
}

/** What a program needs to talk to the stack. */
function addresses(stack: Stack): Record<string, string> {
  return {
    api_url: stack.apiUrl,
    functions_url: stack.functionsUrl,
    db_url: stack.dbUrl,
    publishable_key: stack.publishableKey,
    secret_key: stack.secretKey,
  };
}

function introduce(stack: Stack): void {
  print(`
  Millrace runs. Ctrl-C stops it.

  API              ${stack.apiUrl}
  Functions        ${stack.functionsUrl}
  Database         ${stack.dbUrl}
  Publishable key  ${stack.publishableKey}
  Secret key       ${stack.secretKey}

  Logs are in .millrace/logs; functions and migrations are watched.${
    stack.options.virtualClock && !stack.options.fresh
      ? "\n  The clock is a virtual one: `deno task clock` moves it."
      : ""
  }
`);
}
