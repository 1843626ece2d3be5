import { portError } from "../ports.ts";
import type { FunctionHost } from "../functions/host.ts";
import type { DataApi } from "./data_api.ts";

/** What the gateway passes requests on to. */
export interface Services {
  api: DataApi;
  functions: FunctionHost;
}

const FUNCTIONS = "/functions/v1";
const SERVICE = /^\/(rest|auth)\/v1(\/|$|\?)/;

/** The one address that clients talk to: Data API, Auth and functions. */
export class Gateway {
  /** Unset while the services start; requests are then answered with 503. */
  services: Services | undefined;
  /** Drops the data and starts anew; asked for by `POST /_local/reset` with the secret key. */
  reset: ((apiKey: string | null) => Promise<Response>) | undefined;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  /** Takes the port at once. @throws StackError when the port is taken */
  constructor(port: number) {
    try {
      this.#server = Deno.serve({
        hostname: "127.0.0.1",
        port,
        onListen: () => {},
      }, (request, info) => this.#route(request, info));
    } catch (error) {
      throw portError(error, port, "--port");
    }
  }

  /** Base address, without a slash at its end. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Gives up the port; requests under way are cut off. */
  async close(): Promise<void> {
    const closed = this.#server.shutdown();
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 200))]);
  }

  #route(
    request: Request,
    info: Deno.ServeHandlerInfo<Deno.NetAddr>,
  ): Response | Promise<Response> {
    const path = request.url.slice(request.url.indexOf("/", "http://".length));
    if (path === "/_local/reset" && request.method === "POST" && this.reset !== undefined) {
      return this.reset(request.headers.get("apikey"));
    }
    if (this.services === undefined) return unavailable("The local stack is starting");
    const { api, functions } = this.services;
    if (path.startsWith(FUNCTIONS + "/")) {
      return functions.handle(request, path.slice(FUNCTIONS.length), info.completed);
    }
    if (SERVICE.test(path)) return api.fetch(request, info.remoteAddr.hostname);
    return Response.json({ message: "no Route matched with those values" }, {
      status: 404,
      headers: { "access-control-allow-origin": "*" },
    });
  }
}

function unavailable(message: string): Response {
  return Response.json({ code: "UNAVAILABLE", message }, {
    status: 503,
    headers: { "access-control-allow-origin": "*", "retry-after": "1" },
  });
}
