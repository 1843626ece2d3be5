import type { ReadVariable } from "../_shared/contracts/env.ts";
import type { Task } from "../_shared/contracts/executor.ts";
import { CONNECTION_HEADERS, type GuardedRequest } from "../_shared/executor/net/fetch.ts";
import { type HttpConfig, pairsSchema } from "./config.ts";
import { type HttpInput, readInput } from "./input.ts";
import { check, problem, type Side } from "./problem.ts";
import { readSecret, secretHeaders } from "./secrets.ts";
import { signWebhook } from "./sign.ts";
import { buildUrl } from "./url.ts";

/** A request that is ready to be sent. */
export interface HttpRequest extends GuardedRequest {
  url: URL;
  method: string;
  headers: Headers;
  body?: string | undefined;
  /** Names of headers that must not go to another origin. */
  secretHeaders: string[];
  /** Values that must not stand in an error. */
  secrets: string[];
}

/**
 * Makes the request of a task out of its config, its input and the environment.
 *
 * @throws {ExecutorError} `config_invalid`, `input_invalid` or `secret_missing`, naming the key.
 */
export async function buildRequest(
  task: Pick<Task, "input" | "idempotency_key">,
  config: HttpConfig,
  read: ReadVariable,
): Promise<HttpRequest> {
  const input = readInput(task.input, config);
  const url = buildUrl(config, input);
  const secrets = secretHeaders(config, read);
  const headers = new Headers();
  for (const [name, value] of Object.entries(config.headers)) {
    setHeader(headers, name, String(value), "config", ["headers", name]);
  }
  for (const [name, value] of Object.entries(input.headers)) {
    setHeader(headers, name, String(value), "input", ["headers", name]);
  }
  for (const { name, value, path } of secrets) {
    setHeader(headers, name, value, "config", path);
  }

  const body = encodeBody(config, input);
  const method = config.method ?? (body === undefined ? "GET" : "POST");
  if (body !== undefined && (method === "GET" || method === "HEAD")) {
    throw problem(
      "config",
      ["method"],
      `must be one that carries a body: it is ${method}`,
    );
  }
  if (body !== undefined && !headers.has("content-type")) {
    headers.set("content-type", CONTENT_TYPES[config.body_type]);
  }
  // Some hosts refuse a request without one.
  if (!headers.has("user-agent")) headers.set("user-agent", "millrace");
  if (config.idempotency_key_header !== undefined) {
    headers.set(config.idempotency_key_header, task.idempotency_key);
  }
  if (config.signing_secret_env_var !== undefined) {
    const signature = await signWebhook(
      readSecret(config.signing_secret_env_var, read),
      {
        id: task.idempotency_key,
        timestampSeconds: Math.floor(Date.now() / 1000),
        body: body ?? "",
      },
    );
    for (const [name, value] of Object.entries(signature)) {
      headers.set(name, value);
    }
  }
  return {
    url,
    method,
    headers,
    body,
    secretHeaders: secrets.map(({ name }) => name),
    // The header's whole value first: a server may repeat it, or only the secret in it.
    secrets: secrets.flatMap(({ value, secret }) => [...new Set([value, secret])]),
  };
}

const CONTENT_TYPES = {
  json: "application/json",
  text: "text/plain;charset=UTF-8",
  form: "application/x-www-form-urlencoded;charset=UTF-8",
};

function setHeader(
  headers: Headers,
  name: string,
  value: string,
  side: Side,
  path: readonly string[],
): void {
  if (CONNECTION_HEADERS.includes(name.toLowerCase())) {
    throw problem(side, path, "is a header of the connection, which a request cannot set");
  }
  try {
    headers.set(name, value);
  } catch {
    // The reason would quote the value, which may be a secret.
    throw problem(side, path, "has a value that a header cannot hold");
  }
}

function encodeBody(config: HttpConfig, input: HttpInput): string | undefined {
  const side: Side = config.body === undefined ? "input" : "config";
  const path = side === "input" && config.input_as === "body" ? [] : ["body"];
  const body = config.body ?? input.body;
  if (body === undefined) return undefined;
  if (config.body_type === "json") return JSON.stringify(body);
  if (config.body_type === "text") {
    if (typeof body !== "object") return String(body);
    throw problem(side, path, "must be text, as config.body_type is text");
  }
  if (typeof body !== "object") {
    throw problem(side, path, "must be an object, as config.body_type is form");
  }
  const pairs = Object.entries(check(pairsSchema, body, side)).flatMap((
    [key, value],
  ) =>
    [value].flat().filter((each) => each !== null).map((
      each,
    ) => [key, String(each)])
  );
  return new URLSearchParams(pairs).toString();
}
