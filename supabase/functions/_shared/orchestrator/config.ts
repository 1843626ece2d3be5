import { z } from "zod";
import { integer, oneOf, parseVariables, type ReadVariable } from "../contracts/env.ts";

const MIB = 1_048_576;

const variables = z.object({
  LOG_LEVEL: oneOf(["debug", "info", "warn", "error"]).default("info"),
  ORCHESTRATOR_SLOTS: integer(1, 10_000).default(100),
  ORCHESTRATOR_CLAIM_SECONDS: integer(1, 86_400).default(60),
  ORCHESTRATOR_WALL_SECONDS: integer(10, 86_400).default(140),
  ORCHESTRATOR_MAX_STEPS: integer(1, 100_000_000).default(10_000),
  ORCHESTRATOR_LINGER_MS: integer(0, 60_000).default(5_000),
  LEASE_SECONDS: integer(3, 3_600).default(30),
  MAX_REDELIVERIES: integer(0, 100).default(3),
  MAX_PAYLOAD_BYTES: integer(1024, 64 * MIB).default(MIB),
});

/** What an operator may turn on an orchestrator. */
export interface OrchestratorConfig {
  logLevel: "debug" | "info" | "warn" | "error";
  /** Jobs that one run holds at a time. */
  slots: number;
  /** How long a run claims jobs, in seconds; then it finishes what it holds. */
  claimSeconds: number;
  /** How long a run may take in all, in seconds: below the platform's wall clock limit. */
  wallSeconds: number;
  /** Steps after which a run hands over, as the platform limits the CPU time of a worker. */
  maxSteps: number;
  /** How long a run waits for a job that falls due soon, in ms. */
  lingerMs: number;
  /** How long a lease holds without being extended, in seconds. */
  leaseSeconds: number;
  /** How often one attempt is delivered again before it counts as failed. */
  maxRedeliveries: number;
  /** Largest output of a step, in bytes of its JSON. */
  maxPayloadBytes: number;
}

/**
 * Reads the orchestrator's configuration.
 *
 * @throws {ConfigError} naming the first variable that is unusable
 */
export function readOrchestratorConfig(read?: ReadVariable): OrchestratorConfig {
  const values = parseVariables(variables, read);
  return {
    logLevel: values.LOG_LEVEL,
    slots: values.ORCHESTRATOR_SLOTS,
    claimSeconds: values.ORCHESTRATOR_CLAIM_SECONDS,
    wallSeconds: values.ORCHESTRATOR_WALL_SECONDS,
    maxSteps: values.ORCHESTRATOR_MAX_STEPS,
    lingerMs: values.ORCHESTRATOR_LINGER_MS,
    leaseSeconds: values.LEASE_SECONDS,
    maxRedeliveries: values.MAX_REDELIVERIES,
    maxPayloadBytes: values.MAX_PAYLOAD_BYTES,
  };
}
