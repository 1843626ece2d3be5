import { z } from "zod";

/** A variable that is missing or unusable: the message names it, and never holds its value. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code = "config_invalid";
  readonly variable: string;

  constructor(variable: string, expected: string) {
    super(`Cannot read the configuration as '${variable}' must be ${expected}`);
    this.variable = variable;
  }
}

/** Reads one variable; `undefined` when it is not set. */
export type ReadVariable = (name: string) => string | undefined;

/** What the platform provides to every function. */
export interface PlatformEnv {
  /** Base of the project, without a trailing slash. */
  supabaseUrl: string;
  /** The key that end users' calls carry in `apikey`. */
  publishableKey: string;
  /** The key of the service role: goes in `apikey`, never in `Authorization`. */
  secretKey: string;
}

const KIB = 1024;
const MIB = 1024 * KIB;
/** What a body may hold beside its `input_data`, `metadata` above all. */
const OTHER_FIELDS_BYTES = 64 * KIB;

/** The API's own variables: each with its default; the units are in the names. */
const apiVariables = z.object({
  LOG_LEVEL: oneOf(["debug", "info", "warn", "error"]).default("info"),
  /** Default: MAX_PAYLOAD_BYTES, and room for the other fields. */
  MAX_BODY_BYTES: integer(KIB, 64 * MIB).optional(),
  MAX_PAYLOAD_BYTES: integer(KIB, 64 * MIB).default(MIB),
  RATE_LIMIT_PER_MINUTE: integer(0, 1_000_000).default(600),
  AUTH_CACHE_SECONDS: integer(0, 10).default(10),
  API_TIMEOUT_MS: integer(100, 60_000).default(8_000),
  KICK_TIMEOUT_MS: integer(100, 60_000).default(5_000),
});

/** The API functions' configuration. */
export interface ApiEnv extends PlatformEnv {
  logLevel: "debug" | "info" | "warn" | "error";
  /** Largest request body, in bytes. */
  maxBodyBytes: number;
  /** Largest `input_data`, in bytes of its JSON. */
  maxPayloadBytes: number;
  /** Requests that a user may make in a minute; 0 means no limit. */
  rateLimitPerMinute: number;
  /** How long a verified token is trusted without being checked again, in seconds; 0 to 10. */
  authCacheSeconds: number;
  /** Time limit of one call to the Data API or to Auth, in milliseconds. */
  apiTimeoutMs: number;
  /** Time limit of one kick of the orchestrator, in milliseconds. */
  kickTimeoutMs: number;
}

/**
 * Reads and checks what an API function needs.
 *
 * @throws {ConfigError} naming the first variable that is missing or unusable.
 */
export function readApiEnv(read: ReadVariable = readFromProcess): ApiEnv {
  const values = parseVariables(apiVariables, read);
  return {
    ...readPlatformEnv(read),
    logLevel: values.LOG_LEVEL,
    maxBodyBytes: values.MAX_BODY_BYTES ?? values.MAX_PAYLOAD_BYTES + OTHER_FIELDS_BYTES,
    maxPayloadBytes: values.MAX_PAYLOAD_BYTES,
    rateLimitPerMinute: values.RATE_LIMIT_PER_MINUTE,
    authCacheSeconds: values.AUTH_CACHE_SECONDS,
    apiTimeoutMs: values.API_TIMEOUT_MS,
    kickTimeoutMs: values.KICK_TIMEOUT_MS,
  };
}

/**
 * Reads what the platform provides; the JSON maps of keys win over the older single keys.
 *
 * @throws {ConfigError} naming the first variable that is missing or unusable.
 */
export function readPlatformEnv(read: ReadVariable = readFromProcess): PlatformEnv {
  const url = read("SUPABASE_URL") ?? "";
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new ConfigError("SUPABASE_URL", "an http or https URL");
  }
  return {
    supabaseUrl: url.replace(/\/+$/, ""),
    publishableKey: readKey(read, "SUPABASE_PUBLISHABLE_KEYS", "SUPABASE_ANON_KEY"),
    secretKey: readKey(read, "SUPABASE_SECRET_KEYS", "SUPABASE_SERVICE_ROLE_KEY"),
  };
}

/**
 * Checks variables against a schema whose keys are their names; an empty one counts as not set.
 *
 * @throws {ConfigError} naming the first variable that does not fit.
 */
export function parseVariables<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  read: ReadVariable = readFromProcess,
): z.infer<z.ZodObject<Shape>> {
  const raw = Object.fromEntries(
    Object.keys(schema.shape).map((name) => [name, read(name)?.trim() || undefined]),
  );
  const result = schema.safeParse(raw);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new ConfigError(String(issue?.path[0] ?? "environment"), issue?.message ?? "valid");
}

/** A whole number between two bounds, written in decimal. */
export function integer(min: number, max: number) {
  const error = `a whole number from ${min} to ${max}`;
  return z.string().regex(/^\d{1,15}$/, { error }).transform(Number)
    .refine((value) => value >= min && value <= max, { error });
}

/** One of some words. */
export function oneOf<const Words extends readonly [string, ...string[]]>(words: Words) {
  return z.enum(words, { error: `one of ${words.join(", ")}` });
}

const keyMapSchema = z.record(z.string(), z.string().min(1));

function readKey(read: ReadVariable, mapName: string, legacyName: string): string {
  const text = read(mapName)?.trim();
  if (text) {
    const keys = keyMapSchema.safeParse(parseOrNull(text));
    const key = keys.success ? keys.data["default"] ?? Object.values(keys.data)[0] : undefined;
    if (key === undefined) {
      throw new ConfigError(mapName, `a JSON object of keys, such as {"default": "…"}`);
    }
    return key;
  }
  const legacy = read(legacyName)?.trim();
  if (!legacy) throw new ConfigError(mapName, `set (or ${legacyName} on older projects)`);
  return legacy;
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // the caller reports it: a parser's message would quote the secret
  }
}

function readFromProcess(name: string): string | undefined {
  return Deno.env.get(name);
}
