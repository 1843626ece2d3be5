import { problem } from "./problem.ts";

/**
 * Signs a webhook as Standard Webhooks says: HMAC-SHA256 over `id.timestamp.body` with the key
 * behind `whsec_` (base64). The receiver checks it with any of that standard's libraries.
 *
 * @throws {ExecutorError} `config_invalid` when the secret is not base64; it is not repeated.
 */
export async function signWebhook(
  secret: string,
  message: { id: string; timestampSeconds: number; body: string },
): Promise<Record<string, string>> {
  const { id, timestampSeconds, body } = message;
  const key = await crypto.subtle.importKey(
    "raw",
    keyBytes(secret),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
  const signed = new TextEncoder().encode(`${id}.${timestampSeconds}.${body}`);
  const signature = new Uint8Array(await crypto.subtle.sign("HMAC", key, signed));
  return {
    "webhook-id": id,
    "webhook-timestamp": String(timestampSeconds),
    "webhook-signature": `v1,${btoa(String.fromCharCode(...signature))}`,
  };
}

function keyBytes(secret: string): Uint8Array<ArrayBuffer> {
  try {
    const bytes = Uint8Array.from(
      atob(secret.replace(/^whsec_/, "")),
      (char) => char.charCodeAt(0),
    );
    if (bytes.length > 0) return bytes;
  } catch {
    // falls through: the reason would quote the secret
  }
  throw problem(
    "config",
    ["signing_secret_env_var"],
    "must name a variable that holds whsec_ and base64",
  );
}
