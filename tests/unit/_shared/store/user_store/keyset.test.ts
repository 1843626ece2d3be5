import assert from "node:assert/strict";
import { afterKeys } from "../../../../../supabase/functions/_shared/store/user_store/keyset.ts";

Deno.test("afterKeys() compares by one column", () => {
  assert.equal(afterKeys([["id", 7]], "gt"), 'id.gt."7"');
});

Deno.test("afterKeys() compares by the next column where those before are equal", () => {
  assert.equal(
    afterKeys([["step", "a"], ["visit", 2], ["index", 0]], "lt"),
    'step.lt."a",and(step.eq."a",visit.lt."2"),and(step.eq."a",visit.eq."2",index.lt."0")',
  );
});
