import { strict as assert } from "node:assert";
import { startFakeGemini } from "../../support/fake_gemini.ts";
import { answerOf, EXAMPLE_TRANSCRIPTION, finishedFor } from "../../support/gemini_answers.ts";
import { failing, run, serve } from "./support.ts";

const RECORDING = await Deno.readFile(
  new URL("../../../examples/audio/mill-report.mp3", import.meta.url),
);
const TRANSFORMER = JSON.parse(
  await Deno.readTextFile(
    new URL("../../../examples/transformers/gemini-timestamp-transcriber.json", import.meta.url),
  ),
);
const TASK = { type: TRANSFORMER.type, config: TRANSFORMER.config };

function recordingServer() {
  return serve(() => new Response(RECORDING, { headers: { "content-type": "audio/mpeg" } }));
}

Deno.test("gemini-timestamp-transcriber makes a transcript with times of a recording", async () => {
  await using gemini = startFakeGemini();
  await using server = recordingServer();
  const output = await run(gemini, { ...TASK, input: { audio_url: `${server.url}/report.mp3` } });
  assert.equal(output.segments.length, EXAMPLE_TRANSCRIPTION.segments.length);
  assert.deepEqual(output.segments[2], {
    start: 10.05,
    end: 21.4,
    speaker: "Speaker 2",
    text: EXAMPLE_TRANSCRIPTION.segments[2]?.text,
  });
  assert.match(output.transcript, /^Good morning\. This is .+\nGood morning\. The river/);
  assert.equal(output.language, "en");
  assert.equal(output.usage.total_tokens, 1600);
  assert.ok(!("text" in output) && !("json" in output));

  const body = gemini.requests[0]?.json;
  const [media, words] = body.contents[0].parts;
  assert.equal(media.inlineData.mimeType, "audio/mp3");
  assert.equal(atob(media.inlineData.data).length, RECORDING.byteLength);
  assert.match(words.text, /MM:SS\.mmm/);
  assert.equal(body.generationConfig.responseMimeType, "application/json");
  assert.deepEqual(body.generationConfig.responseSchema.required, ["segments"]);
});

Deno.test("gemini-timestamp-transcriber needs a recording", async () => {
  await using gemini = startFakeGemini();
  const none = await failing(gemini, { ...TASK, input: {} });
  assert.equal(none.code, "input_invalid");
  assert.match(none.message, /no recording to transcribe under media or audio_url/);

  await using server = serve(() =>
    new Response("<html>Sign in</html>", { headers: { "content-type": "text/html" } })
  );
  const page = await failing(gemini, { ...TASK, input: { audio_url: server.url } });
  assert.equal(page.code, "input_invalid");
  assert.match(page.message, /audio_url must be audio or video.+: current type is text\/html$/);
  assert.equal(gemini.requests.length, 0);
});

Deno.test("gemini-timestamp-transcriber retries an answer that does not fit", async (t) => {
  await using gemini = startFakeGemini();
  await using server = recordingServer();
  const table = {
    "no JSON": answerOf("Good morning."),
    "another form": answerOf('{"transcript": "Good morning."}'),
    "times that run backwards": answerOf(JSON.stringify({
      segments: [
        { start: "00:10", end: "00:12", text: "private" },
        { start: "00:01", end: "00:02", text: "private" },
      ],
    })),
  };
  for (const [name, answer] of Object.entries(table)) {
    await t.step(name, async () => {
      gemini.script("generateContent", answer);
      const error = await failing(gemini, { ...TASK, input: { audio_url: server.url } });
      assert.equal(error.code, "invalid_result");
      assert.notEqual(error.more.retryable, false);
      assert.doesNotMatch(error.message, /private|morning/);
    });
  }
});

Deno.test("gemini-timestamp-transcriber says when the recording was too long for the limit", async () => {
  await using gemini = startFakeGemini();
  await using server = recordingServer();
  gemini.script("generateContent", finishedFor("MAX_TOKENS", '{"segments": [{"start": "00:0'));
  const error = await failing(gemini, { ...TASK, input: { audio_url: server.url } });
  assert.equal(error.code, "gemini.max_tokens");
});

Deno.test("a transcription can have a prompt of its own", async () => {
  await using gemini = startFakeGemini();
  await using server = recordingServer();
  await run(gemini, {
    type: "gemini_transcription",
    config: { prompt_template: "Transcribe, names: {{names}}" },
    input: { audio_url: server.url, names: ["Ada"] },
  });
  const words = gemini.requests[0]?.json.contents[0].parts[1].text;
  assert.equal(words, 'Transcribe, names: ["Ada"]');
});
