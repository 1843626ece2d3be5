import { parseArgs } from "node:util";

/** The command line of the demo. */
export interface DemoArguments {
  /** The JSON file to run on, as it was given. */
  file: string | undefined;
  /** Show what functions log. */
  verbose: boolean;
  help: boolean;
}

/** What `--help` prints, and a command line that cannot be read. */
export const USAGE = `Usage: deno task demo [FILE] [--verbose]

Runs workflows on a local Supabase with throw-away data, and shows each step.

  FILE       a JSON array of objects to run on, in place of the example's orders
  --verbose  show what the functions log as well`;

/** Reads the command line. @throws Error when it is not one that the demo understands */
export function readArguments(args: string[]): DemoArguments {
  const { values, positionals } = parseArgs({
    args,
    options: { verbose: { type: "boolean" }, help: { type: "boolean", short: "h" } },
    allowPositionals: true,
    strict: true,
  });
  if (positionals.length > 1) {
    throw new Error(`The demo takes one file: current number is ${positionals.length}`);
  }
  return {
    file: positionals[0],
    verbose: values.verbose ?? false,
    help: values.help ?? false,
  };
}
