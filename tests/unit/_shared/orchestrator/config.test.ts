import assert from "node:assert/strict";
import { ConfigError } from "../../../../supabase/functions/_shared/contracts/env.ts";
import { readOrchestratorConfig } from "../../../../supabase/functions/_shared/orchestrator/config.ts";

const read = (variables: Record<string, string>) =>
  readOrchestratorConfig((name) => variables[name]);

Deno.test("readOrchestratorConfig() has a default for everything", () => {
  assert.deepEqual(read({}), {
    logLevel: "info",
    slots: 100,
    claimSeconds: 60,
    wallSeconds: 140,
    maxSteps: 10_000,
    lingerMs: 5_000,
    leaseSeconds: 30,
    maxRedeliveries: 3,
    maxPayloadBytes: 1_048_576,
  });
  assert.deepEqual(read({ ORCHESTRATOR_SLOTS: "", LEASE_SECONDS: "  " }), read({}));
});

Deno.test("readOrchestratorConfig() takes what an operator sets", () => {
  const config = read({ ORCHESTRATOR_SLOTS: " 7 ", LOG_LEVEL: "debug", MAX_REDELIVERIES: "0" });
  assert.deepEqual([config.slots, config.logLevel, config.maxRedeliveries], [7, "debug", 0]);
});

const BAD: [variable: string, value: string][] = [
  ["LOG_LEVEL", "loud"],
  ["ORCHESTRATOR_SLOTS", "0"],
  ["ORCHESTRATOR_SLOTS", "10001"],
  ["ORCHESTRATOR_CLAIM_SECONDS", "1.5"],
  ["ORCHESTRATOR_WALL_SECONDS", "9"],
  ["ORCHESTRATOR_MAX_STEPS", "-1"],
  ["ORCHESTRATOR_LINGER_MS", "1e3"],
  ["LEASE_SECONDS", "2"],
  ["MAX_REDELIVERIES", "many"],
  ["MAX_PAYLOAD_BYTES", "1"],
];

for (const [variable, value] of BAD) {
  Deno.test(`readOrchestratorConfig() refuses ${variable}=${value} and names it`, () => {
    assert.throws(
      () => read({ [variable]: value }),
      (error) => error instanceof ConfigError && error.variable === variable,
    );
  });
}
