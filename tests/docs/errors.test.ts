import assert from "node:assert/strict";
import { ERROR_CODES } from "../../supabase/functions/_shared/contracts/errors.ts";
import { API_ERRORS } from "../../supabase/functions/_shared/http/errors.ts";
import { codesIn, readFile, ROOT, tableRows } from "./pages.ts";

Deno.test("docs/definition.md lists ERROR_CODES, and what is retryable", async () => {
  const rows = tableRows(await readFile("docs/definition.md"), "code");
  const listed = rows.map(([code, retryable]) => [codesIn(code)[0], retryable === "yes"]);
  const known = Object.entries(ERROR_CODES).map(([code, { retryable }]) => [code, retryable]);
  assert.deepEqual(listed, known);
});

Deno.test("docs/api.md lists API_ERRORS with their statuses", async () => {
  const rows = tableRows(await readFile("docs/api.md"), "code");
  const listed = rows.map(([code, status]) => [codesIn(code)[0], Number(status)]);
  assert.deepEqual(listed, Object.entries(API_ERRORS));
});

Deno.test("docs/api.md lists the SQLSTATEs that migrations raise", async () => {
  const rows = tableRows(await readFile("docs/api.md"), "SQLSTATE");
  const listed = rows.map(([code]) => codesIn(code)[0]);
  const raised = await findIn("supabase/migrations", /errcode = '(MR\d{3})'/g);
  assert.deepEqual(listed, raised);
});

Deno.test("docs/executors.md lists the executors' own error codes", async () => {
  const rows = tableRows(await readFile("docs/executors.md"), "error");
  const listed = new Set(rows.flatMap(([codes]) => codesIn(codes)).filter((c) => c.includes(".")));
  const thrown = await findIn(
    "supabase/functions",
    /"((?:http|gemini)\.[a-z_]+)"/g,
    // Events of the log look the same.
    /\.(?:debug|info|warn|error)\("gemini\.[a-z_]+"/g,
  );
  assert.deepEqual([...listed].sort(), thrown);
});

/** What a pattern finds in all files of a folder, each once, in order. */
async function findIn(folder: string, pattern: RegExp, without?: RegExp): Promise<string[]> {
  const found = new Set<string>();
  for await (const { name, isDirectory } of Deno.readDir(`${ROOT}/${folder}`)) {
    const path = `${folder}/${name}`;
    if (isDirectory) (await findIn(path, pattern, without)).forEach((each) => found.add(each));
    else {
      const text = await readFile(path);
      const searched = without === undefined ? text : text.replace(without, "");
      for (const [, each = ""] of searched.matchAll(pattern)) found.add(each);
    }
  }
  return [...found].sort();
}
