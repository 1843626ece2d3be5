import assert from "node:assert/strict";
import type { OnError } from "../../../../supabase/functions/_shared/contracts/definition.ts";
import { findErrorHandler } from "../../../../supabase/functions/_shared/engine/on_error.ts";

const handlers: OnError = [
  { errors: ["http_4xx", "gemini.*"], next_step: "first" },
  { errors: ["http_4xx", "timeout"], next_step: "second" },
  { errors: ["*"], next_step: "rest" },
];

const CASES: [name: string, OnError | undefined, code: string, step: string | null][] = [
  ["gives null where there is none", undefined, "timeout", null],
  ["gives one step for all", "handler", "timeout", "handler"],
  ["takes the first of a list", handlers, "http_4xx", "first"],
  ["takes a prefix", handlers, "gemini.blocked", "first"],
  ["takes a later one", handlers, "timeout", "second"],
  ["takes '*' for the rest", handlers, "http_5xx", "rest"],
  ["gives null where none of a list means it", handlers.slice(0, 2), "http_5xx", null],
  ["does not catch a cancelled job", "handler", "cancelled", null],
  ["does not catch the step budget", handlers, "step_budget_exceeded", null],
];

for (const [behaviour, onError, code, step] of CASES) {
  Deno.test(`findErrorHandler() ${behaviour}`, () => {
    assert.equal(findErrorHandler(onError, code), step);
  });
}
