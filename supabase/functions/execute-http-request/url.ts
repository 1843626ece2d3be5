import type { HttpConfig } from "./config.ts";
import type { HttpInput } from "./input.ts";
import { problem, type Side } from "./problem.ts";

const PLACEHOLDER = /\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/**
 * Makes the URL of a request: the config's (or, where it has none, the input's), its `{name}`
 * placeholders filled from `input.params`, and the query added. Every value is percent-encoded,
 * so that data cannot leave its place in the URL.
 *
 * A config with secrets has to say where they may go, by its own `url` or by `allowed_origins`:
 * else whoever writes the input could have them sent to a host of his own.
 *
 * @throws {ExecutorError} `config_invalid` or `input_invalid` naming the key.
 */
export function buildUrl(config: HttpConfig, input: HttpInput): URL {
  const side: Side = config.url === undefined ? "input" : "config";
  const text = config.url ?? input.url;
  if (text === undefined) throw problem("input", ["url"], "is missing, and the config has no url");
  const [param] = Object.keys(input.params);
  if (side === "input" && param !== undefined) {
    throw problem("input", ["params", param], "has no place, as the config has no url");
  }
  const url = parse(side === "config" ? fill(text, input) : text, side);
  if (config.allowed_origins !== undefined) {
    if (!config.allowed_origins.includes(url.origin)) {
      throw problem(
        side,
        ["url"],
        `is not at one of config.allowed_origins: ${url.origin}`,
      );
    }
  } else if (side === "input" && hasSecrets(config)) {
    throw problem("config", ["allowed_origins"], "must say where its secrets may be sent");
  }
  const twice = Object.keys(input.query).find((key) => url.searchParams.has(key));
  if (twice !== undefined) throw problem("input", ["query", twice], "is in the URL already");
  for (const [key, value] of Object.entries({ ...config.query, ...input.query })) {
    for (const each of [value].flat()) {
      if (each !== null) url.searchParams.append(key, String(each));
    }
  }
  return url;
}

function hasSecrets(config: HttpConfig): boolean {
  return config.auth !== undefined ||
    config.signing_secret_env_var !== undefined ||
    Object.keys(config.headers_env).length > 0;
}

function fill(template: string, { params }: HttpInput): string {
  const names = new Set([...template.matchAll(PLACEHOLDER)].map(([, name]) => name));
  if (names.size > 0 && !/^https?:\/\/[^/?#{}]+[/?#]/i.test(template)) {
    throw problem("config", ["url"], "must not have a placeholder in its host");
  }
  const unknown = Object.keys(params).find((name) => !names.has(name));
  if (unknown !== undefined) {
    throw problem(
      "input",
      ["params", unknown],
      `is not in config.url: there is no {${unknown}}`,
    );
  }
  return template.replace(PLACEHOLDER, (_, name: string) => {
    const value = Object.hasOwn(params, name) ? String(params[name]) : undefined;
    if (value === undefined) throw problem("input", ["params", name], "is missing");
    // Dots are not encoded, and a path of dots would climb.
    if (/^\.*$/.test(value)) throw problem("input", ["params", name], "must not be empty or dots");
    return encodeURIComponent(value.toWellFormed());
  });
}

function parse(text: string, side: Side): URL {
  try {
    return new URL(text);
  } catch (cause) {
    throw problem(side, ["url"], "is not an absolute URL", cause);
  }
}
