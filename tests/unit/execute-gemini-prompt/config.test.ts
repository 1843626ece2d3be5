import { strict as assert } from "node:assert";
import { ExecutorError } from "../../../supabase/functions/_shared/executor/error.ts";
import {
  apiKey,
  DEFAULT_BASE_URL,
  DEFAULT_MODEL,
  parseConfig,
} from "../../../supabase/functions/execute-gemini-prompt/config.ts";

const noEnv = () => undefined;

function refusal(work: () => unknown): ExecutorError {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof ExecutorError);
    return error;
  }
  throw new Error("It must be refused");
}

Deno.test("parseConfig() fills in defaults", () => {
  const config = parseConfig("gemini_prompt", {}, noEnv);
  assert.equal(config.model, DEFAULT_MODEL);
  assert.equal(config.base_url, DEFAULT_BASE_URL);
  assert.equal(config.api_key_env_var, "GEMINI_API_KEY");
  assert.deepEqual(config.media, ["media", "audio_url"]);
  assert.deepEqual(config.storage_buckets, []);
  assert.equal(config.storage_path_prefix, "{{user_id}}/");
});

Deno.test("parseConfig() names the key that is wrong", async (t) => {
  const table: [config: unknown, key: RegExp][] = [
    [{ modle: "gemini-3.5-flash" }, /: modle is not a known key$/],
    [{ model: 5 }, /: model: /],
    [{ model: "models/../files" }, /: model: must be a model name/],
    [{ model: "gemini?x=1" }, /: model: must be a model name/],
    [{ api_key_env_var: "gemini-key" }, /: api_key_env_var: must be the name/],
    [{ api_key_env_var: "SUPABASE_SECRET_KEYS" }, /: api_key_env_var: must be the name/],
    [{ base_url: "generativelanguage" }, /: base_url: must be an https URL/],
    [{ base_url: "https://example.com?key=1" }, /: base_url: must be an https URL/],
    [{ base_url: "http://example.com" }, /: base_url: must be https/],
    [{ api_version: "beta" }, /: api_version: must be like v1beta/],
    [{ system_instruction: 1 }, /: system_instruction: /],
    [{ prompt_template: "" }, /: prompt_template: /],
    [{ prompt_template: "Hi {{name" }, /: prompt_template: holds \{\{ without \}\}/],
    [{ prompt_template: "Hi {{a b}}" }, /: prompt_template: \{\{a b\}\} is not a path/],
    [{ response_schema: "object" }, /: response_schema: /],
    [{ response_mime_type: "text/html" }, /: response_mime_type: /],
    [
      { response_schema: { type: "object" }, response_mime_type: "text/plain" },
      /: response_mime_type: must be application\/json/,
    ],
    [{ generation_config: { temprature: 1 } }, /: generation_config\.temprature is not a known/],
    [{ generation_config: { temperature: 3 } }, /: generation_config\.temperature: /],
    [{ generation_config: { max_output_tokens: 0 } }, /: generation_config\.max_output_tokens: /],
    [{ safety_settings: [{ category: "X", threshold: "OFF" }] }, /safety_settings\.0\.category/],
    [{ media: "audio_url" }, /: media: /],
    [{ storage_buckets: [""] }, /: storage_buckets\.0: /],
    [{ storage_path_prefix: "{{job_id}}/" }, /: storage_path_prefix: must end in/],
    [{ storage_path_prefix: "{{user_id}}" }, /: storage_path_prefix: must end in/],
    [{ allow_file_uris: "yes" }, /: allow_file_uris: /],
    [{ max_media_bytes: 0 }, /: max_media_bytes: /],
    [{ max_media_bytes: 3 * 1024 ** 3 }, /: max_media_bytes: /],
    [{ inline_max_bytes: 20 * 1024 ** 2 }, /: inline_max_bytes: /],
  ];
  for (const [config, key] of table) {
    await t.step(JSON.stringify(config), () => {
      const error = refusal(() => parseConfig("gemini_prompt", config, noEnv));
      assert.equal(error.code, "config_invalid");
      assert.match(error.message, key);
    });
  }
});

Deno.test("parseConfig() refuses a type that it does not serve", () => {
  const error = refusal(() => parseConfig("gemini_transcripton", {}, noEnv));
  assert.equal(error.code, "config_invalid");
  assert.match(error.message, /: type: must be one of gemini_prompt, gemini_transcription/);
});

Deno.test("parseConfig() refuses a schema beside that of a transcription", () => {
  const error = refusal(() =>
    parseConfig("gemini_transcription", { response_schema: { type: "object" } }, noEnv)
  );
  assert.match(error.message, /: response_schema: cannot be set for gemini_transcription/);
});

Deno.test("parseConfig() lets GEMINI_BASE_URL have the last word", () => {
  const env = (name: string) =>
    name === "GEMINI_BASE_URL" ? "https://proxy.example.com/g/" : undefined;
  const config = parseConfig("gemini_prompt", { base_url: "https://other.example.com" }, env);
  assert.equal(config.base_url, "https://proxy.example.com/g");
});

Deno.test("parseConfig() allows plain HTTP on the loopback, and elsewhere when told to", () => {
  assert.ok(parseConfig("gemini_prompt", { base_url: "http://localhost:8080" }, noEnv));
  const env = (name: string) => name === "HTTP_ALLOW_PRIVATE_NETWORK" ? "true" : undefined;
  assert.ok(parseConfig("gemini_prompt", { base_url: "http://proxy.internal" }, env));
});

Deno.test("apiKey() names the variable that is not set, or is empty", () => {
  const config = parseConfig("gemini_prompt", { api_key_env_var: "MY_KEY" }, noEnv);
  for (const value of [undefined, "", "  "]) {
    const error = refusal(() => apiKey(config, () => value));
    assert.equal(error.code, "secret_missing");
    assert.match(error.message, /MY_KEY is not set/);
  }
  assert.equal(apiKey(config, () => " k\n"), "k");
});
