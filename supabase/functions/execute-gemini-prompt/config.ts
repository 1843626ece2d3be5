import { z } from "zod";
import type { ReadVariable } from "../_shared/contracts/env.ts";
import { ExecutorError } from "../_shared/executor/error.ts";
import { privateNetworkAllowed } from "../_shared/executor/net/guard.ts";
import { checkTemplate } from "./template.ts";

const MIB = 1024 * 1024;

/** Used when a transformer names no model. */
export const DEFAULT_MODEL = "gemini-3.5-flash";
/** Where Google serves the Gemini API. */
export const DEFAULT_BASE_URL = "https://generativelanguage.googleapis.com";

/** What the task makes of the model's answer, by `transformers.type`. */
export const TRANSFORMER_TYPES = ["gemini_prompt", "gemini_transcription"] as const;
/** A transformer type that this executor serves. */
export type TransformerType = typeof TRANSFORMER_TYPES[number];

const HARM_CATEGORIES = [
  "HARM_CATEGORY_HARASSMENT",
  "HARM_CATEGORY_HATE_SPEECH",
  "HARM_CATEGORY_SEXUALLY_EXPLICIT",
  "HARM_CATEGORY_DANGEROUS_CONTENT",
  "HARM_CATEGORY_CIVIC_INTEGRITY",
] as const;
const THRESHOLDS = [
  "BLOCK_NONE",
  "BLOCK_ONLY_HIGH",
  "BLOCK_MEDIUM_AND_ABOVE",
  "BLOCK_LOW_AND_ABOVE",
  "OFF",
] as const;

const template = z.string().min(1).superRefine((text, context) => {
  const fault = checkTemplate(text);
  if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
});

const generationConfigSchema = z.strictObject({
  temperature: z.number().min(0).max(2).optional(),
  top_p: z.number().min(0).max(1).optional(),
  top_k: z.int().positive().optional(),
  max_output_tokens: z.int().positive().optional(),
  stop_sequences: z.array(z.string().min(1)).max(5).optional(),
  seed: z.int().optional(),
  presence_penalty: z.number().optional(),
  frequency_penalty: z.number().optional(),
  media_resolution: z.string().optional(),
  thinking_config: z.strictObject({
    thinking_budget: z.int().min(-1).optional(),
    thinking_level: z.string().optional(),
  }).optional(),
});

const configSchema = z.strictObject({
  model: z.string().regex(/^((models|tunedModels)\/)?[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, {
    error: "must be a model name such as gemini-3.5-flash",
  }).default(DEFAULT_MODEL),
  // The platform's own keys are refused: with a base_url they could be sent anywhere.
  api_key_env_var: z.string().regex(/^(?!SUPABASE_)[A-Z][A-Z0-9_]{0,127}$/, {
    error: "must be the name of an environment variable that does not begin with SUPABASE_",
  }).default("GEMINI_API_KEY"),
  base_url: z.string().optional(),
  api_version: z.string().regex(/^v[0-9][a-z0-9]*$/, { error: "must be like v1beta" })
    .default("v1beta"),
  system_instruction: template.optional(),
  prompt_template: template.optional(),
  response_schema: z.record(z.string(), z.unknown()).optional(),
  response_mime_type: z.enum(["text/plain", "application/json", "text/x.enum"])
    .optional(),
  generation_config: generationConfigSchema.default({}),
  safety_settings: z.array(
    z.strictObject({ category: z.enum(HARM_CATEGORIES), threshold: z.enum(THRESHOLDS) }),
  ).default([]),
  /** The keys of the input that hold media. */
  media: z.array(z.string().min(1)).default(["media", "audio_url"]),
  /** Storage buckets that an input may name; none by default. */
  storage_buckets: z.array(z.string().min(1)).default([]),
  /** What a Storage path must begin with; `{{user_id}}` is the job's owner. */
  storage_path_prefix: z.string().regex(/^(([^{}]|\{\{user_id\}\})*\/)?$/, {
    error: "must end in / and may hold no other template than {{user_id}}",
  }).default("{{user_id}}/"),
  /** Whether an input may name files that Gemini's Files API holds for this key. */
  allow_file_uris: z.boolean().default(false),
  /** Bytes of one medium, at most. */
  max_media_bytes: z.int().positive().max(2048 * MIB).default(256 * MIB),
  /** Bytes of media that travel inside the request; what is above goes by the Files API. */
  inline_max_bytes: z.int().nonnegative().max(14 * MIB).default(4 * MIB),
}).superRefine((config, context) => {
  if (config.response_schema !== undefined && config.response_mime_type === "text/plain") {
    context.addIssue({
      code: "custom",
      path: ["response_mime_type"],
      message: "must be application/json with a response_schema: current value is text/plain",
    });
  }
});

/** A transformer's configuration, checked and with its defaults. */
export interface GeminiConfig extends Omit<z.infer<typeof configSchema>, "base_url"> {
  type: TransformerType;
  /** Without a slash at its end. */
  base_url: string;
}

/**
 * Checks a task's configuration. `GEMINI_BASE_URL` has the last word on where requests (and with
 * them the key) go.
 *
 * @throws {ExecutorError} `config_invalid`, which names the key.
 */
export function parseConfig(type: string, config: unknown, env: ReadVariable): GeminiConfig {
  if (!isOneOf(TRANSFORMER_TYPES, type)) {
    invalid("type", `must be one of ${TRANSFORMER_TYPES.join(", ")}: current value is ${type}`);
  }
  const parsed = configSchema.safeParse(config);
  if (!parsed.success) {
    throw new ExecutorError(
      "config_invalid",
      `The transformer's config is invalid: ${parsed.error.issues.map(describe).join("; ")}`,
    );
  }
  if (type === "gemini_transcription") {
    for (const key of ["response_schema", "response_mime_type"] as const) {
      if (parsed.data[key] !== undefined) {
        invalid(key, "cannot be set for gemini_transcription, whose answer has a form of its own");
      }
    }
  }
  const fromEnv = env("GEMINI_BASE_URL");
  const baseUrl = fromEnv ? fromEnv : parsed.data.base_url ?? DEFAULT_BASE_URL;
  checkBaseUrl(baseUrl, fromEnv ? "GEMINI_BASE_URL" : "base_url", env);
  return { ...parsed.data, type, base_url: baseUrl.replace(/\/+$/, "") };
}

/**
 * Reads the API key from the variable that the configuration names.
 *
 * @throws {ExecutorError} `secret_missing`, which names the variable.
 */
export function apiKey(config: GeminiConfig, env: ReadVariable): string {
  const key = env(config.api_key_env_var)?.trim();
  if (key) return key;
  throw new ExecutorError(
    "secret_missing",
    `The environment variable ${config.api_key_env_var} is not set: it must hold a Gemini API key`,
  );
}

function checkBaseUrl(value: string, name: string, env: ReadVariable): void {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search !== "") {
    invalid(name, "must be an https URL without a query");
  }
  const loopback = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  if (url.protocol === "http:" && !loopback && !privateNetworkAllowed({ get: env })) {
    invalid(name, "must be https, or the API key would travel in clear");
  }
}

function describe(issue: z.core.$ZodIssue): string {
  if (issue.code === "unrecognized_keys") {
    const at = issue.path.length === 0 ? "" : `${issue.path.join(".")}.`;
    return issue.keys.map((key) => `${at}${key} is not a known key`).join("; ");
  }
  return `${issue.path.join(".")}: ${issue.message}`;
}

function invalid(key: string, reason: string): never {
  throw new ExecutorError(
    "config_invalid",
    `The transformer's config is invalid: ${key}: ${reason}`,
  );
}

function isOneOf<T extends string>(list: readonly T[], value: string): value is T {
  return (list as readonly string[]).includes(value);
}
