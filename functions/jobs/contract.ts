import { z } from "zod";
import type { Contract } from "../_shared/contract.ts";
import { accountQuery, pageOf, pageQuery } from "../_shared/page.ts";
import { credits, jobStatus } from "../_shared/results.ts";
import { shownOutput } from "../_shared/shown_outputs.ts";
import { jobDetail, jobRow } from "../_shared/user_rows.ts";

/** Which job a request names. */
export const idQuery = z.strictObject({
  id: z.guid("must be a UUID").describe("the job's id"),
});

/** Which jobs a page lists. */
export const listQuery = pageQuery.extend({
  ...accountQuery,
  status: jobStatus.optional(),
});

const charged = {
  charged: credits.describe("what it cost after all: 0 once it is refunded"),
};
const jobPage = pageOf(jobRow.extend(charged).meta({ id: "Job" }));
/** A page of jobs. */
export type JobPage = z.infer<typeof jobPage>;

const chargedJobDetail = jobDetail.extend(charged);
/** A job, and what it cost after all. */
export type ChargedJobDetail = z.infer<typeof chargedJobDetail>;

const shownJob = chargedJobDetail.extend({
  outputs: z.array(z.union([shownOutput, z.unknown()])).optional(),
}).meta({ id: "JobDetail" });

const canceledJob = chargedJobDetail.extend({ balance: credits })
  .meta({ id: "CanceledJob" });
/** A job that is canceled. */
export type CanceledJob = z.infer<typeof canceledJob>;

const cancelingJob = chargedJobDetail.extend({
  balance: credits,
  code: z.literal("cancel_requested"),
  detail: z.string(),
}).meta({ id: "CancelingJob" });
/** A job whose provider has not stopped it yet. */
export type CancelingJob = z.infer<typeof cancelingJob>;

const oneJob = {
  caller: "user",
  params: idQuery,
} as const;

/** `GET jobs`, which with the parameter `id` is {@link showContract}. */
export const listContract: Contract = {
  summary: "A page of the user's jobs, newest first",
  description: "With the parameter `id` alone: that job, as `/jobs/{id}`.",
  caller: "user",
  query: listQuery.extend(idQuery.partial().shape),
  answers: {
    200: { means: "The jobs, or the job.", body: z.union([jobPage, shownJob]) },
  },
  problems: ["not_found"],
};

/** `GET jobs/:id`. */
export const showContract: Contract = {
  ...oneJob,
  summary: "One job, with input, outputs, error and what it cost",
  answers: { 200: { means: "The job.", body: shownJob } },
  problems: ["not_found"],
};

/** `POST jobs/:id/cancel` and `DELETE jobs/:id`. */
export const cancelContract: Contract = {
  ...oneJob,
  summary: "Cancels a job and refunds it",
  answers: {
    200: { means: "It is canceled and refunded.", body: canceledJob },
    202: {
      means: "Its provider was asked to stop it, and has not done so yet.",
      body: cancelingJob,
      headers: ["retry-after"],
    },
  },
  problems: [
    "not_allowed_to_spend",
    "not_found",
    "job_ended",
    "job_running",
    "cancels_used_up",
  ],
};

const deletes = ["not_allowed", "not_found", "job_running"] as const;

/** `DELETE jobs/:id/content`. */
export const eraseContract: Contract = {
  ...oneJob,
  summary: "Deletes the prompt, input and output of a job that has ended",
  answers: {
    200: {
      means: "They are deleted.",
      body: chargedJobDetail.meta({ id: "ErasedJob" }),
    },
  },
  problems: deletes,
};

/** `DELETE jobs/:id/output`. */
export const deleteOutputContract: Contract = {
  ...oneJob,
  summary: "Deletes the files of a job that has ended",
  answers: {
    200: { means: "They are deleted: no output has a URL.", body: shownJob },
  },
  problems: deletes,
};
