import assert from "node:assert/strict";
import { diffLines } from "../../scripts/diff.ts";
import { dumpSchema } from "../../scripts/schema/dump.ts";
import { openDatabase } from "../support/database.ts";
import { control, hasControl, testStack } from "../support/stack.ts";

const stack = await testStack();

/** Each change of a schema, and what the dump shows of it. */
const CHANGES: [sql: string, shown: RegExp][] = [
  ["alter table public.jobs add extra integer not null default 3", /^\+ {2}extra integer .*3,?$/],
  ["alter table public.jobs alter workflow_id drop not null", /^\+ {2}workflow_id text,$/],
  [
    "alter table public.jobs add constraint odd check (priority > 0)",
    /^\+ {2}constraint odd CHECK/,
  ],
  ["alter table public.jobs set (fillfactor = 50)", /^\+.*\(fillfactor=50\);$/],
  ["alter table public.jobs disable row level security", /^\+alter table .* disable row level/],
  ["alter table public.jobs disable trigger jobs_prepare", /^\+CREATE TRIGGER jobs_prepare .*: D$/],
  ["drop policy jobs_update_own on public.jobs", /^-create policy jobs_update_own/],
  ["create policy all_see on public.jobs using (true)", /^\+create policy all_see .* to public$/],
  ["grant update (status) on public.jobs to anon", /^\+grant update \(status\) .* to anon;$/],
  ["grant select on public.rate_limits to public", /^\+grant select on .* to public;$/],
  ["comment on column public.jobs.id is 'it''s me'", /^\+comment on column .* is 'it''s me';$/],
  ["create index extra_idx on public.jobs (status)", /^\+CREATE INDEX extra_idx ON/],
  ["create table public.extra (a int)", /^\+create table public.extra \($/],
  [
    "create view public.extra with (security_invoker) as select 1 as one",
    /^\+create view public.ex/,
  ],
  ["create sequence public.extra", /^\+create sequence public.extra as bigint/],
  ["create type public.extra as enum ('a', 'b')", /^\+create type .* as enum \('a', 'b'\);$/],
  [
    "create domain public.extra as int check (value > 0)",
    /^\+create domain public.extra as integer/,
  ],
  ["grant execute on function public.tick() to anon", /^\+grant execute .*tick\(\) to anon;$/],
  ["alter function public.tick() security invoker", /^- SECURITY DEFINER$/],
  ["grant usage on schema millrace to anon", /^\+grant usage on schema millrace to anon;$/],
  ["select cron.schedule('extra', '5 seconds', 'select 1')", /^\+select cron.schedule\('extra'/],
  [
    "create policy extra on realtime.messages for select using (true)",
    /^\+create policy extra on realtime.messages for select to public$/,
  ],
  [
    "alter default privileges in schema public grant select on tables to anon",
    /^\+alter default privileges .* grant select on tables to anon;$/,
  ],
];

Deno.test({
  name: "dumpSchema() shows every kind of change, and nothing where there is none",
  ignore: !hasControl(stack),
  async fn() {
    const url = String(await control(stack, "createDatabase"));
    await using db = openDatabase(stack, url);
    let before = await dumpSchema(url);
    assert.equal(await dumpSchema(url), before);
    for (const [sql, shown] of CHANGES) {
      await db.unsafe(sql);
      const after = await dumpSchema(url);
      const changes = diffLines(before, after).filter((line) => !line.startsWith(" "));
      assert.ok(changes.some((line) => shown.test(line)), `${sql}\n${changes.join("\n")}`);
      await db.unsafe(sql.startsWith("create ") ? undo(sql) : "select");
      before = await dumpSchema(url);
    }
  },
});

function undo(sql: string): string {
  const [, kind = "", name = ""] = /^create (\w+) (\S+)/.exec(sql) ?? [];
  const on = kind === "policy" ? ` on ${/ on (\S+)/.exec(sql)?.[1]}` : "";
  return `drop ${kind} ${kind === "index" ? "public." : ""}${name}${on}`;
}
