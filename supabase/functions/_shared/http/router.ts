import type { Log } from "../log.ts";

/** What a route answers: `body` is sent as JSON, but a `ReadableStream` of bytes as it comes. */
export interface Reply {
  status: number;
  body: unknown;
  headers?: Record<string, string>;
}

/** One request on its way through a route. */
export interface RequestContext {
  request: Request;
  /** What stood for `{name}` in the route's path, decoded. */
  params: Readonly<Record<string, string>>;
  query: URLSearchParams;
  requestId: string;
  /** 32 hexadecimal digits, the same from here through orchestrator and executors. */
  traceId: string;
  log: Log;
  /** Adds a field to the line that is logged when the request ends. */
  note(field: string, value: unknown): void;
}

/** One operation at one path below the function's name. */
export interface Route {
  method: "GET" | "POST" | "PUT";
  /** `/` for the function itself; `{name}` stands for one segment. */
  path: string;
  /** What this operation is called in logs and metrics, whatever door it is reached by. */
  endpoint: string;
  run(context: RequestContext): Promise<Reply>;
}

/** Either the route, or the methods that the path knows: none of them means there is no such path. */
export type Match =
  | { route: Route; params: Record<string, string> }
  | { route: null; methods: string[] };

/**
 * Finds the route of a method and a path such as `/jobs/6f…/cancel` in the function `name`. A path
 * that is written out wins over one with a `{name}` in its place, whatever the method: `/jobs/bulk`
 * is no job.
 */
export function findRoute(
  routes: readonly Route[],
  name: string,
  method: string,
  path: string,
): Match {
  const segments = segmentsBelow(name, path);
  const found = (segments === null ? [] : routes).flatMap((route) => {
    const params = matchSegments(splitPath(route.path), segments ?? []);
    return params === null ? [] : [{ route, params }];
  });
  const blanks = (match: typeof found[number]) => Object.keys(match.params).length;
  const fewest = Math.min(...found.map(blanks));
  const closest = found.filter((match) => blanks(match) === fewest);
  return closest.find(({ route }) => route.method === method) ??
    { route: null, methods: closest.map(({ route }) => route.method) };
}

/** Sub-paths arrive with the function's name in front, on some hosts with `/functions/v1` too. */
function segmentsBelow(name: string, path: string): string[] | null {
  const segments = splitPath(path);
  if (segments[0] === "functions" && segments[1] === "v1") segments.splice(0, 2);
  return segments.shift() === name ? segments : null;
}

function splitPath(path: string): string[] {
  const segments = path.split("/").slice(1);
  if (segments.at(-1) === "") segments.pop(); // one slash at the end changes nothing
  return segments;
}

function matchSegments(
  pattern: readonly string[],
  segments: readonly string[],
): Record<string, string> | null {
  if (pattern.length !== segments.length) return null;
  const params: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const value = decodeSegment(segments[index] ?? "");
    const name = /^\{(\w+)\}$/.exec(expected)?.[1];
    if (value === null || value === "" || (name === undefined && value !== expected)) return null;
    if (name !== undefined) params[name] = value;
  }
  return params;
}

function decodeSegment(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null; // a bad escape is no path of ours
  }
}
