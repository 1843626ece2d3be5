/**
 * Checks the user's token in a request's `Authorization` header, as Supabase's gateway does for
 * functions with `verify_jwt`. Returns what is wrong with it, or `undefined` when it is valid.
 */
export async function verifyUserToken(
  request: Request,
  jwtSecret: string,
): Promise<string | undefined> {
  const header = request.headers.get("authorization");
  if (header === null) return "Missing authorization header";
  const [head, body, signature, ...more] = header.replace(/^Bearer\s+/i, "").split(".");
  if (!head || !body || !signature || more.length > 0) return "Invalid JWT";
  try {
    const key = await crypto.subtle.importKey(
      "raw",
      new TextEncoder().encode(jwtSecret),
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["verify"],
    );
    const signed = new TextEncoder().encode(`${head}.${body}`);
    if (!await crypto.subtle.verify("HMAC", key, decode(signature), signed)) return "Invalid JWT";
    const { alg } = JSON.parse(new TextDecoder().decode(decode(head)));
    const { exp } = JSON.parse(new TextDecoder().decode(decode(body)));
    return alg === "HS256" && typeof exp === "number" && exp * 1000 > Date.now()
      ? undefined
      : "Invalid JWT";
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof DOMException) return "Invalid JWT";
    throw error;
  }
}

function decode(base64url: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(
    atob(base64url.replaceAll("-", "+").replaceAll("_", "/")),
    (c) => c.charCodeAt(0),
  );
}
