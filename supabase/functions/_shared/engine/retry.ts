import { matchesErrorPattern, type RetryPolicyInput } from "../contracts/definition.ts";
import type { ErrorInfo } from "../contracts/errors.ts";
import { isFinalCode } from "./error_codes.ts";

/** A retry policy with every question answered. Times are in seconds. */
export interface RetryPolicy {
  readonly max_retries: number;
  readonly strategy: "exponential" | "linear" | "fixed";
  readonly base_delay_seconds: number;
  readonly multiplier: number;
  /** Caps the exponential strategy; linear and fixed delays are what they say. */
  readonly max_delay_seconds: number;
  readonly jitter: "full" | "none";
  /** Absent: the error's own `retryable` decides. */
  readonly retry_on?: readonly string[] | undefined;
  readonly never_retry_on: readonly string[];
}

/** What a policy says where nobody says anything. */
export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  max_retries: 3,
  strategy: "exponential",
  base_delay_seconds: 1,
  multiplier: 2,
  max_delay_seconds: 300,
  jitter: "full",
  never_retry_on: [],
};

/** Where a policy may be written, from the inside out. */
export interface RetryPolicySources {
  step?: RetryPolicyInput | null | undefined;
  definition?: RetryPolicyInput | null | undefined;
  transformer?: RetryPolicyInput | null | undefined;
  /** `jobs.max_retries`: the count where no policy has one. */
  job_max_retries?: number | null | undefined;
}

/** Puts a policy together field by field: the step's, else the definition's, the transformer's, the default. */
export function resolveRetryPolicy(sources: RetryPolicySources): RetryPolicy {
  const { step, definition, transformer, job_max_retries } = sources;
  const pick = <K extends keyof RetryPolicyInput>(key: K): RetryPolicyInput[K] =>
    step?.[key] ?? definition?.[key] ?? transformer?.[key];
  const fallback = DEFAULT_RETRY_POLICY;
  return {
    max_retries: pick("max_retries") ?? job_max_retries ?? fallback.max_retries,
    strategy: pick("strategy") ?? fallback.strategy,
    base_delay_seconds: pick("base_delay_seconds") ?? fallback.base_delay_seconds,
    multiplier: pick("multiplier") ?? fallback.multiplier,
    max_delay_seconds: pick("max_delay_seconds") ?? fallback.max_delay_seconds,
    jitter: pick("jitter") ?? fallback.jitter,
    retry_on: pick("retry_on"),
    never_retry_on: pick("never_retry_on") ?? fallback.never_retry_on,
  };
}

/** Whether an attempt that failed is made again, and after how many seconds. */
export type RetryDecision =
  | { readonly retry: true; readonly delay_seconds: number }
  | { readonly retry: false; readonly reason: "not_retryable" | "retries_used_up" };

/**
 * Decides about another attempt.
 * @param random uniform in [0, 1), used by full jitter
 */
export function decideRetry(
  { policy, error, retriesUsed, random }: {
    policy: RetryPolicy;
    error: ErrorInfo;
    /** Retries of this visit that were made already. */
    retriesUsed: number;
    random: number;
  },
): RetryDecision {
  if (!isWorthRetrying(policy, error)) return { retry: false, reason: "not_retryable" };
  if (retriesUsed >= policy.max_retries) return { retry: false, reason: "retries_used_up" };
  const longest = backoffSeconds(policy, retriesUsed + 1);
  const delay = policy.jitter === "full" ? longest * random : longest;
  return { retry: true, delay_seconds: Math.max(delay, error.retry_after_seconds ?? 0) };
}

/** Seconds before the n-th retry (n counts from 1), before jitter. */
export function backoffSeconds(policy: RetryPolicy, n: number): number {
  const { strategy, base_delay_seconds: base, multiplier, max_delay_seconds: max } = policy;
  switch (strategy) {
    case "exponential":
      // 0 * Infinity is not a number, and multiplier ** 999 may well be infinite.
      return base === 0 ? 0 : Math.min(base * multiplier ** (n - 1), max);
    case "linear":
      return base * n;
    case "fixed":
      return base;
  }
}

function isWorthRetrying(policy: RetryPolicy, error: ErrorInfo): boolean {
  const matches = (pattern: string) => matchesErrorPattern(pattern, error.code);
  if (isFinalCode(error.code) || policy.never_retry_on.some(matches)) return false;
  return policy.retry_on?.some(matches) ?? error.retryable;
}
