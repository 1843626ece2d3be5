import { z } from "zod";
import { integer, oneOf, parseVariables, type ReadVariable } from "../contracts/env.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

const executorVariables = z.object({
  LOG_LEVEL: oneOf(["debug", "info", "warn", "error"]).default("info"),
  LOG_PAYLOADS: oneOf(["true", "false"]).default("false"),
  MAX_PAYLOAD_BYTES: integer(KIB, 64 * MIB).default(MIB),
  MAX_BATCH_BYTES: integer(KIB, 128 * MIB).default(32 * MIB),
});

/** What every executor reads from its environment. */
export interface ExecutorEnv {
  logLevel: "debug" | "info" | "warn" | "error";
  /** Whether inputs and outputs may stand in debug lines. */
  logPayloads: boolean;
  /** Largest output of one task, in bytes of its JSON. */
  maxPayloadBytes: number;
  /** Largest batch that an executor accepts, in bytes of its JSON. */
  maxBatchBytes: number;
}

/**
 * Reads and checks what an executor needs.
 *
 * @throws {ConfigError} naming the first variable that is unusable.
 */
export function readExecutorEnv(read?: ReadVariable): ExecutorEnv {
  const values = parseVariables(executorVariables, read);
  return {
    logLevel: values.LOG_LEVEL,
    logPayloads: values.LOG_PAYLOADS === "true",
    maxPayloadBytes: values.MAX_PAYLOAD_BYTES,
    maxBatchBytes: values.MAX_BATCH_BYTES,
  };
}
