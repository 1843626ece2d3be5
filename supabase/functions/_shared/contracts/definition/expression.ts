import { z } from "zod";

/** JSONata over the job document; that it parses is checked on the whole definition. */
export const expressionSchema = z.string().min(1).max(100_000);
