import assert from "node:assert/strict";
import {
  bearerToken,
  type ClaimsSource,
  createVerifier,
} from "../../../../supabase/functions/_shared/http/auth.ts";
import { ApiError } from "../../../../supabase/functions/_shared/http/errors.ts";

const USER = "11111111-2222-4333-8444-555555555555";
const CLAIMS = { sub: USER, role: "authenticated", exp: 2_000_000_000 };

function part(value: unknown): string {
  return btoa(JSON.stringify(value)).replaceAll("=", "");
}
const TOKEN = `${part({ alg: "HS256" })}.${part(CLAIMS)}.c2ln`;

function answering(claims: Record<string, unknown>): ClaimsSource {
  return { getClaims: () => Promise.resolve({ data: { claims }, error: null }) };
}
function refusing(error: { name: string; status?: number }): ClaimsSource {
  return { getClaims: () => Promise.resolve({ data: null, error }) };
}
const never: ClaimsSource = {
  getClaims: () => Promise.reject(new Error("must not be asked")),
};

async function refusal(work: () => unknown): Promise<ApiError> {
  try {
    await work();
  } catch (error) {
    assert.ok(error instanceof ApiError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: "must be refused" });
}

for (const given of [`Bearer ${TOKEN}`, `bearer   ${TOKEN}`]) {
  Deno.test(`bearerToken() reads '${given.slice(0, 10)}…'`, () => {
    assert.equal(bearerToken(new Headers({ authorization: given })), TOKEN);
  });
}

for (
  const given of [
    undefined,
    "",
    "Bearer",
    "Basic dTpw",
    TOKEN,
    `Bearer a b`,
    `Bearer ${"x".repeat(9000)}`,
  ]
) {
  Deno.test(`bearerToken() refuses '${given?.slice(0, 12)}'`, async () => {
    const headers = new Headers(given === undefined ? {} : { authorization: given });
    const error = await refusal(() => bearerToken(headers));
    assert.equal(error.status, 401);
    assert.equal(error.headers["www-authenticate"], "Bearer");
  });
}

Deno.test("createVerifier() gives the user of a token", async () => {
  assert.deepEqual(await createVerifier(answering(CLAIMS))(TOKEN), {
    userId: USER,
    token: TOKEN,
    expiresAt: 2_000_000_000,
  });
});

for (
  const token of [
    "sb_publishable_abc",
    "a.b.c",
    "a.b",
    `${TOKEN}.x`,
    `${part([])}.${part(CLAIMS)}.c2ln`,
    `${part({})}.%%%.c2ln`,
    `${part({})}.${part(CLAIMS)}.`,
  ]
) {
  Deno.test(`createVerifier() refuses ${token.slice(0, 20)} without asking Auth`, async () => {
    const error = await refusal(() => createVerifier(never)(token));
    assert.equal(error.status, 401);
    assert.equal(error.headers["www-authenticate"], 'Bearer error="invalid_token"');
  });
}

for (
  const claims of [
    { ...CLAIMS, role: "anon" },
    { ...CLAIMS, role: "service_role" },
    { ...CLAIMS, role: undefined },
    { ...CLAIMS, sub: undefined },
    { ...CLAIMS, sub: "me" },
  ]
) {
  Deno.test(`createVerifier() refuses ${JSON.stringify(claims)}`, async () => {
    assert.equal((await refusal(() => createVerifier(answering(claims))(TOKEN))).status, 401);
  });
}

for (
  const [name, status, expected] of [
    ["AuthApiError", 403, 401],
    ["AuthInvalidJwtError", 400, 401],
    ["AuthSessionMissingError", 400, 401],
    ["AuthApiError", 429, 503],
    ["AuthApiError", 500, 503],
    ["AuthRetryableFetchError", 0, 503],
    ["AuthUnknownError", undefined, 503],
  ] as const
) {
  Deno.test(`createVerifier() answers ${expected} for ${name} ${status}`, async () => {
    const source = refusing(status === undefined ? { name } : { name, status });
    const error = await refusal(() => createVerifier(source)(TOKEN));
    assert.equal(error.status, expected);
    assert.equal(error.headers["retry-after"], expected === 503 ? "5" : undefined);
  });
}

Deno.test("createVerifier() answers 401 where a token makes the check itself fail", async () => {
  const source: ClaimsSource = { getClaims: () => Promise.reject(new Error("Invalid alg claim")) };
  assert.equal((await refusal(() => createVerifier(source)(TOKEN))).status, 401);
});
