import { join } from "node:path";
import { loadConfig } from "../config.ts";
import { readEnvFiles } from "../functions/environment.ts";
import { PROJECT, type Stack, startStack } from "../stack.ts";
import { readArguments, readPort, UsageError } from "./arguments.ts";
import { print, say } from "./say.ts";

const USAGE = "deno task dev [--port N] [--db-port N] [--fresh] [--json]   (0 = any free port)";

/** `deno task dev`: runs the local stack until SIGINT or SIGTERM; exit code 0 then. */
export async function dev(args: string[]): Promise<number> {
  const { values, positionals } = readArguments(args, {
    "port": { type: "string" },
    "db-port": { type: "string" },
    "fresh": { type: "boolean" },
    "json": { type: "boolean" },
  }, USAGE);
  if (positionals.length > 0) throw new UsageError(`Usage: ${USAGE}`);
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

  Logs are in .millrace/logs; functions and migrations are watched.
`);
}
