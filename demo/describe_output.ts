import { count, cut, duration, json, size } from "./format.ts";

const MAX_WIDTH = 60;

/** In a few words, what an executor has given back. */
export function describeOutput(output: unknown): string {
  if (!isRecord(output)) return output === null ? "" : json(output, MAX_WIDTH);
  if ("echoed_data" in output) return describeData(output["echoed_data"]);
  const { status, segments, size_bytes: bytes, url } = output;
  if (typeof status === "number") {
    const got = typeof bytes === "number" ? `${status}, ${size(bytes)}` : `${status}`;
    return `${got} from ${hostAndPath(url)}`;
  }
  if (Array.isArray(segments)) return describeSegments(segments);
  return describeData(output);
}

function describeData(data: unknown): string {
  if (Array.isArray(data)) return count(data.length, "item");
  const text = json(data);
  return isRecord(data) && text.length > MAX_WIDTH
    ? Object.keys(data).join(", ")
    : cut(text, MAX_WIDTH);
}

function describeSegments(segments: unknown[]): string {
  const last = segments.at(-1);
  const end = isRecord(last) ? last["end"] : undefined;
  const text = count(segments.length, "segment");
  return typeof end === "number" ? `${text}, up to ${duration(end * 1000)}` : text;
}

function hostAndPath(url: unknown): string {
  if (typeof url !== "string" || !URL.canParse(url)) return "the server";
  const { host, pathname } = new URL(url);
  return `${host}${pathname}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
