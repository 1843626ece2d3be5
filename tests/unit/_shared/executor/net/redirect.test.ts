import assert from "node:assert/strict";
import {
  type Hop,
  nextHop,
} from "../../../../../supabase/functions/_shared/executor/net/redirect.ts";

const post = (): Hop => ({
  url: new URL("https://api.example/v1/things?x=1#part"),
  method: "POST",
  headers: new Headers({
    authorization: "Bearer s",
    cookie: "c=1",
    "x-signing": "s",
    "content-type": "application/json",
    accept: "application/json",
  }),
  body: "{}",
});

Deno.test("nextHop() changes the method as the fetch standard says", () => {
  const cases: [status: number, method: string, becomes: string][] = [
    [301, "POST", "GET"],
    [302, "POST", "GET"],
    [303, "POST", "GET"],
    [307, "POST", "POST"],
    [308, "POST", "POST"],
    [301, "PUT", "PUT"],
    [302, "DELETE", "DELETE"],
    [303, "PUT", "GET"],
    [303, "HEAD", "HEAD"],
    [302, "GET", "GET"],
  ];
  for (const [status, method, becomes] of cases) {
    const next = nextHop({ ...post(), method }, status, "/next");
    assert.equal(next.method, becomes, `${status} ${method}`);
    assert.equal(next.body, becomes === method ? "{}" : undefined);
    assert.equal(next.headers.has("content-type"), becomes === method);
  }
});

Deno.test("nextHop() resolves a relative location and keeps the fragment", () => {
  const urls: [location: string, becomes: string][] = [
    ["other", "https://api.example/v1/other#part"],
    ["/root?y=2", "https://api.example/root?y=2#part"],
    ["//cdn.example/f#own", "https://cdn.example/f#own"],
    ["http://api.example/", "http://api.example/#part"],
  ];
  for (const [location, becomes] of urls) {
    assert.equal(nextHop(post(), 302, location).url.href, becomes);
  }
  assert.throws(() => nextHop(post(), 302, "http://[bad"), /Location is not a URL/);
});

Deno.test("nextHop() keeps secrets within the origin", () => {
  const same = nextHop(post(), 307, "/elsewhere", ["X-Signing"]).headers;
  assert.equal(same.get("authorization"), "Bearer s");
  assert.equal(same.get("x-signing"), "s");
});

Deno.test("nextHop() drops secrets on the way to another origin", () => {
  for (
    const location of [
      "https://evil.example/",
      "http://api.example/",
      "https://api.example:8443/",
      "https://sub.api.example/",
    ]
  ) {
    const headers = nextHop(post(), 307, location, ["X-Signing"]).headers;
    assert.deepEqual([...headers.keys()], ["accept", "content-type"], location);
  }
});
