import { strict as assert } from "node:assert";
import { readTranscription } from "../../../supabase/functions/execute-gemini-prompt/transcription.ts";

function segments(...list: [start: unknown, end: unknown, text: string, speaker?: string][]) {
  return { segments: list.map(([start, end, text, speaker]) => ({ start, end, text, speaker })) };
}

Deno.test("readTranscription() brings times to seconds and joins the text by speaker", () => {
  const result = readTranscription({
    language: "en-GB",
    ...segments(
      ["00:00.2", "00:02", " One. ", "A"],
      ["00:02", "00:03.5", "Two.", "A"],
      ["01:00", "01:02", "Three.", "B"],
    ),
  });
  assert.deepEqual(result, {
    transcript: "One. Two.\nThree.",
    segments: [
      { start: 0.2, end: 2, speaker: "A", text: "One." },
      { start: 2, end: 3.5, speaker: "A", text: "Two." },
      { start: 60, end: 62, speaker: "B", text: "Three." },
    ],
    language: "en-GB",
  });
});

Deno.test("readTranscription() takes a recording without speech", () => {
  assert.deepEqual(readTranscription({ segments: [] }), { transcript: "", segments: [] });
});

Deno.test("readTranscription() leaves out what is empty", () => {
  const answer = { language: null, ...segments(["0:00", "0:01", " "], ["0:01", "0:02", "Hi", ""]) };
  assert.deepEqual(readTranscription(answer), {
    transcript: "Hi",
    segments: [{ start: 1, end: 2, text: "Hi" }],
  });
});

Deno.test("readTranscription() forgives what rounding does to the order", () => {
  const result = readTranscription(segments(["0:05", "0:07", "a"], ["0:04.5", "0:04.8", "b"]));
  assert.deepEqual(result.segments[1], { start: 5, end: 5, text: "b" });
});

Deno.test("readTranscription() names the place of what does not fit, without the speech", () => {
  const table: [answer: unknown, message: RegExp][] = [
    [[], /the answer: /],
    ["a text", /the answer: /],
    [{}, /segments: /],
    [{ segments: [{ start: "0:00", end: "0:01" }] }, /segments\.0\.text: /],
    [segments(["0:00", "0:01", "secret"], ["later", "0:02", "secret"]), /segments\.1\.start is no/],
    [segments(["0:00", null, "secret"]), /segments\.0\.end is no timestamp/],
    [segments(["0:05", "0:04", "secret"]), /segments\.0 ends before it starts: 5 to 4 seconds/],
    [
      segments(["0:10", "0:12", "secret"], ["0:02", "0:04", "secret"]),
      /segments\.1 starts before the one above it: 2 after 10 seconds/,
    ],
  ];
  for (const [answer, message] of table) {
    assert.throws(() => readTranscription(answer), (error: Error & { code?: string }) => {
      assert.equal(error.code, "invalid_result");
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /secret|later/);
      return true;
    });
  }
});
