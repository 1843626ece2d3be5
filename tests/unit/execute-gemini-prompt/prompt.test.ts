import { strict as assert } from "node:assert";
import { FAKE_KEY, startFakeGemini } from "../../support/fake_gemini.ts";
import { answerOf, finishedFor } from "../../support/gemini_answers.ts";
import { failing, run } from "./support.ts";

Deno.test("createHandler() sends the input's prompt and returns what the model says", async () => {
  await using gemini = startFakeGemini();
  const output = await run(gemini, { input: { prompt: "Say hello" } });
  assert.deepEqual(output, {
    text: "Hello from the mill.",
    finish_reason: "STOP",
    usage: { prompt_tokens: 1510, output_tokens: 90, total_tokens: 1600 },
    model: "gemini-3.5-flash",
  });
  const [request] = gemini.requests;
  assert.equal(request?.path, "/v1beta/models/gemini-3.5-flash:generateContent");
  assert.equal(request?.headers.get("x-goog-api-key"), FAKE_KEY);
  assert.deepEqual(request?.json.contents, [{ role: "user", parts: [{ text: "Say hello" }] }]);
  assert.equal(gemini.requests.length, 1);
});

Deno.test("createHandler() fills the templates from the input, as data", async () => {
  await using gemini = startFakeGemini();
  await run(gemini, {
    config: {
      prompt_template: "Translate to {{to}}: {{text}}",
      system_instruction: "You are {{who?}} a translator.",
    },
    input: { to: "French", text: "{{who}} is {{to}}" },
  });
  const body = gemini.requests[0]?.json;
  assert.equal(body.contents[0].parts[0].text, "Translate to French: {{who}} is {{to}}");
  assert.deepEqual(body.systemInstruction.parts, [{ text: "You are  a translator." }]);
});

Deno.test("createHandler() fails when a template finds nothing, before it asks", async () => {
  await using gemini = startFakeGemini();
  const error = await failing(gemini, { config: { prompt_template: "{{a.b}}" }, input: { a: {} } });
  assert.equal(error.code, "mapping_failed");
  assert.equal(error.message, "prompt_template: {{a.b}} finds nothing in the step's input");
  assert.equal(gemini.requests.length, 0);
});

Deno.test("createHandler() takes a text as prompt, and refuses an input without one", async () => {
  await using gemini = startFakeGemini();
  await run(gemini, { input: "Say hello" });
  assert.equal(gemini.requests[0]?.json.contents[0].parts[0].text, "Say hello");
  for (const input of [{}, { prompt: "" }, { prompt: 5 }, null, [1]]) {
    const error = await failing(gemini, { input });
    assert.equal(error.code, "input_invalid", JSON.stringify(input));
  }
});

Deno.test("createHandler() passes every setting on", async () => {
  await using gemini = startFakeGemini();
  await run(gemini, {
    config: {
      model: "gemini-3.5-flash-lite",
      api_version: "v1",
      generation_config: {
        max_output_tokens: 100,
        stop_sequences: ["END"],
        seed: 7,
        thinking_config: { thinking_level: "low" },
      },
      safety_settings: [{ category: "HARM_CATEGORY_HARASSMENT", threshold: "OFF" }],
    },
  });
  const [request] = gemini.requests;
  assert.equal(request?.path, "/v1/models/gemini-3.5-flash-lite:generateContent");
  assert.deepEqual(request?.json.generationConfig, {
    maxOutputTokens: 100,
    stopSequences: ["END"],
    seed: 7,
    thinkingConfig: { thinkingLevel: "low" },
  });
  assert.deepEqual(request?.json.safetySettings, [
    { category: "HARM_CATEGORY_HARASSMENT", threshold: "OFF" },
  ]);
});

const SCHEMA = { type: "object", properties: { total: { type: "number" } }, required: ["total"] };

Deno.test("createHandler() asks for JSON by a schema and returns it parsed", async () => {
  await using gemini = startFakeGemini();
  gemini.script("generateContent", answerOf('{"total": 12.5}'));
  const output = await run(gemini, { config: { response_schema: SCHEMA } });
  assert.deepEqual(output.json, { total: 12.5 });
  assert.equal(output.text, '{"total": 12.5}');
  assert.deepEqual(gemini.requests[0]?.json.generationConfig, {
    responseMimeType: "application/json",
    responseSchema: SCHEMA,
  });
});

Deno.test("createHandler() keeps values that are false, zero or null", async () => {
  await using gemini = startFakeGemini();
  for (const [text, value] of [["false", false], ["0", 0], ["null", null]] as const) {
    gemini.script("generateContent", answerOf(text));
    const output = await run(gemini, { config: { response_mime_type: "application/json" } });
    assert.ok("json" in output);
    assert.equal(output.json, value);
  }
});

Deno.test("createHandler() forgives a Markdown fence around JSON", async () => {
  await using gemini = startFakeGemini();
  gemini.script("generateContent", answerOf('```json\n{"total": 1}\n```'));
  const output = await run(gemini, { config: { response_schema: SCHEMA } });
  assert.deepEqual(output.json, { total: 1 });
});

Deno.test("createHandler() fails on an answer that is not the JSON it asked for", async () => {
  await using gemini = startFakeGemini();
  gemini.script("generateContent", answerOf("Sure! Here is secret text"));
  const error = await failing(gemini, { config: { response_schema: SCHEMA } });
  assert.equal(error.code, "invalid_result");
  assert.doesNotMatch(error.message, /secret/);
});

Deno.test("createHandler() tells JSON that was cut off from JSON that is wrong", async () => {
  await using gemini = startFakeGemini();
  gemini.script("generateContent", finishedFor("MAX_TOKENS", '{"total": 1'));
  const error = await failing(gemini, { config: { response_schema: SCHEMA } });
  assert.equal(error.code, "gemini.max_tokens");
  assert.equal(error.more.retryable, undefined);
});

Deno.test("createHandler() returns a text that was cut off, with the reason", async () => {
  await using gemini = startFakeGemini();
  gemini.script("generateContent", finishedFor("MAX_TOKENS", "Once upon"));
  const output = await run(gemini);
  assert.equal(output.text, "Once upon");
  assert.equal(output.finish_reason, "MAX_TOKENS");
});

Deno.test("createHandler() leaves the model's thoughts out, and counts them", async () => {
  await using gemini = startFakeGemini();
  gemini.script(
    "generateContent",
    answerOf("", {
      candidates: [{
        content: { parts: [{ text: "Let me see", thought: true }, { text: "4" }, { text: "2" }] },
        finishReason: "STOP",
      }],
      usageMetadata: {
        promptTokenCount: 5,
        candidatesTokenCount: 2,
        thoughtsTokenCount: 30,
        totalTokenCount: 37,
      },
    }),
  );
  const output = await run(gemini);
  assert.equal(output.text, "42");
  assert.deepEqual(output.usage, { prompt_tokens: 5, output_tokens: 32, total_tokens: 37 });
});

Deno.test("createHandler() logs what it took, and neither key nor payload", async () => {
  await using gemini = startFakeGemini();
  const lines: string[] = [];
  await run(gemini, { input: { prompt: "A private matter" }, lines });
  assert.equal(lines.length, 1);
  const line = JSON.parse(lines[0] ?? "");
  assert.equal(line.event, "gemini.answered");
  assert.equal(line.total_tokens, 1600);
  assert.doesNotMatch(lines.join(), new RegExp(`private|Hello|${FAKE_KEY}`));
});
