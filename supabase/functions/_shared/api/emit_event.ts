import { eventRequestSchema } from "../contracts/requests.ts";
import { readJson } from "../http/body.ts";
import type { Reply, RequestContext } from "../http/router.ts";
import { validate } from "../http/validate.ts";
import { asCaller } from "./caller.ts";
import type { ApiDeps } from "./deps.ts";
import { checkSize } from "./payload_size.ts";

/** `POST /events`: 202, as the engine delivers the event to whichever of the caller's jobs wait. */
export async function emitEvent(deps: ApiDeps, context: RequestContext): Promise<Reply> {
  const { store, event } = await asCaller(deps, context, async (store) => {
    const body = await readJson(context.request, deps.limits.maxBodyBytes);
    const event = validate(eventRequestSchema, body);
    checkSize(event.payload, "payload", deps.limits.maxPayloadBytes, "emit the event");
    return { store, event };
  });
  const { name, payload, key } = event;
  const { event_id, kick } = await store.emitEvent({ name, payload, key });
  if (kick) deps.kick("message");
  context.note("event_id", event_id);
  return { status: 202, body: { event_id } };
}
