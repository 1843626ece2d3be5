import { z } from "zod";
import { headersSchema, type HttpConfig, pairsSchema } from "./config.ts";
import { check, problem } from "./problem.ts";

const inputSchema = z.strictObject({
  url: z.string().min(1).nullable(),
  params: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
    .nullable(),
  query: pairsSchema.nullable(),
  headers: headersSchema.nullable(),
  body: z.unknown(),
}, { error: "must be an object" }).partial();

/** What a task's input adds to its config. */
export interface HttpInput {
  url?: string | undefined;
  params: Record<string, string | number | boolean>;
  query: z.infer<typeof pairsSchema>;
  headers: z.infer<typeof headersSchema>;
  /** `undefined`: no body. */
  body?: unknown;
}

const HINT =
  `; a request takes url, params, query, headers and body: name them in input_map, or set ` +
  `config.input_as to "body" or "none"`;

/**
 * Reads a task's input. Input may come from the end user (a step without `input_map` is handed
 * the whole job input), so it fills in what the config leaves open and changes nothing that the
 * config fixes: neither the URL, nor a header, nor a key of the query, nor the body.
 *
 * `config.input_as` says what it is: `request` (an object of `url`, `params`, `query`, `headers`,
 * `body`; any other key is refused, as it would go nowhere), `body` (the whole of it is the
 * body), or `none` (it is not looked at).
 *
 * @throws {ExecutorError} `input_invalid` naming the key.
 */
export function readInput(input: unknown, config: HttpConfig): HttpInput {
  const nothing = { params: {}, query: {}, headers: {} };
  if (config.input_as === "none") return nothing;
  if (config.input_as === "body") {
    if (config.body === undefined) return { ...nothing, body: input ?? null };
    throw problem("config", ["body"], `is set where config.input_as makes the input the body`);
  }
  const given = check(inputSchema, input ?? {}, "input", HINT);
  if (given.url && config.url !== undefined) throw fixed("url");
  if (
    given.body !== undefined && given.body !== null && config.body !== undefined
  ) {
    throw fixed("body");
  }
  for (const key of Object.keys(given.query ?? {})) {
    if (Object.hasOwn(config.query, key)) throw fixed("query", key);
  }
  const fixedHeaders = new Set(namesOfHeaders(config).map((name) => name.toLowerCase()));
  for (const name of Object.keys(given.headers ?? {})) {
    if (fixedHeaders.has(name.toLowerCase())) throw fixed("headers", name);
  }
  return {
    url: given.url ?? undefined,
    params: given.params ?? {},
    query: given.query ?? {},
    headers: given.headers ?? {},
    // What an optional path did not find is no body.
    body: given.body ?? undefined,
  };
}

function namesOfHeaders(config: HttpConfig): string[] {
  const { headers, headers_env, auth, idempotency_key_header } = config;
  return [
    ...Object.keys(headers),
    ...Object.keys(headers_env),
    ...(auth === undefined ? [] : [auth.type === "header" ? auth.name : "authorization"]),
    ...(idempotency_key_header === undefined ? [] : [idempotency_key_header]),
    ...(config.signing_secret_env_var === undefined
      ? []
      : ["webhook-id", "webhook-timestamp", "webhook-signature"]),
  ];
}

function fixed(...path: string[]) {
  return problem("input", path, `is fixed by the config`);
}
