import { z } from "zod";

/**
 * Every error code the engine itself can put on an attempt, a step or a job, with whether such an
 * error is worth another attempt by default. Executors add codes of their own under a prefix
 * (`gemini.blocked`). This is the only list: documentation and tests read it.
 */
export const ERROR_CODES = {
  timeout: { retryable: true },
  rate_limited: { retryable: true },
  http_4xx: { retryable: false },
  http_5xx: { retryable: true },
  network: { retryable: true },
  executor_unreachable: { retryable: true },
  executor_crashed: { retryable: true },
  invalid_result: { retryable: true },
  validation_failed: { retryable: true },
  mapping_failed: { retryable: false },
  expression_failed: { retryable: false },
  no_choice_matched: { retryable: false },
  config_invalid: { retryable: false },
  secret_missing: { retryable: false },
  transformer_not_found: { retryable: false },
  definition_invalid: { retryable: false },
  input_invalid: { retryable: false },
  payload_too_large: { retryable: false },
  step_budget_exceeded: { retryable: false },
  children_failed: { retryable: false },
  event_timeout: { retryable: false },
  approval_timeout: { retryable: false },
  rejected: { retryable: false },
  cancelled: { retryable: false },
  lease_lost: { retryable: true },
  internal: { retryable: true },
} as const satisfies Record<string, { retryable: boolean }>;

/** A code of the closed list. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** A code of the closed list, or an executor's own under a prefix: `gemini.blocked`. */
export const errorCodeSchema = z.string().max(100).refine(
  (code) => Object.hasOwn(ERROR_CODES, code) || /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$/.test(code),
  { error: "must be one of the engine's error codes, or an own one with a prefix: prefix.name" },
);

/** The one shape of an error, on an attempt, a step and a job. */
export const errorInfoSchema = z.object({
  code: errorCodeSchema,
  message: z.string(),
  /** Whether another attempt could pass. */
  retryable: z.boolean(),
  details: z.unknown().optional(),
  /** Seconds that the other side asked to wait before the next attempt. */
  retry_after_seconds: z.number().nonnegative().optional(),
});
export type ErrorInfo = z.infer<typeof errorInfoSchema>;

/**
 * Builds an {@link ErrorInfo}; `retryable` falls back to what the code says by default, and to
 * `false` for an executor's own codes.
 */
export function errorInfo(
  code: ErrorCode | `${string}.${string}`,
  message: string,
  more: Partial<Omit<ErrorInfo, "code" | "message">> = {},
): ErrorInfo {
  return { code, message, ...more, retryable: more.retryable ?? retryableByDefault(code) };
}

/** Whether an error of this code is worth another attempt when nobody said otherwise. */
export function retryableByDefault(code: string): boolean {
  return Object.hasOwn(ERROR_CODES, code) ? ERROR_CODES[code as ErrorCode].retryable : false;
}
