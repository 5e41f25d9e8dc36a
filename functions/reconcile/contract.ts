import { z } from "zod";
import type { Contract } from "../_shared/contract.ts";
import { instant } from "../_shared/moment.ts";

/** Body of `POST reconcile`. */
export const reconcileRequest = z.strictObject({
  deep: z.boolean().default(false).describe(
    "everything, instead of what is new since the last run",
  ),
});

const count = z.number().int();
const amount = z.number().nullable();

const discrepancy = z.object({
  invariant: z.string(),
  accountId: z.string(),
  jobId: z.string().nullable(),
  grantId: amount,
  seq: amount,
  expected: amount,
  actual: amount,
  since: instant.nullable(),
  paymentKey: z.string().nullable(),
  likelyCause: z.string(),
  remedy: z.string(),
}).meta({ id: "Discrepancy" });

const reconciled = z.object({
  summary: z.object({
    runId: count,
    deep: z.boolean(),
    startedAt: instant,
    finishedAt: instant,
    accountsChecked: count,
    entriesChecked: count,
    accountsBroken: count,
    discrepancies: count.describe("0 when every credit is accounted for"),
  }),
  discrepancies: z.array(discrepancy).describe("the first 1,000"),
}).meta({ id: "Reconciliation" });
/** What a check of the books found. */
export type Reconciled = z.infer<typeof reconciled>;

/** `POST reconcile`. */
export const reconcileContract: Contract = {
  summary: "Checks that every credit is accounted for",
  caller: "operator",
  body: reconcileRequest,
  answers: {
    200: { means: "The run, and what it found.", body: reconciled },
  },
};
