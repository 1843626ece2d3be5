/** One message of an event stream. */
export interface ServerSentEvent {
  event: string;
  /** Sent as JSON, which has no line breaks. */
  data: unknown;
  /** What a client that has lost the connection sends as `Last-Event-ID`. */
  id?: number;
}

/** The message as it goes over the wire. */
export function formatEvent({ event, data, id }: ServerSentEvent): string {
  const head = id === undefined ? "" : `id: ${id}\n`;
  return `${head}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Says nothing, and keeps the connection open. */
export const HEARTBEAT = ": still here\n\n";
