import type { ReadVariable } from "../_shared/contracts/env.ts";
import { ExecutorError } from "../_shared/executor/error.ts";
import type { HttpConfig } from "./config.ts";

/** A header whose value came out of the environment. */
export interface SecretHeader {
  name: string;
  value: string;
  /** The value that the environment holds, which `value` may wrap. */
  secret: string;
  /** The key of the config that asked for it, for error messages. */
  path: string[];
}

/**
 * Reads a secret from the environment.
 *
 * @throws {ExecutorError} `secret_missing` naming the variable.
 */
export function readSecret(variable: string, read: ReadVariable): string {
  const value = read(variable);
  if (value !== undefined && value.trim() !== "") return value.trim();
  throw new ExecutorError(
    "secret_missing",
    `Cannot make the request as the environment variable '${variable}' is not set`,
    { details: { variable } },
  );
}

/**
 * The headers that a config takes from the environment: `auth` and `headers_env`.
 *
 * @throws {ExecutorError} `secret_missing` naming the variable.
 */
export function secretHeaders(
  config: HttpConfig,
  read: ReadVariable,
): SecretHeader[] {
  const headers = Object.entries(config.headers_env).map(([name, variable]) => {
    const secret = readSecret(variable, read);
    return { name, value: secret, secret, path: ["headers_env", name] };
  });
  const { auth } = config;
  if (auth === undefined) return headers;
  const secret = readSecret(
    auth.type === "basic" ? auth.password_env_var : auth.token_env_var,
    read,
  );
  const value = auth.type === "basic"
    ? `Basic ${base64(`${auth.username}:${secret}`)}`
    : auth.type === "bearer"
    ? `Bearer ${secret}`
    : secret;
  const name = auth.type === "header" ? auth.name : "authorization";
  return [...headers, { name, value, secret, path: ["auth"] }];
}

function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
