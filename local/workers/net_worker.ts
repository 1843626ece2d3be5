import type { Sql } from "postgres";
import { reasonOf } from "../error.ts";

interface QueuedRequest {
  id: string;
  method: string;
  url: string;
  headers: Record<string, string> | null;
  body: Uint8Array<ArrayBuffer> | null;
  timeout_milliseconds: number;
}

const BATCH = 200;
const RESPONSES_KEPT = "6 hours";

/**
 * Plays pg_net's background worker: sends what `net.http_post` and its kin have queued, once their
 * transaction has committed, and writes down the answers.
 */
export class NetWorker {
  readonly #abort = new AbortController();
  #queue: Promise<void> = Promise.resolve();

  /** `db` must be connected as superuser to the database in question. */
  constructor(readonly db: Sql, readonly onLog: (line: string) => void) {}

  /** Channel that is notified when a request was queued. */
  readonly channel = "millrace_net";

  /** Gives up requests under way. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#queue;
  }

  /** Sends what is queued. To be called on each notice, and once when notices may have been lost. */
  wake(): void {
    this.#queue = this.#queue.then(() => this.#sendAll()).catch((error) => {
      if (!this.#abort.signal.aborted) this.onLog(`pg_net: ${error}`);
    });
  }

  async #sendAll(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      const requests = await this.#take();
      for (const request of requests) void this.#send(request);
      if (requests.length < BATCH) return;
    }
  }

  async #take(): Promise<QueuedRequest[]> {
    const [table] = await this.db`select to_regclass('net.http_request_queue') as found`;
    if (table?.found === null) return [];
    await this.db`delete from net._http_response
      where created < now() - ${RESPONSES_KEPT}::interval`;
    return await this.db<QueuedRequest[]>`
      delete from net.http_request_queue where id in (
        select id from net.http_request_queue order by id limit ${BATCH} for update skip locked
      ) returning id, method, url, headers, body, timeout_milliseconds`;
  }

  async #send({ id, method, url, headers, body, timeout_milliseconds }: QueuedRequest) {
    const timeout = AbortSignal.timeout(timeout_milliseconds);
    let answer;
    try {
      const response = await fetch(url, {
        method: method.toUpperCase(),
        headers: headers ?? {},
        body,
        signal: AbortSignal.any([timeout, this.#abort.signal]),
      });
      answer = {
        id,
        status_code: response.status,
        content_type: response.headers.get("content-type"),
        headers: Object.fromEntries(response.headers),
        content: (await response.text()).replaceAll("\0", ""),
        timed_out: false,
        error_msg: null,
      };
    } catch (error) {
      const timedOut = timeout.aborted;
      answer = {
        id,
        timed_out: timedOut,
        error_msg: timedOut ? `Timeout of ${timeout_milliseconds} ms reached` : reasonOf(error),
      };
    }
    if (this.#abort.signal.aborted) return;
    await this.db`insert into net._http_response
      select * from jsonb_populate_record(null::net._http_response, ${
      this.db.json({
        created: new Date().toISOString(),
        ...answer,
      })
    })`.catch((error) => this.onLog(`pg_net: cannot write the answer of ${url}: ${error}`));
  }
}
