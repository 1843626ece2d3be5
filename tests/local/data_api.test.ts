import assert from "node:assert/strict";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import postgres from "postgres";
import { bootFixtures, eventually } from "./support.ts";

function client(url: string, key: string): SupabaseClient {
  return createClient(url, key, { auth: { persistSession: false, autoRefreshToken: false } });
}

Deno.test("the Data API and Auth act as a hosted project's", async (t) => {
  await using stack = await bootFixtures();
  const anon = client(stack.apiUrl, stack.publishableKey);
  const admin = client(stack.apiUrl, stack.secretKey);
  const user = client(stack.apiUrl, stack.publishableKey);
  const other = client(stack.apiUrl, stack.publishableKey);

  await t.step("signUp() gives a session at once, and its claims can be verified", async () => {
    for (const [who, email] of [[user, "a@example.com"], [other, "b@example.com"]] as const) {
      const { data, error } = await who.auth.signUp({ email, password: "correct horse" });
      assert.equal(error, null);
      assert.equal((await who.auth.getClaims()).data?.claims.sub, data.user?.id);
    }
    const again = await anon.auth.signInWithPassword({ email: "a@example.com", password: "wrong" });
    assert.equal(again.error?.code, "invalid_credentials");
  });

  await t.step("row level security shows a user his own rows only", async () => {
    assert.equal((await user.from("notes").insert({ text: "mine" })).error, null);
    assert.equal((await user.from("notes").select()).data?.length, 1);
    assert.deepEqual((await other.from("notes").select()).data, []);
    assert.equal((await admin.from("notes").select()).data?.length, 1);
  });

  await t.step("grants hold as the migrations made them", async () => {
    assert.equal((await anon.from("notes").select()).error?.code, "42501");
    assert.equal((await user.from("notes").delete().eq("id", 1)).error?.code, "42501");
    assert.equal((await admin.from("notes").update({ text: "" }).eq("id", 1)).error?.code, "42501");
    assert.equal((await admin.from("hidden").select()).error?.code, "42501");
    assert.equal((await anon.rpc("show_argument", { p_value: {} })).error?.code, "42501");
  });

  await t.step(
    "the secret key is service_role, in `apikey` alone as with supabase-js",
    async () => {
      const response = await fetch(`${stack.apiUrl}/rest/v1/rpc/show_argument`, {
        method: "POST",
        headers: { apikey: stack.secretKey, "content-type": "application/json" },
        body: '{"p_value":{"a":[1]}}',
      });
      const expected = { type: "object", value: { a: [1] }, role: "service_role" };
      assert.deepEqual(await response.json(), expected);
      assert.deepEqual((await admin.rpc("show_argument", { p_value: { a: [1] } })).data, expected);
    },
  );

  await t.step("jsonb arguments arrive as what they are", async () => {
    for (const value of [{}, { "a b": "c;'d\"\\" }, [], [1, { x: null }], { n: { o: "é\n" } }]) {
      const { data } = await user.rpc("show_argument", { p_value: value });
      assert.deepEqual(data.value, value);
      assert.equal(data.role, "authenticated");
    }
  });

  await t.step("an error of a function comes with its SQLSTATE, as from PostgREST", async () => {
    const { error, status } = await admin.rpc("raise_error", { p_code: "MR001" });
    assert.equal(status, 400);
    assert.deepEqual({ ...error }, {
      code: "MR001",
      message: "It went wrong",
      details: "why",
      hint: "do this",
    });
  });

  await t.step("a statement of anon may take three seconds", async () => {
    const begun = performance.now();
    assert.equal((await anon.rpc("sleep", { p_seconds: 5 })).error?.code, "57014");
    assert.ok(performance.now() - begun < 4_000);
  });

  await t.step("a table that is created later can be used soon", async () => {
    const db = postgres(stack.dbUrl, { max: 1 });
    await db`create table public.later (id integer); grant select on public.later to anon`.simple();
    await db.end();
    const rows = await eventually(async () =>
      (await anon.from("later").select()).data ?? undefined
    );
    assert.deepEqual(rows, []);
  });

  await t.step("requests that lose Postgres get 503, later ones an answer", async () => {
    const db = postgres(stack.superuserUrl, { max: 1 });
    const slow = admin.rpc("sleep", { p_seconds: 7 }).then(({ status }) => status);
    await eventually(async () =>
      (await db`select 1 from pg_stat_activity where wait_event = 'PgSleep'`)[0]
    );
    await db.end();
    await stack.restartPostgres("immediate");
    assert.equal(await slow, 503);
    assert.equal((await admin.rpc("sleep", { p_seconds: 0 })).status, 200);
  });

  await t.step("a wrong key, none, and a forged token are refused with 401", async () => {
    const url = `${stack.apiUrl}/rest/v1/notes`;
    const forged = "Bearer eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.AAAA";
    for (
      const headers of [
        { apikey: "sb_secret_wrong" },
        {},
        { apikey: stack.publishableKey, authorization: forged },
      ] as Record<string, string>[]
    ) {
      const response = await fetch(url, { headers });
      await response.body?.cancel();
      assert.equal(response.status, 401);
    }
  });
});
