import { join } from "node:path";
import { findHome } from "../place.ts";
import { PROJECT } from "../stack.ts";
import { findRunningStack, type StackState } from "../state.ts";
import { readArguments, UsageError } from "./arguments.ts";
import { print, say } from "./say.ts";

const USAGE = "deno task status [-o env|json]";

/** `deno task status`: prints how to reach the stack that runs; exit code 1 when none does. */
export async function status(args: string[]): Promise<number> {
  const { values, positionals } = readArguments(args, {
    output: { type: "string", short: "o", default: "text" },
  }, USAGE);
  const format = FORMATS[values.output];
  if (format === undefined || positionals.length > 0) throw new UsageError(`Usage: ${USAGE}`);
  const state = await findProjectStack();
  if (state === undefined) {
    say("The local stack does not run: start it with `deno task dev`");
    return 1;
  }
  print(format(state));
  return 0;
}

/** The stack that runs on this project's own data, if one does. */
export async function findProjectStack(): Promise<StackState | undefined> {
  return await findRunningStack(join(await findHome(PROJECT), "data"));
}

const FORMATS: Record<string, (state: StackState) => string> = {
  json: ({ pid: _, ...addresses }) => JSON.stringify(addresses),
  env: ({ pid: _, ...addresses }) =>
    Object.entries(addresses).map(([name, value]) => `${name.toUpperCase()}="${value}"`).join("\n"),
  text: ({ pid, ...addresses }) =>
    Object.entries({ ...addresses, pid })
      .map(([name, value]) => `${name.replaceAll("_", " ").padEnd(16)} ${value}`).join("\n"),
};
