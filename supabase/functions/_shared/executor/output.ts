import { ExecutorError } from "./error.ts";

/** Deeper values can exceed what Postgres parses, and would take the whole commit down with them. */
const MAX_DEPTH = 500;

/** What JSON text can hold and `jsonb` cannot: `\u0000` and half a surrogate pair. */
const SUSPICIOUS = /\\u(?:0000|d[89a-f])/;

interface Problem {
  path: (string | number)[];
  what: string;
}

/**
 * Turns an output into the JSON text that is sent: `undefined` becomes `null`, and what the
 * database could not store, or JSON would silently change, is refused with its place.
 *
 * @throws {ExecutorError} `invalid_result` or `payload_too_large`.
 */
export function serializeOutput(output: unknown, maxBytes: number): string {
  const text = stringify(output);
  // Without any of these nothing can be wrong, and most outputs are done here.
  if (
    text.length > 2 * MAX_DEPTH || text.includes("null") ||
    SUSPICIOUS.test(text)
  ) {
    const problem = findProblem(output, "", 0);
    if (problem !== undefined) {
      throw invalidOutput(`${place(problem.path)} ${problem.what}`);
    }
  }
  const size = byteLength(text, maxBytes);
  if (size <= maxBytes) return text;
  throw new ExecutorError(
    "payload_too_large",
    `Cannot store an output of more than ${maxBytes} bytes`,
    { details: { max_bytes: maxBytes } },
  );
}

function stringify(output: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(output);
  } catch (cause) {
    throw invalidOutput(
      "it is not JSON: it holds a BigInt, a circle or too many levels",
      cause,
    );
  }
  if (text !== undefined) return text;
  if (output === undefined) return "null";
  throw invalidOutput(`it is a ${typeof output}`);
}

/** Depth first; the path is built on the way back, so that a sound value costs no paths. */
function findProblem(
  given: unknown,
  key: string,
  depth: number,
): Problem | undefined {
  const value = hasToJson(given) ? given.toJSON(key) : given;
  if (typeof value === "string") return textProblem(value);
  if (typeof value === "number" && !Number.isFinite(value)) {
    return { path: [], what: `is ${value}, which JSON has no number for` };
  }
  if (typeof value !== "object" || value === null) return undefined;
  if (depth >= MAX_DEPTH) {
    return { path: [], what: `is nested deeper than ${MAX_DEPTH} levels` };
  }
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      const problem = findProblem(item, String(index), depth + 1);
      if (problem !== undefined) return below(index, problem);
    }
    return undefined;
  }
  for (const [name, item] of Object.entries(value)) {
    const problem = textProblem(name) ?? findProblem(item, name, depth + 1);
    if (problem !== undefined) return below(name, problem);
  }
  return undefined;
}

function textProblem(text: string): Problem | undefined {
  if (text.includes("\0")) {
    return { path: [], what: "holds \\u0000, which jsonb cannot store" };
  }
  if (!text.isWellFormed()) {
    return {
      path: [],
      what: "holds half a surrogate pair, which jsonb cannot store",
    };
  }
  return undefined;
}

function below(key: string | number, problem: Problem): Problem {
  problem.path.unshift(key);
  return problem;
}

function hasToJson(value: unknown): value is { toJSON(key: string): unknown } {
  return typeof value === "object" && value !== null && "toJSON" in value &&
    typeof value.toJSON === "function";
}

function place(path: readonly (string | number)[]): string {
  const text = path.map((key) =>
    typeof key === "number"
      ? `[${key}]`
      : /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key)
      ? `.${key}`
      : `[${JSON.stringify(key)}]`
  ).join("");
  return text.length <= 300 ? `output${text}` : `output${text.slice(0, 300)}…`;
}

function invalidOutput(why: string, cause?: unknown): ExecutorError {
  // A handler that returned this will return it again.
  return new ExecutorError(
    "invalid_result",
    `Cannot store the output as ${why}`,
    {
      retryable: false,
    },
    { cause },
  );
}

/** In UTF-8; a text that is too long or surely short enough is not encoded to find out. */
function byteLength(text: string, limit: number): number {
  if (text.length > limit || text.length * 3 <= limit) return text.length;
  return encoder.encode(text).byteLength;
}

const encoder = new TextEncoder();
