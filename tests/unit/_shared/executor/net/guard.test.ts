import assert from "node:assert/strict";
import { ExecutorError } from "../../../../../supabase/functions/_shared/executor/error.ts";
import {
  checkUrl,
  privateNetworkAllowed,
} from "../../../../../supabase/functions/_shared/executor/net/guard.ts";
import { resolveHost } from "../../../../../supabase/functions/_shared/executor/net/resolve.ts";

const names: Record<string, string[]> = {
  "public.example": ["93.184.216.34", "2606:2800:220:1::1"],
  "six.example": ["2606:2800:220:1::1"],
  "mixed.example": ["93.184.216.34", "10.0.0.5"],
  "six-private.example": ["93.184.216.34", "fd00::1"],
  "metadata.example": ["169.254.169.254"],
};
const guard = {
  allowPrivate: false,
  resolve: (name: string) => Promise.resolve(names[name] ?? []),
};

function refusal(code: string, words: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof ExecutorError);
    assert.equal(error.code, code);
    assert.match(error.message, words);
    return true;
  };
}

Deno.test("checkUrl() refuses what is not a public http address", async () => {
  const refused: [url: string, words: RegExp][] = [
    ["", /not an absolute URL/],
    ["/path", /not an absolute URL/],
    ["ftp://public.example/", /http or https: current value is ftp:/],
    ["file:///etc/passwd", /http or https/],
    ["data:text/plain,x", /http or https/],
    ["http://user:pass@public.example/", /credentials/],
    ["http://user@public.example/", /credentials/],
    ["http://127.0.0.1/", /loopback/],
    ["http://127.1/", /loopback/],
    ["http://2130706433/", /loopback/],
    ["http://0x7f000001/", /loopback/],
    ["http://0177.0.0.1/", /loopback/],
    ["http://127.0.0.1./", /loopback/],
    ["http://①②⑦.0.0.1/", /loopback/],
    ["http://0/", /unspecified/],
    ["http://[::1]:8080/", /loopback/],
    ["http://[::ffff:10.0.0.1]/", /private/],
    ["http://[fd00::1]/", /unique local/],
    ["https://169.254.169.254/latest/meta-data", /link-local/],
    ["https://metadata.example/", /'metadata.example' is at a link-local address, 169.254/],
    ["https://mixed.example/", /private address, 10\.0\.0\.5/],
    ["https://six-private.example/", /unique local/],
    ["https://nowhere.example/", /no address/],
  ];
  for (const [url, words] of refused) {
    await assert.rejects(checkUrl(url, guard), refusal("http.url_refused", words), url);
  }
});

Deno.test("checkUrl() hands back the address to connect to, IPv4 first", async () => {
  assert.equal((await checkUrl("https://public.example/a", guard)).address, "93.184.216.34");
  assert.equal((await checkUrl("https://six.example/a", guard)).address, "2606:2800:220:1::1");
  assert.equal((await checkUrl("http://8.8.8.8/", guard)).address, "8.8.8.8");
  assert.equal((await checkUrl("http://[2606:4700::1111]/", guard)).address, "2606:4700::1111");
});

Deno.test("checkUrl() lets private addresses through when allowed, but no other scheme", async () => {
  const open = { ...guard, allowPrivate: true };
  const target = await checkUrl("http://127.0.0.1:1234/", open);
  assert.equal(target.address, undefined);
  await assert.rejects(checkUrl("file:///x", open), refusal("http.url_refused", /http or https/));
  await assert.rejects(
    checkUrl("http://a:b@127.0.0.1/", open),
    refusal("http.url_refused", /cred/),
  );
});

Deno.test("checkUrl() does not repeat the URL in its message", async () => {
  await assert.rejects(checkUrl("http://10.0.0.1/?token=hush", guard), (error: unknown) => {
    assert.ok(error instanceof Error);
    assert.doesNotMatch(error.message, /hush/);
    return true;
  });
});

Deno.test("resolveHost() finds the addresses of a name", async () => {
  const addresses = await resolveHost("localhost");
  assert.ok(addresses.some((each) => each === "127.0.0.1" || each === "::1"), addresses.join());
  await assert.rejects(checkUrl("http://localhost:8000/", { allowPrivate: false }), /loopback/);
});

Deno.test("resolveHost() fails closed for a name that has no address", async () => {
  await assert.rejects(
    resolveHost("no-such-host.invalid"),
    refusal("network", /Cannot resolve the host name 'no-such-host.invalid'/),
  );
});

Deno.test("privateNetworkAllowed() goes by the word true alone", () => {
  const of = (value?: string) => privateNetworkAllowed({ get: () => value });
  assert.deepEqual([of("true"), of("1"), of("TRUE"), of(""), of()], [
    true,
    false,
    false,
    false,
    false,
  ]);
});
