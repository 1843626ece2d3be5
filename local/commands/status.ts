import { join } from "node:path";
import { StackError } from "../error.ts";
import { findHome } from "../place.ts";
import { PROJECT } from "../stack.ts";
import { findRunningStack, type StackState } from "../state.ts";
import { readArguments, UsageError } from "./arguments.ts";
import { print, say } from "./say.ts";

/** What `deno task status --help` prints. */
export const USAGE = `Usage: deno task status [-o env|json]

Prints how to reach the stack that runs; exit code 1 when none does.`;

/** `deno task status`: prints how to reach the stack that runs; exit code 1 when none does. */
export async function status(args: string[]): Promise<number> {
  const { values } = readArguments(args, {
    output: { type: "string", short: "o", default: "text" },
  });
  const format = Object.hasOwn(FORMATS, values.output) ? FORMATS[values.output] : undefined;
  if (format === undefined) {
    throw new UsageError(`-o must be env or json: current value is '${values.output}'`);
  }
  const state = await findProjectStack();
  if (state === undefined) {
    say(NOT_RUNNING);
    return 1;
  }
  print(format(state));
  return 0;
}

const NOT_RUNNING = "The local stack does not run: start it with `deno task dev`";

/** The stack that runs on this project's own data. @throws StackError when none does */
export async function needProjectStack(): Promise<StackState> {
  const state = await findProjectStack();
  if (state === undefined) throw new StackError(NOT_RUNNING);
  return state;
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
