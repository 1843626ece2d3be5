import { ConfigError, readPlatformEnv, type ReadVariable } from "../../_shared/contracts/env.ts";
import { ExecutorError } from "../../_shared/executor/error.ts";

/** What a task may read from Storage, where it reads with the service's key. */
export interface StorageRules {
  buckets: readonly string[];
  /** `{{user_id}}` in it is the job's owner. */
  pathPrefix: string;
  userId: string | undefined;
}

/** One object of Storage, as the input names it. */
export interface StorageObject {
  label: string;
  bucket: string;
  path: string;
}

/**
 * Decides whether a task may read an object. The executor's key opens every bucket, so that this
 * check is all that stands between a user's job and another user's files: buckets are refused
 * unless the transformer lists them, and paths unless they lie under the owner's prefix.
 *
 * @throws {ExecutorError} `input_invalid`, which names the medium.
 */
export function checkStorageAccess(object: StorageObject, rules: StorageRules): void {
  const { label, bucket, path } = object;
  const refuse = (why: string): never => {
    throw new ExecutorError("input_invalid", `${label} cannot be read from Storage as ${why}`);
  };
  if (!rules.buckets.includes(bucket)) {
    refuse("its bucket is not among the transformer's storage_buckets");
  }
  // No segment that a server on the way could resolve, and nothing that ends the path early.
  // deno-lint-ignore no-control-regex -- control characters are what is looked for
  const odd = /[\\?#%\u0000-\u001f\u007f]/.test(path);
  if (odd || path.split("/").some((segment) => ["", ".", ".."].includes(segment))) {
    refuse("its path must be plain segments between slashes");
  }
  if (rules.pathPrefix.includes("{{user_id}}") && rules.userId === undefined) {
    refuse("the job has no owner, whose id its path must begin with");
  }
  const prefix = rules.pathPrefix.replaceAll("{{user_id}}", rules.userId ?? "");
  if (!path.startsWith(prefix)) {
    refuse("its path does not begin with the prefix that the transformer allows the job's owner");
  }
}

/**
 * Asks Storage for an object. Call {@link checkStorageAccess} first.
 *
 * @throws what `fetch` throws, and {ExecutorError} `config_invalid` without a project's URL or key.
 */
export function fetchFromStorage(
  { bucket, path }: StorageObject,
  env: ReadVariable,
  signal: AbortSignal,
): Promise<Response> {
  const { supabaseUrl, secretKey } = platform(env);
  const name = [bucket, ...path.split("/")].map(encodeURIComponent).join("/");
  return fetch(`${supabaseUrl}/storage/v1/object/${name}`, {
    headers: {
      apikey: secretKey,
      // Keys of the older kind are tokens as well, and Storage wants them as such.
      ...(secretKey.startsWith("eyJ") ? { authorization: `Bearer ${secretKey}` } : {}),
    },
    signal,
    redirect: "error",
  });
}

/** Storage answers 400 for what it means as 404: the body has the true status. */
export async function storageStatus(response: Response): Promise<number> {
  try {
    const { statusCode } = await response.json() as { statusCode?: unknown };
    const status = Number(statusCode);
    return Number.isInteger(status) && status >= 400 && status < 600 ? status : response.status;
  } catch {
    return response.status; // Not JSON: the status line is all there is.
  }
}

function platform(env: ReadVariable) {
  try {
    return readPlatformEnv(env);
  } catch (error) {
    if (error instanceof ConfigError) {
      throw new ExecutorError("config_invalid", error.message);
    }
    throw error;
  }
}
