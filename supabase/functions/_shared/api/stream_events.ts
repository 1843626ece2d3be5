import { z } from "zod";
import { invalidRequest } from "../http/errors.ts";
import type { Reply, RequestContext } from "../http/router.ts";
import { asCaller } from "./caller.ts";
import type { ApiDeps } from "./deps.ts";
import { followJob } from "./follow_job.ts";
import { jobIdOf } from "./job_id.ts";
import { readQuery } from "./query.ts";

const noQuery = z.strictObject({});

/**
 * `GET /jobs/{id}/events` with `Accept: text/event-stream`: what has happened and what happens,
 * until the job has ended or the time is up. `Last-Event-ID` goes on where a stream broke off.
 */
export async function streamEvents(deps: ApiDeps, context: RequestContext): Promise<Reply> {
  const { store, jobId, after, standing } = await asCaller(deps, context, async (store) => {
    const jobId = jobIdOf(context);
    readQuery(context, noQuery);
    const after = lastEventId(context.request.headers);
    return { store, jobId, after, standing: await store.jobStanding(jobId) };
  });
  const gone = new AbortController();
  const text = followJob(store, {
    jobId,
    after,
    standing,
    requestId: context.requestId,
    signal: gone.signal,
    now: () => performance.now(),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  });
  return {
    status: 200,
    body: toStream(text, () => gone.abort()),
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "x-accel-buffering": "no", // a proxy that gathers would hold events back
    },
  };
}

/** The text as it comes; `cancel` is called when nobody reads on. */
function toStream(text: AsyncGenerator<string>, cancel: () => void): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await text.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    cancel,
  });
}

function lastEventId(headers: Headers): number {
  const given = headers.get("last-event-id")?.trim() ?? "";
  if (given === "") return 0;
  if (/^\d{1,15}$/.test(given)) return Number(given);
  throw invalidRequest([{ path: "last-event-id", message: "must be an 'id' of this stream" }]);
}
