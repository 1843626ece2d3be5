import postgres, { type Sql } from "postgres";

/** Channels to listen on, and what to do when one is notified. */
export type Channels = Record<string, () => void>;

const RETRY_MS = 200;

/**
 * Listens on channels of a database for as long as it is open, across restarts of the server.
 * `onListening` is called each time that it begins to, as notices may have been lost before.
 */
export class Listener {
  #closed = false;
  #current: Sql | undefined;
  readonly #done: Promise<void>;

  constructor(
    readonly databaseUrl: string,
    readonly channels: Channels,
    readonly onListening: () => void,
  ) {
    this.#done = this.#run();
  }

  /** Ends the connection. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#current?.end({ timeout: 0 });
    await this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      // A fresh one each time: the driver's own way of listening again gives up at the first miss.
      const lost = Promise.withResolvers<void>();
      const options = {
        max: 1,
        connection: { application_name: "listener" },
        fetch_types: false,
        idle_timeout: 0,
        max_lifetime: null,
        onnotice: () => {},
        onnotify: (channel: string) => this.channels[channel]?.(),
        onclose: () => lost.resolve(),
      };
      const db = postgres(this.databaseUrl, options);
      this.#current = db;
      try {
        const names = Object.keys(this.channels);
        await db.unsafe(names.map((name) => `listen "${name}"`).join(";")).simple();
        this.onListening();
        await lost.promise;
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      } finally {
        await db.end({ timeout: 0 });
      }
    }
  }
}
