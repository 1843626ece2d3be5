const BY_EXTENSION: Readonly<Record<string, string>> = {
  aac: "audio/aac",
  aif: "audio/aiff",
  aiff: "audio/aiff",
  flac: "audio/flac",
  m4a: "audio/m4a",
  mp3: "audio/mp3",
  oga: "audio/ogg",
  ogg: "audio/ogg",
  opus: "audio/ogg",
  wav: "audio/wav",
  weba: "audio/webm",
  avi: "video/avi",
  mov: "video/quicktime",
  mp4: "video/mp4",
  mpeg: "video/mpeg",
  mpg: "video/mpeg",
  webm: "video/webm",
  gif: "image/gif",
  heic: "image/heic",
  jpeg: "image/jpeg",
  jpg: "image/jpeg",
  png: "image/png",
  webp: "image/webp",
  csv: "text/csv",
  html: "text/html",
  md: "text/md",
  pdf: "application/pdf",
  txt: "text/plain",
};

/** Names that servers use, and what the Gemini API calls them. */
const SYNONYMS: Readonly<Record<string, string>> = {
  "application/ogg": "audio/ogg",
  "audio/mpeg": "audio/mp3",
  "audio/vnd.wave": "audio/wav",
  "audio/wave": "audio/wav",
  "audio/x-aac": "audio/aac",
  "audio/x-aiff": "audio/aiff",
  "audio/x-flac": "audio/flac",
  "audio/x-m4a": "audio/m4a",
  "audio/x-wav": "audio/wav",
};

/** Types that servers send for want of a better one: the path's extension says more. */
const VAGUE = ["", "application/octet-stream", "binary/octet-stream", "text/plain"];

/**
 * Decides what a medium is: what the input says, else what its server says, else its extension.
 * `undefined` when none of them tells.
 */
export function mimeTypeOf(
  { declared, served, path }: {
    declared: string | undefined;
    /** A `Content-Type` header. */
    served?: string | null;
    path?: string;
  },
): string | undefined {
  if (declared !== undefined) return canonical(declared);
  const type = canonical(served ?? "");
  if (!VAGUE.includes(type)) return type;
  const extension = /\.([a-z0-9]+)$/i.exec(path ?? "")?.[1]?.toLowerCase() ??
    "";
  return (Object.hasOwn(BY_EXTENSION, extension) ? BY_EXTENSION[extension] : undefined) ??
    (type === "text/plain" ? type : undefined);
}

function canonical(type: string): string {
  const bare = (type.split(";")[0] ?? "").trim().toLowerCase();
  return SYNONYMS[bare] ?? bare;
}
