import type { ApiEnv } from "../contracts/env.ts";
import type { Problem } from "../engine/problem.ts";
import type { VerifyToken } from "../http/auth.ts";
import type { ApiStore, RateLimitReply } from "../store/api_store.ts";
import type { UserStore } from "../store/user_store.ts";
import type { InputCheck } from "./check_input.ts";
import type { KickReason } from "./kicker.ts";

/** What the operations of the API need; a test passes its own. */
export interface ApiDeps {
  limits: Pick<ApiEnv, "maxBodyBytes" | "maxPayloadBytes">;
  verify: VerifyToken;
  /** Counts one request of a user. */
  countRequest(userId: string): Promise<RateLimitReply>;
  /** The database as the user with this token sees it. */
  userStore(token: string): UserStore;
  /** The `input_schema` of one version of a workflow; null where it has none. */
  findVersionSchema(workflowId: string, version: number): Promise<unknown>;
  checkInput: InputCheck;
  /** Whether the call carries a secret key of the project. */
  isInternal(request: Request): boolean;
  /** Every fault of a definition; none: it can be run. */
  findProblems(definition: unknown): Promise<readonly Problem[]>;
  /** Answer the workflow's version; null where there is one of this id, and none of it. */
  workflows: {
    insert: ApiStore["insertWorkflow"];
    update: ApiStore["updateWorkflow"];
  };
  /** Tells an orchestrator that there is work, or news of it; returns at once and never throws. */
  kick(reason: KickReason): void;
}

/** Made at the first request, not at import: a bad variable is a 500 that the log explains. */
export type GetApiDeps = () => ApiDeps;
