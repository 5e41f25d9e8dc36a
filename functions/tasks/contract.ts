import { z } from "zod";
import type { Contract } from "../_shared/contract.ts";

const count = z.number().int();

const asked = z.object({
  running: count,
  ended: count,
  unknown: count,
  failed: count,
}).meta({ id: "AskedProviders" });
/** What became of the jobs that were asked of. */
export type Asked = z.infer<typeof asked>;

const deleted = z.object({ deleted: count, failed: count })
  .meta({ id: "DeletedObjects" });
/** How many files were deleted. */
export type Deleted = z.infer<typeof deleted>;

const moved = z.object({ moved: count, failed: count })
  .meta({ id: "MovedOutputs" });
/** How many jobs' outputs were moved. */
export type Moved = z.infer<typeof moved>;

/** A contract of `POST tasks/<name>`. */
function task(summary: string, body: z.ZodType): Contract {
  const means = "What was due is done, or 35 seconds are over.";
  return { summary, caller: "schedule", answers: { 200: { means, body } } };
}

/** `POST tasks/ask-providers`. */
export const askContract = task(
  "Asks providers about jobs of which nothing was heard",
  asked,
);
/** `POST tasks/delete-objects`. */
export const deleteContract = task(
  "Deletes files that nobody needs any more",
  deleted,
);
/** `POST tasks/move-outputs`. */
export const moveContract = task(
  "Moves the outputs of earlier releases into Storage",
  moved,
);
