import { z } from "zod";
import type { Task } from "../_shared/contracts/executor.ts";
import { check, problem } from "./problem.ts";

/** The types of transformers that this executor knows, each with what it does by default. */
const DEFAULTS = {
  http_request: {
    input_as: "request",
    method: undefined,
    idempotency_key_header: undefined,
  },
  http_download: {
    input_as: "request",
    method: "GET",
    idempotency_key_header: undefined,
  },
  webhook_call: {
    input_as: "body",
    method: "POST",
    idempotency_key_header: "idempotency-key",
  },
} as const;

const MIB = 1024 * 1024;

const scalar = z.union([z.string(), z.number(), z.boolean()]);
/** The project's own keys open everything; no row of a table may send them anywhere. */
const envVar = z.string().regex(/^(?!SUPABASE_)[A-Za-z_][A-Za-z0-9_]*$/i, {
  error: "must be the name of an environment variable that does not begin with SUPABASE_",
});
const headerName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, {
  error: "must be the name of a header",
});

/** Values of a query or a form; `null` leaves the key out, an array repeats it. */
export const pairsSchema = z.record(
  z.string(),
  z.union([scalar, z.null(), z.array(scalar)], {
    error: "must be text, a number, a boolean, null or an array of these",
  }),
);
export const headersSchema = z.record(headerName, scalar);

const authSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("bearer"), token_env_var: envVar }),
  z.strictObject({
    type: z.literal("basic"),
    username: z.string().regex(/^[^:]*$/, { error: "must not hold a colon" }),
    password_env_var: envVar,
  }),
  z.strictObject({
    type: z.literal("header"),
    name: headerName,
    token_env_var: envVar,
  }),
]);

const statusSchema = z.union([
  z.int().min(100).max(599),
  z.string().regex(/^[1-5]\d\d-[1-5]\d\d$|^[1-5]xx$/),
], { error: `must be a status (404), a range ("200-299") or a class ("2xx")` });

const configSchema = z.strictObject({
  url: z.string().min(1),
  allowed_origins: z.array(
    z.string().refine(
      (text) => URL.canParse(text) && new URL(text).origin === text,
      {
        error: "must be an origin, such as https://api.example.com",
      },
    ),
  ).min(1),
  method: z.string().toUpperCase().pipe(
    z.enum(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
  ),
  headers: headersSchema,
  headers_env: z.record(headerName, envVar),
  auth: authSchema,
  query: pairsSchema,
  body: z.unknown(),
  body_type: z.enum(["json", "text", "form"]),
  input_as: z.enum(["request", "body", "none"]),
  response_type: z.enum(["auto", "json", "text", "base64"]),
  timeout_seconds: z.number().positive().max(86_400),
  max_response_bytes: z.int().positive().max(64 * MIB),
  follow_redirects: z.boolean(),
  max_redirects: z.int().min(0).max(20),
  expected_status: z.union([statusSchema, z.array(statusSchema).min(1)]),
  idempotency_key_header: headerName,
  signing_secret_env_var: envVar,
}).partial();

type Given = z.infer<typeof configSchema>;

/** A transformer's and step's merged config, checked, with its defaults filled in. */
export type HttpConfig = Given & {
  type: keyof typeof DEFAULTS;
  headers: NonNullable<Given["headers"]>;
  headers_env: NonNullable<Given["headers_env"]>;
  query: NonNullable<Given["query"]>;
  body_type: NonNullable<Given["body_type"]>;
  input_as: NonNullable<Given["input_as"]>;
  response_type: NonNullable<Given["response_type"]>;
  timeout_seconds: number;
  max_response_bytes: number;
  max_redirects: number;
  expected_status: (number | string)[];
};

/**
 * Checks a task's config. A key that is `null` counts as absent, so that a step can take back
 * what its transformer sets.
 *
 * @throws {ExecutorError} `config_invalid` naming the key.
 */
export function readConfig(task: Pick<Task, "type" | "config">): HttpConfig {
  if (!Object.hasOwn(DEFAULTS, task.type)) {
    throw problem(
      "config",
      ["type"],
      `must be one of ${Object.keys(DEFAULTS).join(", ")}: the transformer's type is ${task.type}`,
    );
  }
  const type = task.type as keyof typeof DEFAULTS;
  const set = Object.entries(task.config).filter(([, value]) => value !== null);
  const given = check(configSchema, Object.fromEntries(set), "config");
  const { method, input_as, idempotency_key_header } = DEFAULTS[type];
  const followed = given.follow_redirects ?? true;
  return {
    headers: {},
    headers_env: {},
    query: {},
    body_type: "json",
    response_type: "auto",
    timeout_seconds: 30,
    max_response_bytes: MIB,
    input_as,
    ...(method === undefined ? {} : { method }),
    ...(idempotency_key_header === undefined ? {} : { idempotency_key_header }),
    ...given,
    type,
    max_redirects: followed ? given.max_redirects ?? 5 : 0,
    expected_status: [given.expected_status ?? (followed ? "2xx" : "200-399")]
      .flat(),
  };
}
