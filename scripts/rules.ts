/** Checks the rules that no linter knows: `deno task rules`. */
import { walkFiles } from "./files.ts";
import { inProject } from "./place.ts";
import { bareImportsOf } from "./rules/bare_imports.ts";
import { boundaries } from "./rules/boundaries.ts";
import { environment } from "./rules/environment.ts";
import { functionConfigs } from "./rules/function_configs.ts";
import { ignores } from "./rules/ignores.ts";
import { markers } from "./rules/markers.ts";
import { migrations } from "./rules/migrations.ts";
import type { Rule } from "./rules/rule.ts";
import { runtime } from "./rules/runtime.ts";
import { testPlaces } from "./rules/test_places.ts";
import { say } from "./say.ts";

const TEXT = /\.(?:ts|json|sql|toml|md|sh)$|^\.ci\/run$|^\.env\.example$/;

const RULES: Rule[] = [
  ignores,
  markers,
  boundaries,
  runtime,
  functionConfigs(bareImportsOf),
  migrations,
  environment,
  testPlaces,
];

const files = new Map<string, string>();
for await (const path of walkFiles()) {
  if (TEXT.test(path)) files.set(path, await Deno.readTextFile(inProject(path)));
}

let failed = 0;
for (const rule of RULES) {
  const faults = await rule.check(files);
  if (faults.length === 0) continue;
  failed++;
  say(`Broken: ${rule.name}`);
  for (const { place, message } of faults) say(`  ${place}: ${message}`);
}
say(`${RULES.length - failed} of ${RULES.length} rules hold`);
Deno.exit(failed > 0 ? 1 : 0);
