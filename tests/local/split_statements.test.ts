import assert from "node:assert/strict";
import fc from "fast-check";
import { splitStatements } from "../../local/database/split_statements.ts";

function texts(sql: string): string[] {
  return splitStatements(sql).map(({ text }) => text);
}

Deno.test("splitStatements() keeps semicolons in quotes, dollar quotes and comments", () => {
  const statements = [
    `select 'a;b', E'it\\'s;', "x;y"`,
    "create function f() returns int language plpgsql as $body$ begin; return $$1;$$; end; $body$",
    "select 1 /* a; /* nested; */ b; */ + 2 -- c;\n + 3",
  ];
  assert.deepEqual(texts(statements.join(";\n") + ";"), statements);
});

Deno.test("splitStatements() keeps the body of a SQL-standard function together", () => {
  const body = "create function f(a int) returns int begin atomic select 1; " +
    "select case when a > 0 then 1 end; end";
  assert.deepEqual(texts(`${body}; select 2`), [body, "select 2"]);
});

Deno.test("splitStatements() leaves out comments before a statement and empty statements", () => {
  const sql = "-- why\n;; /* and */ select 1;\n-- the end\n";
  assert.deepEqual(splitStatements(sql), [{ text: "select 1", offset: sql.indexOf("select") }]);
});

Deno.test("splitStatements() takes `$1` and names with a dollar sign for what they are", () => {
  assert.deepEqual(texts("select a$b, $1; select $2"), ["select a$b, $1", "select $2"]);
});

Deno.test("splitStatements() returns pieces of the file, in order, for any text", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."';$a\"-/*e\n \\E".split("")) }), (sql) => {
      let end = 0;
      for (const { text, offset } of splitStatements(sql)) {
        assert.equal(sql.slice(offset, offset + text.length), text);
        assert.ok(offset >= end);
        end = offset + text.length;
      }
    }),
  );
});
