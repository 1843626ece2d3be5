import { parseArgs, type ParseArgsOptionsConfig } from "node:util";

/** The command line is not one that the command understands. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** Reads the options of a command. @throws UsageError for those it does not have */
export function readArguments<T extends ParseArgsOptionsConfig>(
  args: string[],
  options: T,
  usage: string,
) {
  try {
    return parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : error}\nUsage: ${usage}`);
  }
}

/** Reads a port number. @throws UsageError when it is none */
export function readPort(text: string | undefined, fallback: number, option: string): number {
  if (text === undefined) return fallback;
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65535) return port;
  throw new UsageError(`${option} must be a port from 0 to 65535: current value is '${text}'`);
}
