import type { ReadVariable } from "../_shared/contracts/env.ts";
import type { Task } from "../_shared/contracts/executor.ts";
import { ExecutorError } from "../_shared/executor/error.ts";
import type { TaskContext, TaskHandler } from "../_shared/executor/handler.ts";
import { inBackground } from "../_shared/http/background.ts";
import type { Log } from "../_shared/log.ts";
import { type Answer, readAnswer, readJson } from "./answer.ts";
import { apiKey, type GeminiConfig, parseConfig } from "./config.ts";
import { deleteFile } from "./files/api.ts";
import { type GeminiRequest, generate } from "./generate.ts";
import { attachMedia } from "./media/attach.ts";
import { MemoryBudget, type MemoryLease } from "./media/memory.ts";
import { type MediaReference, mediaReferences } from "./media/reference.ts";
import { buildPrompt, type Prompt } from "./prompt.ts";
import { readTranscription, type Transcription, TRANSCRIPTION_SCHEMA } from "./transcription.ts";

/** Bytes of media that the tasks of one isolate may hold at a time; the copies come on top. */
const MEMORY_BYTES = 8 * 1024 * 1024;

/** What a `gemini_prompt` task returns; `json` when JSON was asked for. */
export type PromptOutput = Answer & { json?: unknown };
/** What a `gemini_transcription` task returns. */
export type TranscriptionOutput = Transcription & Omit<Answer, "text">;

/** Makes the handler of `execute-gemini-prompt`: one task is one question to the model. */
export function createHandler(env: ReadVariable): TaskHandler {
  const memory = new MemoryBudget(MEMORY_BYTES);
  return async (task, context) => {
    const config = parseConfig(task.type, task.config, env);
    const key = apiKey(config, env);
    const prompt = buildPrompt(config, task.input);
    const references = mediaReferences(config.media, task.input);
    if (config.type === "gemini_transcription" && references.length === 0) {
      throw new ExecutorError(
        "input_invalid",
        `The input holds no recording to transcribe under ${config.media.join(" or ")}`,
      );
    }
    const answer = await ask({ task, context, config, key, env, memory }, prompt, references);
    return outputOf(config, answer);
  };
}

interface Asking {
  task: Task;
  context: TaskContext;
  config: GeminiConfig;
  key: string;
  env: ReadVariable;
  memory: MemoryBudget;
}

async function ask(
  { task, context, config, key, env, memory }: Asking,
  prompt: Prompt,
  references: readonly MediaReference[],
): Promise<Answer> {
  const { signal, log } = context;
  const started = Date.now();
  const uploads: string[] = [];
  let lease: MemoryLease | undefined;
  try {
    const { parts, inlineBytes, uploadedBytes } = await attachMedia(
      references,
      {
        config,
        key,
        signal,
        open: {
          env,
          signal,
          maxBytes: config.max_media_bytes,
          storage: {
            buckets: config.storage_buckets,
            pathPrefix: config.storage_path_prefix,
            userId: task.user_id,
          },
        },
        accept: (mimeType, label) => acceptFor(config, mimeType, label),
        reserve: async (bytes) => {
          lease = await memory.acquire(bytes, signal);
        },
        onUpload: (name) => uploads.push(name),
      },
    );
    lease?.shrinkTo(inlineBytes);
    const request = requestOf(config, prompt);
    request.parts.unshift(...parts);
    const answer = readAnswer(await generate(config, key, request, signal), config.model);
    log.info("gemini.answered", {
      model: answer.model,
      finish_reason: answer.finish_reason,
      ...answer.usage,
      media: references.length,
      inline_bytes: inlineBytes,
      uploaded_bytes: uploadedBytes,
      duration_ms: Date.now() - started,
    });
    return answer;
  } finally {
    lease?.release();
    const cleanUp = deleteAll(uploads, config, key, log);
    // Past the deadline nobody waits for this task: the platform must.
    if (signal.aborted) inBackground(cleanUp);
    await cleanUp;
  }
}

async function deleteAll(
  uploads: readonly string[],
  config: GeminiConfig,
  key: string,
  log: Log,
): Promise<void> {
  for (const name of uploads) {
    if (!await deleteFile({ config, key }, name)) log.warn("gemini.file_not_deleted");
  }
}

function requestOf(config: GeminiConfig, prompt: Prompt): GeminiRequest {
  const transcription = config.type === "gemini_transcription";
  return {
    parts: [{ text: prompt.text }],
    systemInstruction: prompt.systemInstruction,
    responseSchema: transcription ? TRANSCRIPTION_SCHEMA : config.response_schema,
    responseMimeType: config.response_mime_type,
  };
}

function outputOf(config: GeminiConfig, answer: Answer): PromptOutput | TranscriptionOutput {
  if (config.type === "gemini_transcription") {
    const { text: _json, ...rest } = answer;
    return { ...readTranscription(readJson(answer)), ...rest };
  }
  const asJson = config.response_mime_type === "application/json" ||
    (config.response_schema !== undefined &&
      config.response_mime_type === undefined);
  return asJson ? { ...answer, json: readJson(answer) } : answer;
}

/** A page that asks to sign in is the usual thing to come instead of a recording. */
function acceptFor(config: GeminiConfig, mimeType: string, label: string): void {
  if (
    config.type !== "gemini_transcription" || /^(audio|video)\//.test(mimeType)
  ) return;
  throw new ExecutorError(
    "input_invalid",
    `${label} must be audio or video to be transcribed: current type is ${mimeType}`,
  );
}
