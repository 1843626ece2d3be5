/** Answers in the shapes that the Gemini REST API has. */

/** What the server answers to one call, in place of what it would. */
export interface ScriptedAnswer {
  status?: number;
  headers?: Record<string, string>;
  /** Sent as JSON, or as it stands when it is a string. */
  body?: unknown;
  /** Does not answer until the server is closed. */
  hang?: boolean;
}

/** A successful answer of the model. */
export function answerOf(text: string, more: Record<string, unknown> = {}): ScriptedAnswer {
  return {
    body: {
      candidates: [{
        content: { parts: [{ text }], role: "model" },
        finishReason: "STOP",
        index: 0,
      }],
      usageMetadata: {
        promptTokenCount: 1510,
        candidatesTokenCount: 90,
        totalTokenCount: 1600,
        promptTokensDetails: [
          { modality: "TEXT", tokenCount: 38 },
          { modality: "AUDIO", tokenCount: 1472 },
        ],
      },
      modelVersion: "gemini-3.5-flash",
      responseId: "q1cfacfHNoPvnsEP8MiT0Ag",
      ...more,
    },
  };
}

/** An answer that ended for a reason of its own. */
export function finishedFor(finishReason: string, text?: string): ScriptedAnswer {
  const content = text === undefined ? {} : { content: { parts: [{ text }], role: "model" } };
  return answerOf("", { candidates: [{ ...content, finishReason, index: 0 }] });
}

/** A prompt that the API refused to pass on. */
export function promptBlocked(blockReason: string): ScriptedAnswer {
  return {
    body: {
      promptFeedback: { blockReason },
      usageMetadata: { promptTokenCount: 12, totalTokenCount: 12 },
      modelVersion: "gemini-3.5-flash",
    },
  };
}

/** An error in the API's shape. */
export function errorOf(
  status: number,
  grpcStatus: string,
  message: string,
  details?: unknown[],
): ScriptedAnswer {
  return {
    status,
    body: { error: { code: status, message, status: grpcStatus, ...(details ? { details } : {}) } },
  };
}

/** What the API says to a key that it does not know. */
export const INVALID_KEY: ScriptedAnswer = errorOf(
  400,
  "INVALID_ARGUMENT",
  "API key not valid. Please pass a valid API key.",
  [
    {
      "@type": "type.googleapis.com/google.rpc.ErrorInfo",
      reason: "API_KEY_INVALID",
      domain: "googleapis.com",
      metadata: { service: "generativelanguage.googleapis.com" },
    },
    {
      "@type": "type.googleapis.com/google.rpc.LocalizedMessage",
      locale: "en-US",
      message: "API key not valid. Please pass a valid API key.",
    },
  ],
);

/** What the API says when a quota is used up. */
export function quotaExceeded(retryDelay = "47.210448192s"): ScriptedAnswer {
  return errorOf(
    429,
    "RESOURCE_EXHAUSTED",
    "You exceeded your current quota, please check your plan and billing details. For more " +
      "information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.",
    [
      {
        "@type": "type.googleapis.com/google.rpc.Help",
        links: [{
          description: "Learn more about Gemini API quotas",
          url: "https://ai.google.dev/gemini-api/docs/rate-limits",
        }],
      },
      {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        violations: [{
          quotaMetric: "generativelanguage.googleapis.com/generate_content_free_tier_requests",
          quotaId: "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
          quotaDimensions: { location: "global", model: "gemini-3.5-flash" },
        }],
      },
      { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay },
    ],
  );
}

/** What the model makes of `examples/audio/mill-report.mp3`. */
export const EXAMPLE_TRANSCRIPTION = {
  language: "en",
  segments: [
    { start: "00:00.000", end: "00:01.100", speaker: "Speaker 1", text: "Good morning." },
    {
      start: "00:01.100",
      end: "00:09.300",
      speaker: "Speaker 1",
      text: "This is the line manager of the paper mill at Stonebridge. It is the fourteenth of " +
        "March, seven thirty.",
    },
    {
      start: "00:10.050",
      end: "00:21.400",
      speaker: "Speaker 2",
      text: "Good morning. The river stands at two metres ten, and the mill race gate is half " +
        "open. Wheel one turns, wheel two is stopped for repair.",
    },
    {
      start: "00:22.100",
      end: "00:26.800",
      speaker: "Speaker 1",
      text: "Thank you. How long will the repair of wheel two take?",
    },
    {
      start: "00:27.500",
      end: "00:35.100",
      speaker: "Speaker 2",
      text:
        "About three hours. The new bearing arrived last night. We will start the wheel again " +
        "before noon.",
    },
    {
      start: "00:35.800",
      end: "00:45.400",
      speaker: "Speaker 1",
      text:
        "Very well. Please close the gate by one quarter while it rains, and call me when the " +
        "water falls below two metres.",
    },
  ],
};
