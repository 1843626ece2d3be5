import { requestIdOf as requestIdOfHeaders } from "../http/ids.ts";

/** What an internal function's caller is told instead of an answer. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly status: number;
  readonly code: string;
  readonly details: unknown;
  readonly headers: Record<string, string>;

  constructor(
    status: number,
    code: string,
    message: string,
    more: { details?: unknown; headers?: Record<string, string> } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = more.details;
    this.headers = more.headers ?? {};
  }
}

/** The error in the shape that every function answers with. */
export function errorResponse(error: HttpError, requestId: string): Response {
  const { code, message, details } = error;
  return Response.json(
    {
      error: {
        code,
        message,
        ...(details === undefined ? {} : { details }),
        request_id: requestId,
      },
    },
    {
      status: error.status,
      headers: { ...error.headers, "x-request-id": requestId },
    },
  );
}

/** The caller's own request id where it is a sane one, else a fresh one. */
export function requestIdOf(request: Request): string {
  return requestIdOfHeaders(request.headers);
}
