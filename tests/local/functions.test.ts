import assert from "node:assert/strict";
import postgres from "postgres";
import { createClient } from "@supabase/supabase-js";
import { bootFixtures, eventually, FIXTURES } from "./support.ts";

Deno.test("the function host serves /functions/v1 as Supabase does", async (t) => {
  const lines: string[] = [];
  await using stack = await bootFixtures({
    onLog: (source, line) => lines.push(`${source}: ${line}`),
  });
  const call = (path: string, init?: RequestInit) => fetch(stack.functionsUrl + path, init);
  const pidOf = async () => (await (await call("/greet")).json()).pid;

  await t.step("requests at the same time share the start of one process", async () => {
    const pids = await Promise.all(Array.from({ length: 8 }, pidOf));
    assert.equal(new Set(pids).size, 1);
    assert.equal(pids[0], stack.functionPid("greet"));
  });

  await t.step("a function sees its name and the rest of the path, method and body", async () => {
    const response = await call("/greet/a%20b/c?x=1&x=2", { method: "PUT", body: "some text" });
    const { path, method, body, keys } = await response.json();
    assert.deepEqual([path, method, body], ["/greet/a%20b/c?x=1&x=2", "PUT", "some text"]);
    assert.deepEqual(JSON.parse(keys), { default: stack.secretKey });
  });

  await t.step("a process that was killed is started again by the next request", async () => {
    const before = await pidOf();
    assert.equal(await stack.killFunction("greet"), true);
    assert.notEqual(await pidOf(), before);
  });

  await t.step("a function that cannot start gives 503, and its log tells why", async () => {
    const response = await call("/crash");
    assert.equal(response.status, 503);
    assert.equal((await response.json()).code, "BOOT_ERROR");
    assert.match(lines.join("\n"), /crash: .*this function cannot start/);
  });

  await t.step("a function that does not exist gives 404", async () => {
    for (const path of ["/nothing", "/_shared", "/..%2f"]) {
      const response = await call(path);
      assert.equal(response.status, 404);
      assert.equal((await response.json()).code, "NOT_FOUND");
    }
  });

  await t.step("verify_jwt lets a user's token through only", async () => {
    const user = createClient(stack.apiUrl, stack.publishableKey, {
      auth: { persistSession: false, autoRefreshToken: false },
    });
    const { data } = await user.auth.signUp({ email: "a@example.com", password: "correct horse" });
    const token = data.session?.access_token ?? "";
    for (
      const [authorization, status] of [
        [`Bearer ${token}`, 200],
        [`Bearer ${token.slice(0, -4)}AAAA`, 401],
        [`Bearer ${stack.publishableKey}`, 401],
        ["", 401],
      ] as const
    ) {
      const response = await call("/serve", { headers: { authorization } });
      await response.body?.cancel();
      assert.equal(response.status, status, authorization);
    }
  });

  await t.step("bodies are passed on piece by piece, both ways", async () => {
    const { readable, writable } = new TransformStream<string, string>();
    const writer = writable.getWriter();
    const body = readable.pipeThrough(new TextEncoderStream());
    void writer.write("one\n");
    const response = await call("/stream", { method: "POST", body });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    // The second piece is sent only after the answer to the first has come.
    assert.equal((await reader?.read())?.value, "ONE\n");
    void writer.write("two\n");
    assert.equal((await reader?.read())?.value, "TWO\n");
    await writer.close();
    assert.equal((await reader?.read())?.done, true);
  });

  await t.step("an answer of a few megabytes is whole", async () => {
    const text = "x".repeat(5_000_000);
    const response = await call("/stream", { method: "POST", body: text });
    assert.equal((await response.text()).length, text.length);
  });
});

Deno.test("stop() lets background work of a function finish", async () => {
  const dataDir = await Deno.makeTempDir();
  try {
    const first = await bootFixtures({ fresh: false, dataDir });
    await (await fetch(`${first.functionsUrl}/background`, { method: "POST" })).body?.cancel();
    await first.stop();
    await using second = await bootFixtures({ fresh: false, dataDir });
    assert.equal(second.secretKey, first.secretKey);
    const db = postgres(second.dbUrl, { max: 1 });
    const notes = await db`select text from public.notes`;
    await db.end();
    assert.deepEqual(notes.map(({ text }) => text), ["done in the background"]);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("a migration that is added is applied while the stack is watched", async () => {
  const migrationsDir = await Deno.makeTempDir();
  try {
    await using stack = await bootFixtures({ watch: true, migrationsDir });
    await Deno.writeTextFile(
      `${migrationsDir}/20260101000000_create_late.sql`,
      "create table public.late (id integer);",
    );
    const db = postgres(stack.dbUrl, { max: 1 });
    await eventually(async () => (await db`select to_regclass('late') as t`)[0]?.t ?? undefined);
    await db.end();
  } finally {
    await Deno.remove(migrationsDir, { recursive: true });
  }
});

Deno.test("a function whose files change is restarted, and its requests under way finish", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await new Deno.Command("cp", { args: ["-R", `${FIXTURES}/functions`, folder] }).output();
    await using stack = await bootFixtures({ watch: true, functionsDir: `${folder}/functions` });
    const url = `${stack.functionsUrl}/greet`;
    const pidOf = async () => (await (await fetch(url)).json()).pid;
    const before = await pidOf();

    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const slow = fetch(url, { method: "POST", body: readable });
    const writer = writable.getWriter();
    await writer.write(new TextEncoder().encode("half of "));
    await Deno.writeTextFile(`${folder}/functions/greet/note.txt`, "changed");
    await eventually(async () => await pidOf() !== before ? true : undefined);
    await writer.write(new TextEncoder().encode("it"));
    await writer.close();
    const { body, pid } = await (await slow).json();
    assert.deepEqual([body, pid], ["half of it", before]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a stack that stops ends the orchestrator before the functions that it calls", async () => {
  const lines: string[] = [];
  const answers = () => lines.filter((line) => line.includes("greet answered"));
  {
    await using stack = await bootFixtures({ onLog: (_source, line) => lines.push(line) });
    const call = fetch(`${stack.functionsUrl}/workflow-orchestrator`);
    call.then((response) => response.body?.cancel()).catch(() => {}); // ends with the stack
    await eventually(() => Promise.resolve(answers().length >= 3 ? true : undefined));
  }
  assert.deepEqual(answers().filter((line) => !line.endsWith("answered 200")), []);
});
