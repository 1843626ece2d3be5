import assert from "node:assert/strict";
import { runtime } from "../../../scripts/rules/runtime.ts";
import { faultsIn } from "../support.ts";

const CASES: [text: string, faults: string[]][] = [
  ['Deno.env.get("X"); await Deno.resolveDns(host, "A");', []],
  ["new Deno.Command(path);", ["Deno.Command is not on the list"]],
  ["const { Command } = Deno;", ["hands Deno on as a whole: name what is used of it"]],
  ['if (typeof Deno !== "undefined") x();', []],
  ["// Deno.Command\nconst a = 'Deno.Command';", []],
  ["const a = RegExp.escape(b);", ["RegExp.escape() is not there on Supabase"]],
  ["bytes.toBase64();", ["toBase64() is not there on Supabase"]],
  ["await using stack = new AsyncDisposableStack();", ["DisposableStack is not there on Supabase"]],
  ["await using server = open();", []],
];

for (const [text, faults] of CASES) {
  Deno.test(`runtime knows what Supabase lacks: ${text}`, async () => {
    const place = "supabase/functions/a/b.ts";
    const found = await faultsIn(runtime, { [place]: text, "local/x.ts": "new Deno.Command(x);" });
    assert.deepEqual(found, faults.map((fault) => `${place}:1: ${fault}`));
  });
}
