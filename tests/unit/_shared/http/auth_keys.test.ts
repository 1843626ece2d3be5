import assert from "node:assert/strict";
import { ApiError } from "../../../../supabase/functions/_shared/http/errors.ts";
import { createVerifier } from "../../../../supabase/functions/_shared/http/auth.ts";
import { createAuthClient } from "../../../../supabase/functions/_shared/store/client.ts";

// A project that signs with a private key: tokens are checked here, by its public keys, with the
// real supabase-js against a server that has nothing but the list of them.

const ES256 = { name: "ECDSA", namedCurve: "P-256" };
const USER_ID = "11111111-2222-4333-8444-555555555555";
const soon = () => Math.floor(Date.now() / 1000) + 60;

function encode(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

async function sign(key: CryptoKey, kid: string, claims: Record<string, unknown>): Promise<string> {
  const json = (value: unknown) => encode(new TextEncoder().encode(JSON.stringify(value)));
  const text = `${json({ alg: "ES256", kid, typ: "JWT" })}.${json(claims)}`;
  const signature = await crypto.subtle.sign(
    { name: "ECDSA", hash: "SHA-256" },
    key,
    new TextEncoder().encode(text),
  );
  return `${text}.${encode(new Uint8Array(signature))}`;
}

async function makeKeys() {
  return await crypto.subtle.generateKey(ES256, true, ["sign", "verify"]);
}

async function status(work: Promise<unknown>): Promise<number> {
  try {
    await work;
    return 200;
  } catch (error) {
    assert.ok(error instanceof ApiError, String(error));
    return error.status;
  }
}

Deno.test("createVerifier() checks tokens by the project's public keys, without asking Auth", async () => {
  const keys = await makeKeys();
  const kid = crypto.randomUUID();
  const jwk = { ...await crypto.subtle.exportKey("jwk", keys.publicKey), kid, alg: "ES256" };
  const paths: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const path = new URL(request.url).pathname;
    paths.push(path);
    return path.endsWith("/jwks.json")
      ? Response.json({ keys: [jwk] })
      : Response.json({ error_code: "bad_jwt", msg: "no" }, { status: 403 });
  });
  const auth = createAuthClient({
    supabaseUrl: `http://127.0.0.1:${server.addr.port}`,
    publishableKey: "sb_publishable_x",
    secretKey: "sb_secret_x",
    timeoutMs: 1_000,
  }).auth;
  const verify = createVerifier({ getClaims: (token) => auth.getClaims(token) });
  const claims = { sub: USER_ID, role: "authenticated", exp: soon() };
  try {
    const good = await sign(keys.privateKey, kid, claims);
    assert.equal((await verify(good)).userId, USER_ID);
    await verify(good);
    assert.deepEqual(paths, ["/auth/v1/.well-known/jwks.json"]);

    const other = await makeKeys();
    assert.equal(await status(verify(await sign(other.privateKey, kid, claims))), 401);
    assert.equal(await status(verify(await sign(other.privateKey, "unknown", claims))), 401);
    const expired = { ...claims, exp: soon() - 120 };
    assert.equal(await status(verify(await sign(keys.privateKey, kid, expired))), 401);
    const anon = { role: "anon", exp: soon() };
    assert.equal(await status(verify(await sign(keys.privateKey, kid, anon))), 401);
    const [, payload, signature] = good.split(".");
    for (const header of [{ alg: "none", kid }, { alg: "RS256", kid }, { alg: "HS256", kid }]) {
      const forged = `${
        encode(new TextEncoder().encode(JSON.stringify(header)))
      }.${payload}.${signature}`;
      assert.equal(await status(verify(forged)), 401, JSON.stringify(header));
    }
  } finally {
    await server.shutdown();
  }
});
