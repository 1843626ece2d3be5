import type { ApiEnv } from "../contracts/env.ts";
import type { VerifyToken } from "../http/auth.ts";
import type { Fault } from "../http/errors.ts";
import type { RateLimitReply } from "../store/api_store.ts";
import type { UserStore } from "../store/user_store.ts";
import type { KickReason } from "./kicker.ts";

/** What the operations of the API need; a test passes its own. */
export interface ApiDeps {
  limits: Pick<ApiEnv, "maxBodyBytes" | "maxPayloadBytes">;
  verify: VerifyToken;
  /** Counts one request of a user. */
  countRequest(userId: string): Promise<RateLimitReply>;
  /** The database as the user with this token sees it. */
  userStore(token: string): UserStore;
  /** Every fault of an input under a workflow's `input_schema`. */
  checkInput(schema: unknown, input: unknown): Fault[];
  /** Tells an orchestrator that there is work, or news of it; returns at once and never throws. */
  kick(reason: KickReason): void;
}

/** Made at the first request, not at import: a bad variable is a 500 that the log explains. */
export type GetApiDeps = () => ApiDeps;
