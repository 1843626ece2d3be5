import { z } from "zod";
import { ExecutorError } from "../_shared/executor/error.ts";
import { parseTimestamp } from "./timestamp.ts";

/** A stretch of speech; `start` and `end` in seconds from the beginning of the recording. */
export interface Segment {
  start: number;
  end: number;
  speaker?: string;
  text: string;
}

/** What was said, when, and by whom. */
export interface Transcription {
  transcript: string;
  segments: Segment[];
  /** BCP 47, if the model tells it. */
  language?: string;
}

/** Asks for a transcription when the transformer has no prompt of its own. */
export const TRANSCRIPTION_PROMPT =
  `Transcribe the speech in the attached recording, word for word, in the language it is spoken in.
Make one segment per sentence, and a new one whenever the speaker changes.
Give the start and the end of each segment as the time from the beginning of the recording, written MM:SS.mmm.
Name the speakers Speaker 1, Speaker 2 and so on, or by their names where they say them.
Leave out what is not speech. If there is no speech, answer with no segments.`;

/**
 * The form of the answer. Times are asked for as text: models count minutes and seconds well, and
 * are known to write 1.23 for one minute and 23 seconds where a number is wanted.
 */
export const TRANSCRIPTION_SCHEMA: Record<string, unknown> = {
  type: "object",
  properties: {
    language: { type: "string", description: "BCP 47 tag of the language spoken, such as en" },
    segments: {
      type: "array",
      items: {
        type: "object",
        properties: {
          start: { type: "string", description: "MM:SS.mmm from the beginning of the recording" },
          end: { type: "string", description: "MM:SS.mmm from the beginning of the recording" },
          speaker: { type: "string" },
          text: { type: "string" },
        },
        required: ["start", "end", "text"],
        propertyOrdering: ["start", "end", "speaker", "text"],
      },
    },
  },
  required: ["segments"],
  propertyOrdering: ["language", "segments"],
};

/** How far a segment may begin before the one above it: what models round times to. */
const TOLERANCE_SECONDS = 1;

const answerSchema = z.object({
  language: z.string().nullish(),
  segments: z.array(z.object({
    start: z.unknown(),
    end: z.unknown(),
    speaker: z.string().nullish(),
    text: z.string(),
  })),
});

/**
 * Checks a model's transcription and brings it into order: times in seconds, segments in the
 * order of time, the transcript put together from them (a new line per speaker).
 *
 * @throws {ExecutorError} `invalid_result`, which names the place and never quotes the speech.
 */
export function readTranscription(answer: unknown): Transcription {
  const parsed = answerSchema.safeParse(answer);
  if (!parsed.success) {
    const { path = [], message } = parsed.error.issues[0] ?? {};
    misfit(`${path.join(".") || "the answer"}: ${message}`);
  }
  const segments: Segment[] = [];
  for (const [index, raw] of parsed.data.segments.entries()) {
    const text = raw.text.trim();
    if (text === "") continue;
    const { start, end } = span(raw, `segments.${index}`, segments.at(-1)?.start ?? 0);
    const speaker = raw.speaker?.trim();
    segments.push({ start, end, ...(speaker ? { speaker } : {}), text });
  }
  const language = parsed.data.language?.trim();
  return {
    transcript: join(segments),
    segments,
    ...(language ? { language } : {}),
  };
}

function span(
  raw: { start?: unknown; end?: unknown },
  place: string,
  notBefore: number,
): { start: number; end: number } {
  const start = parseTimestamp(raw.start) ??
    misfit(`${place}.start is no timestamp`);
  const end = parseTimestamp(raw.end) ?? misfit(`${place}.end is no timestamp`);
  if (end < start) {
    misfit(`${place} ends before it starts: ${start} to ${end} seconds`);
  }
  if (start < notBefore - TOLERANCE_SECONDS) {
    misfit(`${place} starts before the one above it: ${start} after ${notBefore} seconds`);
  }
  return { start: Math.max(start, notBefore), end: Math.max(end, notBefore) };
}

function join(segments: readonly Segment[]): string {
  return segments.map(({ speaker, text }, index) => {
    const before = segments[index - 1];
    return before === undefined ? text : `${before.speaker === speaker ? " " : "\n"}${text}`;
  }).join("");
}

function misfit(what: string): never {
  throw new ExecutorError("invalid_result", `Gemini's transcription does not fit: ${what}`);
}
