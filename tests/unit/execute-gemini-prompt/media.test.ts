import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import { createLog } from "../../../supabase/functions/_shared/log.ts";
import { createHandler } from "../../../supabase/functions/execute-gemini-prompt/handler.ts";
import { startFakeGemini } from "../../support/fake_gemini.ts";
import { answerOf } from "../../support/gemini_answers.ts";
import { envOf, failing, noise, run, serve, taskOf, USER_ID } from "./support.ts";

const MP3 = { "content-type": "audio/mpeg" };
const KIB = 1024;
const AUDIO = noise(1000);
const BASE64 = Buffer.from(AUDIO).toString("base64");

Deno.test("createHandler() sends media of the input inside the request, before the words", async () => {
  await using gemini = startFakeGemini();
  await run(gemini, {
    input: {
      prompt: "What is it?",
      media: [
        { data: BASE64, mime_type: "audio/wav" },
        { data: `data:image/png;base64,${BASE64}` },
        { data: BASE64.replaceAll("+", "-").replaceAll("/", "_"), mime_type: "audio/x-wav" },
      ],
    },
  });
  assert.deepEqual(gemini.requests[0]?.json.contents[0].parts, [
    { inlineData: { mimeType: "audio/wav", data: BASE64 } },
    { inlineData: { mimeType: "image/png", data: BASE64 } },
    { inlineData: { mimeType: "audio/wav", data: BASE64 } },
    { text: "What is it?" },
  ]);
});

Deno.test("createHandler() fetches media from a URL, through redirects", async () => {
  await using gemini = startFakeGemini();
  await using server = serve((_request, url) =>
    url.pathname === "/moved"
      ? Response.redirect(new URL("/talk.mp3", url), 302)
      : new Response(AUDIO, { headers: MP3 })
  );
  await run(gemini, { input: { prompt: "Listen", audio_url: `${server.url}/moved` } });
  assert.deepEqual(gemini.requests[0]?.json.contents[0].parts[0], {
    inlineData: { mimeType: "audio/mp3", data: BASE64 },
  });
});

Deno.test("createHandler() finds out what media are", async (t) => {
  await using gemini = startFakeGemini();
  await using server = serve((_request, url) => {
    const type = url.searchParams.get("type");
    return new Response(AUDIO, { headers: type === null ? {} : { "content-type": type } });
  });
  const table: [path: string, given: string | undefined, type: string][] = [
    ["/a?type=audio/ogg;codecs=opus", undefined, "audio/ogg"],
    ["/a.wav?type=application/octet-stream", undefined, "audio/wav"],
    ["/a.FLAC?x=.mp3", undefined, "audio/flac"],
    ["/a.mp3?type=text/plain", undefined, "audio/mp3"],
    ["/notes?type=text/plain", undefined, "text/plain"],
    ["/a?type=text/html", "audio/mpeg", "audio/mp3"],
    ["/a?type=audio/vnd.wave", undefined, "audio/wav"],
  ];
  for (const [path, given, type] of table) {
    await t.step(`${path} given ${given}`, async () => {
      const media = { url: server.url + path, ...(given ? { mime_type: given } : {}) };
      await run(gemini, { input: { prompt: "Listen", media } });
      const { inlineData } = gemini.requests.at(-1)?.json.contents[0].parts[0];
      assert.equal(inlineData.mimeType, type);
    });
  }
  const error = await failing(gemini, { input: { prompt: "x", media: `${server.url}/a.bin` } });
  assert.equal(error.code, "input_invalid");
  assert.match(error.message, /^media needs a mime_type/);
});

Deno.test("createHandler() names the medium whose form is wrong", async () => {
  await using gemini = startFakeGemini();
  const table: [media: unknown, message: RegExp][] = [
    [5, /^media must be a URL or of the form \{url\}/],
    [[{ url: "https://example.com/a.mp3" }, ""], /^media\[1\] must be a URL/],
    [{ url: "https://example.com/a.mp3", data: "AAAA" }, /^media must be/],
    [{ bucket: "a" }, /^media must be/],
    [{ file_uri: "https://example.com" }, /^media must be/],
    [[{ data: "not base64!", mime_type: "audio/wav" }], /^media\[0\]\.data must be base64/],
    [{ data: "AAAAA", mime_type: "audio/wav" }, /^media\.data must be base64/],
    [{ data: "AAAA" }, /^media needs a mime_type/],
    [{ data: "AAAA", mime_type: "wav" }, /^media must be/],
  ];
  for (const [media, message] of table) {
    const error = await failing(gemini, { input: { prompt: "x", media } });
    assert.equal(error.code, "input_invalid", JSON.stringify(media));
    assert.match(error.message, message);
  }
  assert.equal(gemini.requests.length, 0);
});

Deno.test("createHandler() reads media under the keys of its config only", async () => {
  await using gemini = startFakeGemini();
  await run(gemini, {
    config: { media: ["picture"] },
    input: {
      prompt: "x",
      audio_url: "http://127.0.0.1:1/",
      picture: { data: BASE64, mime_type: "image/png" },
    },
  });
  assert.equal(gemini.requests[0]?.json.contents[0].parts.length, 2);
});

Deno.test("createHandler() says which medium could not be fetched, and why", async (t) => {
  await using gemini = startFakeGemini();
  await using server = serve((_request, url) =>
    new Response("no", {
      status: Number(url.pathname.slice(1)),
      headers: { "retry-after": "9" },
    })
  );
  const table: [path: string, code: string, message: RegExp][] = [
    ["/404", "http_4xx", /Cannot fetch media\[0\] from http:\/\/127.+: it answered 404$/],
    ["/503", "http_5xx", /media\[0\].+503/],
    ["/429", "rate_limited", /media\[0\].+429/],
  ];
  for (const [path, code, message] of table) {
    await t.step(path, async () => {
      const media = [`${server.url}${path}?token=secret`];
      const error = await failing(gemini, { input: { prompt: "x", media } });
      assert.equal(error.code, code);
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /secret/);
      assert.equal(error.more.retry_after_seconds, 9);
    });
  }
  assert.equal(gemini.requests.length, 0);
});

Deno.test("createHandler() maps a server of media that is not there to network", async () => {
  await using gemini = startFakeGemini();
  const server = serve(() => new Response());
  await server[Symbol.asyncDispose]();
  const error = await failing(gemini, { input: { prompt: "x", audio_url: server.url } });
  assert.equal(error.code, "network");
  assert.match(error.message, /^audio_url: /);
});

Deno.test("createHandler() fetches no media from the private network unless allowed", async () => {
  await using gemini = startFakeGemini();
  await using server = serve(() => new Response(AUDIO, { headers: MP3 }));
  const error = await failing(gemini, {
    input: { prompt: "x", audio_url: server.url },
    env: { HTTP_ALLOW_PRIVATE_NETWORK: undefined },
  });
  assert.equal(error.code, "http.url_refused");
  assert.match(error.message, /^audio_url: /);
  assert.equal(server.requests.length, 0);
});

Deno.test("createHandler() stops at the deadline while media come in", async () => {
  await using gemini = startFakeGemini();
  const hanging = Promise.withResolvers<void>();
  await using server = serve(async () => {
    await hanging.promise;
    return new Response();
  });
  const stop = new AbortController();
  const working = failing(gemini, {
    input: { prompt: "x", audio_url: server.url },
    signal: stop.signal,
  });
  while (server.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  stop.abort();
  const error = await working;
  assert.equal(error.code, "timeout");
  assert.match(error.message, /download of audio_url/);
  hanging.resolve();
});

Deno.test("createHandler() refuses media that are too large, announced or not", async () => {
  await using gemini = startFakeGemini();
  await using server = serve((_request, url) =>
    url.pathname === "/announced"
      ? new Response(AUDIO, { headers: MP3 })
      : new Response(new Blob([AUDIO]).stream(), { headers: MP3 })
  );
  const input = { prompt: "x" };
  for (
    const media of [
      `${server.url}/announced`,
      `${server.url}/streamed`,
      { data: BASE64, mime_type: "audio/wav" },
    ]
  ) {
    const error = await failing(gemini, {
      config: { max_media_bytes: 999 },
      input: { ...input, media },
    });
    assert.equal(error.code, "payload_too_large");
    assert.match(error.message, /^media is larger than max_media_bytes allows: 999$/);
  }
});

Deno.test("createHandler() refuses media without a byte", async () => {
  await using gemini = startFakeGemini();
  await using server = serve(() => new Response("", { headers: MP3 }));
  const error = await failing(gemini, { input: { prompt: "x", audio_url: server.url } });
  assert.equal(error.code, "input_invalid");
  assert.match(error.message, /^audio_url is empty$/);
});

Deno.test("createHandler() reads Storage under the owner's prefix, with the service's key", async () => {
  await using gemini = startFakeGemini();
  await using storage = serve(() => new Response(AUDIO, { headers: MP3 }));
  const options = {
    config: { storage_buckets: ["recordings"] },
    input: { prompt: "x", media: { bucket: "recordings", path: `${USER_ID}/day 1/ä.mp3` } },
  };
  await run(gemini, {
    ...options,
    env: {
      SUPABASE_URL: storage.url,
      SUPABASE_PUBLISHABLE_KEYS: '{"default":"sb_publishable_1"}',
      SUPABASE_SECRET_KEYS: '{"default":"sb_secret_1"}',
    },
  });
  assert.equal(
    storage.requests[0]?.path,
    `/storage/v1/object/recordings/${USER_ID}/day%201/%C3%A4.mp3`,
  );
  assert.equal(storage.requests[0]?.headers.get("apikey"), "sb_secret_1");
  assert.equal(storage.requests[0]?.headers.get("authorization"), null);
  assert.equal(gemini.requests[0]?.json.contents[0].parts[0].inlineData.data, BASE64);

  await run(gemini, {
    ...options,
    env: {
      SUPABASE_URL: storage.url,
      SUPABASE_ANON_KEY: "eyJ.anon",
      SUPABASE_SERVICE_ROLE_KEY: "eyJ.service",
    },
  });
  assert.equal(storage.requests[1]?.headers.get("authorization"), "Bearer eyJ.service");
});

Deno.test("createHandler() reads nothing of Storage that is not the owner's", async (t) => {
  await using gemini = startFakeGemini();
  await using storage = serve(() => new Response(AUDIO, { headers: MP3 }));
  const other = "9a9a9a9a-1111-4222-8333-444444444444";
  const table: [name: string, object: { bucket: string; path: string }, why: RegExp][] = [
    ["another user's", { bucket: "recordings", path: `${other}/a.mp3` }, /does not begin with/],
    ["a name that only begins alike", {
      bucket: "recordings",
      path: `${USER_ID}x/a.mp3`,
    }, /does not begin with/],
    ["another bucket", { bucket: "invoices", path: `${USER_ID}/a.mp3` }, /storage_buckets/],
    ["a way up", { bucket: "recordings", path: `${USER_ID}/../${other}/a.mp3` }, /plain segments/],
    ["a way up in code", {
      bucket: "recordings",
      path: `${USER_ID}/%2e%2e/${other}/a.mp3`,
    }, /plain segments/],
    ["a backslash", { bucket: "recordings", path: `${USER_ID}/..\\a.mp3` }, /plain segments/],
    ["an empty segment", { bucket: "recordings", path: `${USER_ID}//a.mp3` }, /plain segments/],
    ["a query", { bucket: "recordings", path: `${USER_ID}/a.mp3?x` }, /plain segments/],
  ];
  for (const [name, media, why] of table) {
    await t.step(name, async () => {
      const error = await failing(gemini, {
        config: { storage_buckets: ["recordings"] },
        input: { prompt: "x", media },
        env: { SUPABASE_URL: storage.url, SUPABASE_SECRET_KEYS: '{"default":"k"}' },
      });
      assert.equal(error.code, "input_invalid");
      assert.match(error.message, why);
      assert.doesNotMatch(error.message, new RegExp(other));
    });
  }
  const media = { bucket: "recordings", path: "a.mp3" };
  const config = { storage_buckets: ["recordings"] };
  const ownerless = await failing(gemini, {
    config,
    input: { prompt: "x", media },
    userId: undefined,
  });
  assert.match(ownerless.message, /the job has no owner/);
  const closed = await failing(gemini, { input: { prompt: "x", media } });
  assert.match(closed.message, /storage_buckets/);
  assert.equal(storage.requests.length, 0);
});

Deno.test("createHandler() reads a shared bucket where the config says so", async () => {
  await using gemini = startFakeGemini();
  await using storage = serve(() => new Response(AUDIO, { headers: MP3 }));
  await run(gemini, {
    config: { storage_buckets: ["public"], storage_path_prefix: "" },
    input: { prompt: "x", media: { bucket: "public", path: "a.mp3" } },
    userId: undefined,
    env: {
      SUPABASE_URL: storage.url,
      SUPABASE_ANON_KEY: "a",
      SUPABASE_SERVICE_ROLE_KEY: "s",
    },
  });
  assert.equal(gemini.of("generateContent").length, 1);
});

Deno.test("createHandler() takes Storage's word for what its 400 means", async () => {
  await using gemini = startFakeGemini();
  await using storage = serve(() =>
    Response.json({ statusCode: "404", error: "not_found", message: "Object not found" }, {
      status: 400,
    })
  );
  const error = await failing(gemini, {
    config: { storage_buckets: ["b"] },
    input: { prompt: "x", media: [{ bucket: "b", path: `${USER_ID}/a.mp3` }] },
    env: { SUPABASE_URL: storage.url, SUPABASE_ANON_KEY: "a", SUPABASE_SERVICE_ROLE_KEY: "s" },
  });
  assert.equal(error.code, "http_4xx");
  assert.equal(error.message, "Cannot fetch media[0] from Storage: it answered 404");
});

Deno.test("createHandler() tells when Storage is down or not configured", async () => {
  await using gemini = startFakeGemini();
  await using storage = serve(() => new Response("Bad gateway", { status: 502 }));
  const options = {
    config: { storage_buckets: ["b"] },
    input: { prompt: "x", media: { bucket: "b", path: `${USER_ID}/a.mp3` } },
  };
  const keys = { SUPABASE_ANON_KEY: "a", SUPABASE_SERVICE_ROLE_KEY: "s" };
  const down = await failing(gemini, {
    ...options,
    env: { ...keys, SUPABASE_URL: storage.url },
  });
  assert.equal(down.code, "http_5xx");
  const missing = await failing(gemini, { ...options, env: keys });
  assert.equal(missing.code, "config_invalid");
  assert.match(missing.message, /SUPABASE_URL/);
});

Deno.test("createHandler() passes on a file of Gemini's own, where allowed, and no other address", async () => {
  await using gemini = startFakeGemini();
  const own = `${gemini.url}/v1beta/files/abc-123`;
  const config = { allow_file_uris: true };
  const fileOf = (uri: string) => ({
    prompt: "x",
    media: { file_uri: uri, mime_type: "audio/mp3" },
  });
  await run(gemini, { config, input: fileOf(own) });
  assert.deepEqual(gemini.requests[0]?.json.contents[0].parts[0], {
    fileData: { mimeType: "audio/mp3", fileUri: own },
  });
  for (
    const uri of [
      "gs://bucket/a.mp3",
      "https://example.com/v1beta/files/abc",
      `${own}/../x`,
      `${gemini.url}.example.com/v1beta/files/abc`,
    ]
  ) {
    const error = await failing(gemini, { config, input: fileOf(uri) });
    assert.equal(error.code, "input_invalid", uri);
  }
  const closed = await failing(gemini, { input: fileOf(own) });
  assert.match(closed.message, /^media\.file_uri cannot be used .+ allow_file_uris$/);
  assert.equal(gemini.requests.length, 1);
});

Deno.test("createHandler() refuses more media than a task may have", async () => {
  await using gemini = startFakeGemini();
  const media = Array.from({ length: 21 }, () => ({ data: BASE64, mime_type: "audio/wav" }));
  const error = await failing(gemini, { input: { prompt: "x", media } });
  assert.equal(error.code, "input_invalid");
  assert.match(error.message, /at most 20 media: current number is 21$/);
});

Deno.test("createHandler() keeps the memory of side by side tasks within bounds", async () => {
  const bytes = noise(3 * 1024 * KIB);
  await using media = serve(() => new Response(bytes, { headers: MP3 }));
  let open = 0;
  let most = 0;
  await using model = serve(async (request) => {
    most = Math.max(most, ++open);
    await request.arrayBuffer();
    await new Promise((resolve) => setTimeout(resolve, 20));
    open--;
    return Response.json(answerOf("Hello").body);
  });
  const env = envOf(undefined, { GEMINI_BASE_URL: model.url });
  const handler = createHandler(env);
  const context = {
    signal: new AbortController().signal,
    log: createLog({}, { write: () => {} }),
  };
  const task = taskOf({ input: { prompt: "x", audio_url: `${media.url}/a.mp3` } });
  await Promise.all(Array.from({ length: 10 }, () => handler(task, context)));
  assert.equal(model.requests.length, 10);
  assert.ok(most <= 2, `8 MiB in all, 3 MiB each: current number at once is ${most}`);
});

Deno.test("createHandler() sends one medium inside the request and the next by the Files API", async () => {
  await using gemini = startFakeGemini();
  await run(gemini, {
    config: { inline_max_bytes: 1500 },
    input: {
      prompt: "x",
      media: [{ data: BASE64, mime_type: "audio/wav" }, { data: BASE64, mime_type: "audio/flac" }],
    },
  });
  const parts = gemini.of("generateContent")[0]?.json.contents[0].parts;
  assert.equal(parts[0].inlineData.data, BASE64);
  assert.equal(parts[1].fileData.mimeType, "audio/flac");
  assert.match(parts[1].fileData.fileUri, /\/v1beta\/files\/file\d+$/);
  assert.deepEqual(gemini.uploaded[0], AUDIO);
});
