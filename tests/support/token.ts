/** Signs a JWT (HS256) as the project's Auth would, given its secret. */
export async function signToken(secret: string, claims: Record<string, unknown>): Promise<string> {
  const encoder = new TextEncoder();
  const json = (value: unknown) => base64url(encoder.encode(JSON.stringify(value)));
  const text = `${json({ alg: "HS256", typ: "JWT" })}.${json(claims)}`;
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, [
    "sign",
  ]);
  const signature = await crypto.subtle.sign("HMAC", key, encoder.encode(text));
  return `${text}.${base64url(new Uint8Array(signature))}`;
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
