import { strict as assert } from "node:assert";
import { FAKE_KEY, startFakeGemini } from "../../support/fake_gemini.ts";
import { errorOf, quotaExceeded } from "../../support/gemini_answers.ts";
import { failing, noise, run, serve } from "./support.ts";

const MIB = 1024 * 1024;
const MP3 = { "content-type": "audio/mpeg" };
const AUDIO = noise(3000);
const BY_UPLOAD = { inline_max_bytes: 0 };

/** Serves some bytes, announced or as a stream of unknown length. */
function audioServer(bytes: Uint8Array<ArrayBuffer>) {
  return serve((_request, url) =>
    url.pathname === "/streamed.mp3"
      ? new Response(new Blob([bytes]).stream(), { headers: MP3 })
      : new Response(bytes, { headers: MP3 })
  );
}

Deno.test("createHandler() uploads large media, uses them, and deletes them", async () => {
  await using gemini = startFakeGemini();
  await using server = audioServer(AUDIO);
  gemini.processing.calls = 2;
  const lines: string[] = [];
  const output = await run(gemini, {
    config: { inline_max_bytes: 2999 },
    input: { prompt: "Listen", audio_url: `${server.url}/a.mp3` },
    lines,
  });
  assert.equal(output.text, "Hello from the mill.");
  assert.deepEqual(gemini.requests.map(({ call }) => call), [
    "upload.start",
    "upload.chunk",
    "files.get",
    "files.get",
    "generateContent",
    "files.delete",
  ]);
  const [start, chunk] = gemini.requests;
  assert.equal(start?.headers.get("x-goog-upload-header-content-length"), "3000");
  assert.equal(start?.headers.get("x-goog-upload-header-content-type"), "audio/mp3");
  assert.equal(start?.headers.get("x-goog-api-key"), FAKE_KEY);
  assert.equal(chunk?.headers.get("x-goog-api-key"), null);
  assert.deepEqual(gemini.uploaded[0], AUDIO);
  assert.equal(gemini.files.size, 0);
  const part = gemini.of("generateContent")[0]?.json.contents[0].parts[0];
  assert.equal(part.fileData.mimeType, "audio/mp3");
  assert.equal(JSON.parse(lines[0] ?? "").uploaded_bytes, 3000);
});

Deno.test("createHandler() uploads in chunks, and a stream whose length nobody told", async (t) => {
  await using gemini = startFakeGemini();
  // An exact number of chunks is the case in which the last one could get lost.
  for (const size of [4 * MIB, 4 * MIB + 1, 8 * MIB]) {
    const bytes = noise(size);
    await using server = audioServer(bytes);
    for (const path of ["/a.mp3", "/streamed.mp3"]) {
      await t.step(`${size} bytes of ${path}`, async () => {
        await run(gemini, {
          config: { inline_max_bytes: MIB },
          input: { prompt: "Listen", audio_url: server.url + path },
        });
        const uploaded = gemini.uploaded.pop();
        assert.equal(uploaded?.byteLength, size);
        assert.ok(uploaded?.every((byte, at) => byte === bytes[at]));
      });
    }
  }
  const offsets = gemini.of("upload.chunk").slice(-2).map(({ headers }) =>
    [headers.get("x-goog-upload-offset"), headers.get("x-goog-upload-command")].join()
  );
  assert.deepEqual(offsets, ["0,upload", `${4 * MIB},upload, finalize`]);
});

Deno.test("createHandler() tells when Gemini cannot process a file, and deletes it", async () => {
  await using gemini = startFakeGemini();
  await using server = audioServer(AUDIO);
  Object.assign(gemini.processing, { calls: 1, fails: true });
  const error = await failing(gemini, {
    config: BY_UPLOAD,
    input: { prompt: "x", audio_url: server.url },
  });
  assert.equal(error.code, "gemini.file_failed");
  assert.match(error.message, /process audio_url: The file failed to be processed/);
  assert.equal(gemini.of("files.delete").length, 1);
  assert.equal(gemini.of("generateContent").length, 0);
});

Deno.test("createHandler() deletes the file also when the model fails or time runs out", async () => {
  await using gemini = startFakeGemini();
  await using server = audioServer(AUDIO);
  const options = { config: BY_UPLOAD, input: { prompt: "x", audio_url: server.url } };
  gemini.script("generateContent", errorOf(503, "UNAVAILABLE", "Overloaded"));
  assert.equal((await failing(gemini, options)).code, "http_5xx");
  assert.equal(gemini.files.size, 0);

  gemini.script("generateContent", { hang: true });
  const stop = new AbortController();
  const working = failing(gemini, { ...options, signal: stop.signal });
  while (gemini.of("generateContent").length < 2) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  stop.abort();
  assert.equal((await working).code, "timeout");
  assert.equal(gemini.files.size, 0);
});

Deno.test("createHandler() stops waiting for a file at the deadline", async () => {
  await using gemini = startFakeGemini();
  await using server = audioServer(AUDIO);
  gemini.processing.calls = 1_000;
  const stop = new AbortController();
  const working = failing(gemini, {
    config: BY_UPLOAD,
    input: { prompt: "x", audio_url: server.url },
    signal: stop.signal,
  });
  while (gemini.of("files.get").length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  stop.abort();
  const error = await working;
  assert.equal(error.code, "timeout");
  assert.match(error.message, /processing of media|files\.get/);
  assert.equal(gemini.files.size, 0);
});

Deno.test("createHandler() does not fail when a file cannot be deleted", async () => {
  await using gemini = startFakeGemini();
  await using server = audioServer(AUDIO);
  gemini.script("files.delete", errorOf(500, "INTERNAL", "No"));
  const lines: string[] = [];
  await run(gemini, {
    config: BY_UPLOAD,
    input: { prompt: "x", audio_url: server.url },
    lines,
  });
  assert.ok(lines.some((line) => line.includes("gemini.file_not_deleted")));
});

Deno.test("createHandler() maps what the Files API answers", async (t) => {
  const table = [
    ["upload.start", quotaExceeded("3s"), "rate_limited", /start of an upload with 429/],
    ["upload.start", errorOf(413, "INVALID_ARGUMENT", "Too large"), "payload_too_large", /413/],
    ["upload.start", { body: {} }, "invalid_result", /no usable upload URL/],
    [
      "upload.start",
      { headers: { "x-goog-upload-url": "http://169.254.169.254/latest" } },
      "invalid_result",
      /no usable upload URL/,
    ],
    ["upload.chunk", errorOf(503, "UNAVAILABLE", "Busy"), "http_5xx", /upload of media with 503/],
    ["upload.chunk", { body: "done" }, "invalid_result", /no JSON/],
    ["upload.chunk", { body: { file: { name: "../x", uri: "u" } } }, "invalid_result", /no file/],
    ["files.get", errorOf(403, "PERMISSION_DENIED", "access the File x"), "http_4xx", /files\.get/],
    ["files.get", errorOf(404, "NOT_FOUND", "No file"), "http_4xx", /files\.get with 404/],
  ] as const;
  for (const [call, answer, code, message] of table) {
    await t.step(`${call}: ${message}`, async () => {
      await using gemini = startFakeGemini();
      await using server = audioServer(AUDIO);
      gemini.processing.calls = 1;
      gemini.script(call, answer);
      const error = await failing(gemini, {
        config: BY_UPLOAD,
        input: { prompt: "x", audio_url: server.url },
      });
      assert.equal(error.code, code);
      assert.match(error.message, message);
      assert.equal(gemini.of("generateContent").length, 0);
      assert.equal(gemini.files.size, 0);
    });
  }
});

Deno.test("createHandler() maps an upload host that is not there to network", async () => {
  await using gemini = startFakeGemini();
  await using server = audioServer(AUDIO);
  const gone = serve(() => new Response());
  await gone[Symbol.asyncDispose]();
  gemini.script("upload.start", { headers: { "x-goog-upload-url": `${gone.url}/?upload_id=1` } });
  const error = await failing(gemini, {
    config: BY_UPLOAD,
    input: { prompt: "x", audio_url: server.url },
  });
  assert.equal(error.code, "network");
  assert.match(error.message, /cannot be reached for the upload of media$/);
});

Deno.test("createHandler() ends an upload whose source breaks off", async () => {
  await using gemini = startFakeGemini();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    using connection = await listener.accept();
    await connection.read(new Uint8Array(65_536));
    await connection.write(
      new TextEncoder().encode(
        "HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ncontent-length: 5000\r\n\r\nsome",
      ),
    );
  })();
  const error = await failing(gemini, {
    config: BY_UPLOAD,
    input: { prompt: "x", audio_url: `http://127.0.0.1:${listener.addr.port}/a.mp3` },
  });
  assert.equal(error.code, "network");
  assert.match(error.message, /^audio_url cannot be read/);
  assert.equal(gemini.of("generateContent").length, 0);
  await serving;
});
