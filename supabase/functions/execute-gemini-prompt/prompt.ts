import { ExecutorError } from "../_shared/executor/error.ts";
import type { GeminiConfig } from "./config.ts";
import { fillTemplate } from "./template.ts";
import { TRANSCRIPTION_PROMPT } from "./transcription.ts";

/** The words of a request. */
export interface Prompt {
  text: string;
  systemInstruction: string | undefined;
}

/**
 * Makes the prompt: the transformer's template filled from the input, else the input's own
 * `prompt` (or, for a transcription, a prompt made for that).
 *
 * @throws {ExecutorError} `mapping_failed` when a template's path finds nothing, `input_invalid`
 * when there is no prompt at all.
 */
export function buildPrompt(config: GeminiConfig, input: unknown): Prompt {
  const fill = (key: "prompt_template" | "system_instruction") => {
    const template = config[key];
    return template === undefined ? undefined : fillTemplate(key, template, input);
  };
  return {
    text: fill("prompt_template") ?? promptWithoutTemplate(config, input),
    systemInstruction: fill("system_instruction"),
  };
}

function promptWithoutTemplate(config: GeminiConfig, input: unknown): string {
  if (config.type === "gemini_transcription") return TRANSCRIPTION_PROMPT;
  const prompt = typeof input === "object" && input !== null && "prompt" in input
    ? input.prompt
    : input;
  if (typeof prompt === "string" && prompt.trim() !== "") return prompt;
  throw new ExecutorError(
    "input_invalid",
    "The input must hold a text under 'prompt', as the transformer has no prompt_template",
  );
}
