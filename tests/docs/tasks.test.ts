import assert from "node:assert/strict";
import { readFile, readPages } from "./pages.ts";

/** `deno task NAME`, with or without options before the name, and with npx in front. */
const TASK = /\bdeno(?:@([\d.]+))? task(?: -q| --quiet)? ([a-z][\w:-]*)/g;

Deno.test("every task that the documentation names exists", async () => {
  const { tasks } = JSON.parse(await readFile("deno.json"));
  const unknown = (await readPages()).flatMap(({ path, text }) =>
    [...text.matchAll(TASK)].filter(([, , name]) => !Object.hasOwn(tasks, name ?? ""))
      .map(([command]) => `${path}: ${command}`)
  );
  assert.deepEqual([...new Set(unknown)], []);
});

Deno.test("README begins with the two commands, and all pages name one version of Deno", async () => {
  const firstScreen = (await readFile("README.md")).split("\n").slice(0, 40).join("\n");
  assert.match(firstScreen, /^npx -y deno@\S+ task demo\b/m);
  assert.match(firstScreen, /^npx -y deno@\S+ task test\b/m);
  const versions = (await readPages()).flatMap(({ text }) =>
    [...text.matchAll(/\bdeno@([\d.]+)/g)].map(([, version]) => version)
  );
  assert.equal(new Set(versions).size, 1);
});
