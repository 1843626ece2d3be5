import type { TestStack } from "./stack.ts";
import type { TestUser } from "./user.ts";

/** How a function is called; by default with GET, and by nobody. */
export interface CallOptions {
  method?: string;
  /** Sent as JSON, but a string as it stands. */
  body?: unknown;
  /** Whose token goes along; a string is sent as the token itself. */
  as?: TestUser | string;
  headers?: Record<string, string>;
}

/** A function's answer; `body` is parsed where it is JSON. */
export interface Answer {
  status: number;
  headers: Headers;
  // deno-lint-ignore no-explicit-any -- tests look into whatever came
  body: any;
}

/** Calls a function of the stack over HTTP: `path` begins with its name. */
export async function call(
  stack: TestStack,
  path: string,
  options: CallOptions = {},
): Promise<Answer> {
  const { method = "GET", body, as, headers = {} } = options;
  const token = typeof as === "string" ? as : as?.token;
  const response = await fetch(`${stack.functionsUrl}/${path}`, {
    method,
    headers: {
      apikey: stack.publishableKey,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const json = response.headers.get("content-type")?.startsWith("application/json") ?? false;
  return {
    status: response.status,
    headers: response.headers,
    body: json ? JSON.parse(text) : text,
  };
}

/** POSTs JSON to a function as a user. */
export function post(
  stack: TestStack,
  path: string,
  body: unknown,
  as?: TestUser | string,
): Promise<Answer> {
  return call(stack, path, { method: "POST", body, ...(as === undefined ? {} : { as }) });
}
