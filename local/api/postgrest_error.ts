// `@supabase/lite` answers "500 SUP" to every SQLSTATE that it does not know, those of a lost
// connection and of a project's own functions among them. PostgREST does not.

/** What a database error becomes over HTTP, by the first characters of its SQLSTATE, as in PostgREST. */
const STATUS_BY_CLASS: [prefix: string, status: number][] = [
  ["57014", 500],
  ["57", 503], // PostgREST says 500, but these are a server that goes down or starts
  ["08", 503],
  ["53400", 500],
  ["53", 503],
  ["0L", 403],
  ["0P", 403],
  ["28", 403],
  ...["09", "25", "2D", "38", "39", "3B", "40", "54", "55", "58", "F0", "HV", "P0003", "XX"]
    .map((prefix): [string, number] => [prefix, 500]),
];
// Those it answers as PostgREST does, some of them by the caller's role.
const LEFT_TO_LITE = /^(PGRST|PT\d*|42.*|22.*|21.*|2350[235]|25006)$/;
const SQLSTATE = /^[0-9A-Z]{5}$/;
const LOST_CONNECTION = /^(CONNECT|ECONN|EPIPE|ETIMEDOUT)/;

/** Whether an error says that the connection to the database was lost, or none could be made. */
export function isLostConnection(error: unknown): boolean {
  return error instanceof Error && "code" in error && LOST_CONNECTION.test(String(error.code));
}

/**
 * Gives a database error the form of `raise sqlstate 'PGRST'`, which sets status, headers and body
 * of the answer, such that it becomes what PostgREST makes of it. Returns `undefined` for errors
 * that need no help.
 */
export function toPostgrestError(error: unknown): Error | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") {
    return undefined;
  }
  const { code } = error;
  if (LEFT_TO_LITE.test(code)) return undefined;
  if (LOST_CONNECTION.test(code)) {
    return answer(503, "PGRST001", { message: "Database client error. Retrying the connection." });
  }
  if (!SQLSTATE.test(code)) return undefined;
  const status = STATUS_BY_CLASS.find(([prefix]) => code.startsWith(prefix))?.[1] ?? 400;
  return answer(status, code, error);
}

function answer(
  status: number,
  code: string,
  { message, detail, hint }: { message: string; detail?: string; hint?: string },
): Error {
  const body = JSON.stringify({ code, message, details: detail, hint });
  const headers = status === 503 ? { "Retry-After": "1" } : {};
  return Object.assign(new Error(body), {
    code: "PGRST",
    detail: JSON.stringify({ status, headers }),
  });
}
