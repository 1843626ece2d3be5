import { z } from "zod";
import { ExecutorError } from "../_shared/executor/error.ts";
import type { TaskHandler } from "../_shared/executor/handler.ts";

/** Longest delay that a config may ask for, in milliseconds. */
const MAX_DELAY_MS = 60_000;

const delaySchema = z.number().min(0).max(MAX_DELAY_MS);

/**
 * Gives back what it was given: `{data}` becomes `{echoed_data: data}`, and any other input
 * `{echoed_data: input}`. `config.delay_ms` (up to a minute) makes it wait first, for demos.
 *
 * @throws {ExecutorError} `config_invalid` when `delay_ms` is not a number within its bounds.
 */
export const echo: TaskHandler = ({ config, input }, { signal }) => {
  const output = { echoed_data: hasData(input) ? input.data : input ?? null };
  if (config["delay_ms"] === undefined) return output;
  const delay = delaySchema.safeParse(config["delay_ms"]);
  if (delay.success) return sleep(delay.data, signal).then(() => output);
  throw new ExecutorError(
    "config_invalid",
    `Cannot echo as 'config.delay_ms' must be a number from 0 to ${MAX_DELAY_MS}: ` +
      `current value is ${JSON.stringify(config["delay_ms"])}`,
  );
};

function hasData(input: unknown): input is { data: unknown } {
  return typeof input === "object" && input !== null &&
    Object.hasOwn(input, "data");
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal.addEventListener("abort", stop, { once: true });
  });
}
