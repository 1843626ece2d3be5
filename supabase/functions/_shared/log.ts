/** Fields that a line may carry; payloads are never among them unless asked for. */
export type LogFields = Record<string, unknown>;

type Level = "debug" | "info" | "warn" | "error";
const LEVELS: readonly Level[] = ["debug", "info", "warn", "error"];

/** Writes one JSON line per event. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** A log whose lines all carry these fields too. */
  with(fields: LogFields): Log;
}

/** Where lines go and from which level on. */
export interface LogOptions {
  level?: string | undefined;
  write?: (line: string) => void;
  clock?: () => Date;
}

/** Supabase cuts a message at 10,000 characters: a shorter line stays valid JSON. */
const MAX_LINE = 9_000;

/** Makes the log of one function; `fields` (such as `{function: "get-job"}`) stand on every line. */
export function createLog(fields: LogFields = {}, options: LogOptions = {}): Log {
  const threshold = Math.max(0, LEVELS.indexOf((options.level ?? "info") as Level));
  // deno-lint-ignore no-console -- this module is where lines are written
  const write = options.write ?? ((line: string) => console.log(line));
  const clock = options.clock ?? (() => new Date());
  const emit = (base: LogFields, level: Level, event: string, more: LogFields = {}) => {
    if (LEVELS.indexOf(level) < threshold) return;
    const head = { time: clock().toISOString(), level, event };
    const line = JSON.stringify({ ...head, ...base, ...more }, errorsAsText);
    write(
      line.length <= MAX_LINE ? line : JSON.stringify({
        ...head,
        ...shortFields({ ...base, ...more }),
        truncated: true,
      }),
    );
  };
  const make = (base: LogFields): Log => ({
    debug: (event, more) => emit(base, "debug", event, more),
    info: (event, more) => emit(base, "info", event, more),
    warn: (event, more) => emit(base, "warn", event, more),
    error: (event, more) => emit(base, "error", event, more),
    with: (more) => make({ ...base, ...more }),
  });
  return make(fields);
}

function errorsAsText(_key: string, value: unknown): unknown {
  if (value instanceof Error) return value.stack ?? `${value.name}: ${value.message}`;
  return typeof value === "bigint" ? value.toString() : value;
}

function shortFields(fields: LogFields): LogFields {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => {
      const text = typeof value === "string" ? value : JSON.stringify(value, errorsAsText) ?? "";
      return [key, text.length <= 500 ? value : `${text.slice(0, 500)}…`];
    }),
  );
}
