import { parseArgs, type ParseArgsOptionsConfig } from "node:util";

/** The command line is not one that the command understands; its usage is to be shown. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** Whether the command line asks what the command can do. */
export function isHelpAsked([first]: string[]): boolean {
  return first === "--help" || first === "-h";
}

/**
 * Reads the options of a command.
 *
 * @param maxPositionals how many arguments it takes beside them
 * @throws UsageError for what it does not understand
 */
export function readArguments<T extends ParseArgsOptionsConfig>(
  args: string[],
  options: T,
  maxPositionals = 0,
) {
  const parsed = parse(args, options);
  const surplus = parsed.positionals[maxPositionals];
  if (surplus !== undefined) throw new UsageError(`Unexpected argument '${surplus}'`);
  return parsed;
}

function parse<T extends ParseArgsOptionsConfig>(args: string[], options: T) {
  try {
    return parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    // What follows the first sentence is advice for programmers.
    throw new UsageError(error.message.split(". ")[0]);
  }
}

/** Reads a port number. @throws UsageError when it is none */
export function readPort(text: string | undefined, fallback: number, option: string): number {
  if (text === undefined) return fallback;
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65535) return port;
  throw new UsageError(`${option} must be a port from 0 to 65535: current value is '${text}'`);
}
