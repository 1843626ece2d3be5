import { ExecutorError } from "../_shared/executor/error.ts";
import type { HttpConfig } from "./config.ts";

/** A body as it stands in a step's output, and which of the three it is. */
export interface ParsedBody {
  body: unknown;
  body_encoding: "json" | "text" | "base64" | "none";
}

/** What decides how a body is read. */
export interface BodyFacts {
  contentType: string;
  url: URL;
  /** Whether there can be no body: an answer to HEAD, or one of the status 204. */
  bodiless: boolean;
}

const JSON_TYPE = /^(application|text)\/(json|[\w.-]+\+json)$/;
const TEXT_TYPE =
  /^(text\/.*|application\/(xml|javascript|x-ndjson|jsonl|yaml|x-yaml|toml|sql|graphql|x-www-form-urlencoded|[\w.-]+\+(xml|yaml)))$/;

/**
 * Turns the bytes of a response into a JSON value. `auto`: an empty body is `null`, JSON is
 * parsed (by its content type, or by `.json` at the end of the URL's path, as file hosts call it
 * text), text is text, and everything else, or text that is not, is base64.
 *
 * @throws {ExecutorError} `invalid_result` when `json` was asked for and it is none.
 */
export function parseBody(
  bytes: Uint8Array,
  type: HttpConfig["response_type"],
  facts: BodyFacts,
): ParsedBody {
  const [mediaType = "", ...parameters] = facts.contentType.toLowerCase().split(";")
    .map((part) => part.trim());
  const empty = bytes.byteLength === 0;
  switch (type) {
    case "base64":
      return { body: toBase64(bytes), body_encoding: "base64" };
    case "text":
      return { body: decode(bytes, parameters), body_encoding: "text" };
    case "json": {
      if (empty && facts.bodiless) {
        return { body: null, body_encoding: "none" };
      }
      const parsed = tryJson(decode(bytes, []));
      if (parsed !== undefined) {
        return { body: parsed.value, body_encoding: "json" };
      }
      throw new ExecutorError(
        "invalid_result",
        "Cannot parse the response as JSON",
        {
          details: { content_type: facts.contentType },
        },
      );
    }
    case "auto": {
      if (empty) return { body: null, body_encoding: "none" };
      const unnamed = mediaType === "" ||
        mediaType === "application/octet-stream";
      const mayBeJson = JSON_TYPE.test(mediaType) ||
        /\.json$/i.test(facts.url.pathname);
      if (!mayBeJson && !unnamed && !TEXT_TYPE.test(mediaType)) {
        return parseBody(bytes, "base64", facts);
      }
      const text = tryText(bytes, parameters);
      if (text === undefined) return parseBody(bytes, "base64", facts);
      const parsed = mayBeJson ? tryJson(text) : undefined;
      return parsed === undefined
        ? { body: text, body_encoding: "text" }
        : { body: parsed.value, body_encoding: "json" };
    }
  }
}

/**
 * The beginning of an error's body, for people: at most 1,000 characters, without control
 * characters, and without any of the secrets (some servers repeat the request).
 */
export function excerpt(bytes: Uint8Array, secrets: readonly string[]): string {
  let text = new TextDecoder().decode(bytes);
  for (const secret of secrets) text = text.replaceAll(secret, "[secret]");
  // deno-lint-ignore no-control-regex -- control characters are what is looked for
  text = text.replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, " ").trim();
  return text.length <= 1_000 ? text : `${text.slice(0, 1_000)}…`;
}

/** A header may announce any charset; an unknown one is read as UTF-8. */
function decode(
  bytes: Uint8Array,
  parameters: readonly string[],
  fatal = false,
): string {
  const charset = parameters.find((each) => each.startsWith("charset="))
    ?.slice("charset=".length).replace(/^"|"$/g, "");
  try {
    return new TextDecoder(charset ?? "utf-8", { fatal }).decode(bytes);
  } catch (error) {
    if (error instanceof RangeError) {
      return new TextDecoder("utf-8", { fatal }).decode(bytes);
    }
    throw error;
  }
}

/** Text, or nothing where the bytes are none that a database could hold. */
function tryText(
  bytes: Uint8Array,
  parameters: readonly string[],
): string | undefined {
  try {
    const text = decode(bytes, parameters, true);
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined; // not text in that charset: the caller takes it for bytes
  }
}

function tryJson(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined; // not JSON: the caller knows what that means
  }
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  // In pieces, as a call takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 32_768) {
    text += String.fromCharCode(...bytes.subarray(at, at + 32_768));
  }
  return btoa(text);
}
