import assert from "node:assert/strict";
import { serveApi } from "../../../../supabase/functions/_shared/api/serve.ts";
import { createLog } from "../../../../supabase/functions/_shared/log.ts";

const USER_ID = "11111111-2222-4333-8444-555555555555";
const JOB_PATH = "/aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";

function part(value: unknown): string {
  return btoa(JSON.stringify(value)).replaceAll("=", "").replaceAll("+", "-").replaceAll("/", "_");
}

/** A token that the pretended Auth server takes. */
function token(): string {
  const claims = { sub: USER_ID, role: "authenticated", exp: Math.floor(Date.now() / 1000) + 60 };
  return `${part({ alg: "HS256" })}.${part(claims)}.c2ln`;
}

function get(variables: Record<string, string>, path = JOB_PATH) {
  const lines: string[] = [];
  const fetch = serveApi("get-job", {
    read: (name) =>
      ({
        SUPABASE_PUBLISHABLE_KEYS: '{"default": "sb_publishable_x"}',
        SUPABASE_SECRET_KEYS: '{"default": "sb_secret_x"}',
        RATE_LIMIT_PER_MINUTE: "0",
        API_TIMEOUT_MS: "200",
        ...variables,
      })[name],
    log: createLog({}, { write: (line) => lines.push(line) }),
  });
  const request = new Request(`http://host/get-job${path}`, {
    headers: { authorization: `Bearer ${token()}` },
  });
  return { answer: fetch(request), lines };
}

async function withServer(
  respond: (path: string) => Response | Promise<Response>,
  use: (url: string) => Promise<void>,
): Promise<void> {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => respond(new URL(request.url).pathname),
  );
  try {
    await use(`http://127.0.0.1:${server.addr.port}`);
  } finally {
    await server.shutdown();
  }
}

const USER = () => Response.json({ id: USER_ID, aud: "authenticated", role: "authenticated" });

Deno.test("serveApi() answers 500 for a variable that is missing, which the log names", async () => {
  const { answer, lines } = get({});
  const response = await answer;
  assert.equal(response.status, 500);
  assert.equal((await response.json()).error.code, "internal");
  assert.match(lines.join(), /config_invalid.*'SUPABASE_URL' must be/);
});

Deno.test("serveApi() answers 503 with Retry-After when Auth cannot be reached", async () => {
  await withServer(() => new Response(null, { status: 502 }), async (url) => {
    const response = await get({ SUPABASE_URL: url }).answer;
    assert.deepEqual([response.status, response.headers.get("retry-after")], [503, "5"]);
    assert.match((await response.json()).error.message, /Auth/);
  });
});

Deno.test("serveApi() answers 503 with Retry-After when nothing listens", async () => {
  const response = await get({ SUPABASE_URL: "http://127.0.0.1:9" }).answer;
  assert.deepEqual([response.status, response.headers.get("retry-after")], [503, "5"]);
  await response.body?.cancel();
});

for (
  const [name, respond] of [
    ["is down", () => Response.json({ code: "PGRST000", message: "no" }, { status: 503 })],
    ["is cut off", () => Response.json({ code: "57P01", message: "no" }, { status: 500 })],
    ["answers no JSON", () => new Response("Bad gateway", { status: 502 })],
    [
      "does not answer in time",
      () => new Promise<Response>((resolve) => setTimeout(() => resolve(Response.json([])), 400)),
    ],
  ] as const
) {
  Deno.test(`serveApi() answers 503 with Retry-After when the database ${name}`, async () => {
    await withServer((path) => path.startsWith("/auth") ? USER() : respond(), async (url) => {
      const { answer, lines } = get({ SUPABASE_URL: url });
      const response = await answer;
      assert.deepEqual([response.status, response.headers.get("retry-after")], [503, "5"]);
      assert.match((await response.json()).error.message, /database/);
      assert.match(lines.join(), /DatabaseUnavailableError/);
    });
  });
}

Deno.test("serveApi() answers 401 for a token that Auth refuses", async () => {
  const refuse = () => Response.json({ error_code: "bad_jwt", msg: "no" }, { status: 403 });
  await withServer(refuse, async (url) => {
    const response = await get({ SUPABASE_URL: url }).answer;
    assert.equal(response.status, 401);
    await response.body?.cancel();
  });
});
