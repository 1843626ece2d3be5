import assert from "node:assert/strict";
import postgres from "postgres";
import { freePort } from "../../local/ports.ts";
import { bootFixtures, eventually } from "./support.ts";

Deno.test("pg_cron, pg_net and Vault are played by the stack", async (t) => {
  await using stack = await bootFixtures({ cron: true });
  const db = postgres(stack.dbUrl, { max: 1, onnotice: () => {} });

  await t.step("migrations are run as a role that is no superuser", async () => {
    const [role] =
      await db`select rolsuper, rolbypassrls from pg_roles where rolname = current_user`;
    assert.deepEqual({ ...role }, { rolsuper: false, rolbypassrls: true });
    const versions = await db`select version, name from supabase_migrations.schema_migrations`;
    assert.deepEqual(versions.map(({ name }) => name), ["create_notes", "schedule_jobs"]);
  });

  await t.step("a job of one second runs, and its runs are written down", async () => {
    const run = await eventually(async () =>
      (await db`select * from cron.job_run_details order by runid desc`)[1]
    );
    assert.equal(run.status, "succeeded");
    assert.equal(run.return_message, "1 row");
    assert.equal(run.username, "postgres");
  });

  await t.step("a job that fails says why; unscheduled it runs no more", async () => {
    await db`select cron.schedule('broken', '1 second', 'select 1/0')`;
    const [run] = await eventually(async () => {
      const runs = await db`select * from cron.job_run_details where status = 'failed'`;
      return runs.length > 0 ? runs : undefined;
    });
    assert.match(run?.return_message, /division by zero/);
    const [gone] = await db`select cron.unschedule('broken') as gone`;
    assert.equal(gone?.gone, true);
  });

  await t.step("cron.schedule() refuses what is no schedule", async () => {
    for (const schedule of ["60 seconds", "every day", "* * * *"]) {
      await assert.rejects(db`select cron.schedule(${schedule}, 'select 1')`, /invalid schedule/);
    }
  });

  await t.step("net.http_post() is sent after commit, its answer written down", async () => {
    const url = `${stack.functionsUrl}/greet/hooks?x=1`;
    await assert.rejects(db.begin(async (run) => {
      await run`select net.http_post(${url})`;
      throw new Error("roll back");
    }));
    const [request] = await db`select net.http_post(${url}, ${
      db.json({ a: 1 })
    }, '{"q":"é &"}') as id`;
    const answer = await eventually(async () => (await db`select * from net._http_response`)[0]);
    assert.equal(answer.id, request?.id);
    assert.equal(answer.status_code, 200);
    const { path, method, body } = JSON.parse(answer.content);
    assert.deepEqual({ path, method, body }, {
      path: "/greet/hooks?x=1&q=%C3%A9%20%26",
      method: "POST",
      body: '{"a": 1}',
    });
  });

  await t.step("a request that gets no answer in time, or no connection, says so", async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 }); // never answers
    const silent = `http://127.0.0.1:${listener.addr.port}`;
    const closed = `http://127.0.0.1:${freePort()}`;
    const ids: string[] = [];
    for (const url of [silent, closed]) {
      const [row] = await db`select net.http_get(${url}, timeout_milliseconds => 100) as id`;
      ids.push(row?.id);
    }
    const answers = await eventually(async () => {
      const rows = await db`select * from net._http_response where id in ${db(ids)} order by id`;
      return rows.length === 2 ? rows : undefined;
    });
    listener.close();
    assert.deepEqual(answers.map(({ timed_out }) => timed_out), [true, false]);
    assert.match(answers[1]?.error_msg, /refused/i);
  });

  await t.step("Vault holds the two secrets that the database calls functions with", async () => {
    const secrets = await db`select name, decrypted_secret from vault.decrypted_secrets`;
    assert.deepEqual(Object.fromEntries(secrets.map((s) => [s.name, s.decrypted_secret])), {
      millrace_project_url: stack.apiUrl,
      millrace_secret_key: stack.secretKey,
    });
    await db`select vault.update_secret(id, 'other') from vault.secrets where name like '%key'`;
    const [row] =
      await db`select decrypted_secret from vault.decrypted_secrets where name like '%key'`;
    assert.equal(row?.decrypted_secret, "other");
  });

  await t.step("jobs and requests go on after Postgres was restarted", async () => {
    await stack.restartPostgres("immediate");
    const last = async () =>
      Number((await db`select max(runid) from cron.job_run_details`)[0]?.max);
    const before = await last();
    await eventually(async () => await last() > before + 1 ? true : undefined);
    const [request] = await db`select net.http_get(${`${stack.functionsUrl}/greet`}) as id`;
    await eventually(async () =>
      (await db`select 1 from net._http_response where id = ${request?.id}`)[0]
    );
  });

  await db.end();
});
