import type { SupabaseClient } from "@supabase/supabase-js";
import { unwrap } from "../errors.ts";
import { answered } from "./answered.ts";

/** An event for whichever of the user's jobs wait for it. */
export interface EmitEvent {
  name: string;
  /** Undefined: an empty object. */
  payload: unknown;
  key: string | undefined;
}

/** What `emit_event` answers. */
export interface EmittedEvent {
  event_id: number;
  kick: boolean;
}

/** Events of the user's. All throw StoreError. */
export interface EventsStore {
  /** @throws PayloadTooLargeError */
  emitEvent(event: EmitEvent): Promise<EmittedEvent>;
}

/** Events of the user that the client acts as. */
export function createEventsStore(client: SupabaseClient): EventsStore {
  return {
    async emitEvent({ name, payload, key }) {
      const reply = await client.rpc("emit_event", {
        p_name: name,
        p_payload: payload,
        p_key: key,
        p_kick: false,
      });
      return answered<EmittedEvent>(unwrap(reply));
    },
  };
}
