import type { ApiDeps } from "../../../../supabase/functions/_shared/api/deps.ts";
import {
  type DoorName,
  DOORS,
  routesOf,
} from "../../../../supabase/functions/_shared/api/routes.ts";
import { unauthorized } from "../../../../supabase/functions/_shared/http/errors.ts";
import { handle } from "../../../../supabase/functions/_shared/http/handle.ts";
import { createLog } from "../../../../supabase/functions/_shared/log.ts";
import type { UserStore } from "../../../../supabase/functions/_shared/store/user_store.ts";

export const USER_ID = "11111111-2222-4333-8444-555555555555";
export const JOB_ID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
export const CREATED_AT = "2030-01-31T12:00:00.123456+00:00";

/** A store whose calls all fail unless a test says what they do. */
export function fakeStore(calls: Partial<UserStore> = {}): UserStore {
  const all = {
    childrenSummary: () => Promise.resolve(null),
    findInputSchema: () => Promise.resolve({ version: 1, inputSchema: null }),
    ...calls,
  };
  return new Proxy(all as UserStore, {
    get: (store, name, receiver) =>
      Reflect.get(store, name, receiver) ??
        (() => Promise.reject(new Error(`${String(name)}() was called`))),
  });
}

/** One of the API's functions with its dependencies replaced; "good" is the only good token. */
export function fakeFunction(
  name: DoorName,
  calls: Partial<UserStore>,
  more: Partial<ApiDeps> = {},
) {
  const seen = { kicks: 0, counted: 0, lines: [] as Record<string, unknown>[] };
  const deps: ApiDeps = {
    limits: { maxBodyBytes: 10_000, maxPayloadBytes: 1_000 },
    verify: (token) =>
      token === "good"
        ? Promise.resolve({ userId: USER_ID, token, expiresAt: 0 })
        : Promise.reject(unauthorized("no", true)),
    countRequest: () => {
      seen.counted += 1;
      return Promise.resolve({ allowed: true, remaining: 9, retry_after_seconds: 0 });
    },
    userStore: () => fakeStore(calls),
    findVersionSchema: () => Promise.resolve(null),
    checkInput: () => [],
    isInternal: (request) => request.headers.get("apikey") === "secret",
    findProblems: () => Promise.resolve([]),
    workflows: { insert: () => Promise.resolve(null), update: () => Promise.resolve(null) },
    kick: () => void (seen.kicks += 1),
    ...more,
  };
  const log = createLog({}, { write: (line) => seen.lines.push(JSON.parse(line)) });
  const handler = handle({ name, routes: routesOf(DOORS[name], () => deps), log });
  const call = async (path: string, options: CallOptions = {}) => {
    const { method = "GET", body, token = "good", headers = {} } = options;
    const response = await handler(
      new Request(`http://host/${name}${path}`, {
        method,
        body: body === undefined ? null : JSON.stringify(body),
        headers: {
          "content-type": "application/json",
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...headers,
        },
      }),
    );
    const text = await response.text();
    const json = response.headers.get("content-type")?.startsWith("application/json") ?? false;
    const { status, headers: answered } = response;
    return { status, headers: answered, body: json ? JSON.parse(text) : text };
  };
  return { call, seen };
}

export interface CallOptions {
  method?: string;
  body?: unknown;
  token?: string | null;
  headers?: Record<string, string>;
}
