import { parse } from "smol-toml";
import { z } from "zod";
import { StackError } from "./error.ts";
import { readTextIfExists } from "./files.ts";

// What the local stack honours of supabase/config.toml; the Supabase CLI reads the rest.
const projectConfig = z.object({
  api: z.object({
    port: z.number().int().default(54321),
    schemas: z.array(z.string()).default(["public"]),
    max_rows: z.number().int().default(1000),
  }).prefault({}),
  db: z.object({
    port: z.number().int().default(54322),
    seed: z.object({ enabled: z.boolean().default(true) }).prefault({}),
  }).prefault({}),
  auth: z.object({
    site_url: z.string().default("http://127.0.0.1:3000"),
    jwt_expiry: z.number().int().default(3600),
    enable_signup: z.boolean().default(true),
    minimum_password_length: z.number().int().default(6),
    email: z.object({
      enabled: z.boolean().optional(),
      enable_signup: z.boolean().optional(), // what older versions of the CLI call it
      enable_confirmations: z.boolean().default(false),
    }).transform(({ enabled, enable_signup, ...rest }) => ({
      ...rest,
      enable_signup: enabled ?? enable_signup ?? true,
    })).prefault({}),
  }).prefault({}),
  functions: z.record(
    z.string(),
    z.object({
      enabled: z.boolean().default(true),
      verify_jwt: z.boolean().default(true),
      entrypoint: z.string().optional(),
    }),
  ).default({}),
});

/** The part of `supabase/config.toml` that the local stack honours, defaults filled in. */
export type ProjectConfig = z.infer<typeof projectConfig>;

/**
 * Reads `supabase/config.toml`; a missing file means defaults only.
 *
 * @throws StackError when it is no TOML or holds a wrong value
 */
export async function loadConfig(path: string): Promise<ProjectConfig> {
  const text = await readTextIfExists(path) ?? "";
  try {
    return projectConfig.parse(parse(text));
  } catch (error) {
    if (error instanceof z.ZodError) {
      throw new StackError(`Cannot use ${path}:\n${z.prettifyError(error)}`);
    }
    throw new StackError(`Cannot read ${path}: ${error instanceof Error ? error.message : error}`);
  }
}
