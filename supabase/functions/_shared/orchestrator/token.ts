import type { AttemptRef } from "../engine/job.ts";

/**
 * The token that finishes an attempt by callback: base64url(job:step:visit:attempt) "."
 * base64url(HMAC-SHA256 of the former), as `millrace.read_callback_token` verifies it.
 */
export async function callbackToken(
  secret: string,
  jobId: string,
  { step_id, visit, attempt }: AttemptRef,
): Promise<string> {
  const body = base64url(encoder.encode(`${jobId}:${step_id}:${visit}:${attempt}`));
  const key = await crypto.subtle.importKey(
    "raw",
    encoder.encode(secret),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
  const signature = await crypto.subtle.sign("HMAC", key, encoder.encode(body));
  return `${body}.${base64url(new Uint8Array(signature))}`;
}

const encoder = new TextEncoder();

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
