import { expectTypeOf, test } from "vitest";
import type { z } from "zod";
import type * as Client from "../../client/types.ts";
import type {
  generationRequest,
  quoteRequest,
} from "../../functions/_shared/generation_request.ts";
import type { ProductRow } from "../../functions/_shared/payment_rows.ts";
import type {
  AccountRow,
  EntryRow,
  ExpiringGrants,
  JobDetail,
  JobRow,
  StatementLine,
} from "../../functions/_shared/user_rows.ts";
import type { SucceededJob } from "../../functions/generate/contract.ts";

/** A body of some type as the functions read it, with what the client adds by itself left out. */
type Body<Type, Schema extends z.ZodType> = Required<
  Omit<Extract<z.output<Schema>, { type: Type }>, "account_id">
>;
type Charged = { charged: number };

// As TypeScript sees it: `deno check` fails where the client and the functions disagree.
test("the client's types are those of the functions", () => {
  expectTypeOf<Required<Client.ImageRequest>>()
    .toEqualTypeOf<Body<"image", typeof generationRequest>>();
  expectTypeOf<Required<Client.VideoRequest>>()
    .toEqualTypeOf<Body<"video", typeof generationRequest>>();
  expectTypeOf<Required<Client.SpeechRequest>>()
    .toEqualTypeOf<Body<"speech", typeof generationRequest>>();
  expectTypeOf<keyof Extract<Client.QuoteRequest, { type: "video" }>>()
    .toEqualTypeOf<keyof Body<"video", typeof quoteRequest>>();
  expectTypeOf<Omit<SucceededJob, "outputs">>()
    .toEqualTypeOf<Omit<Client.Generation, "outputs">>();
  expectTypeOf<Client.JobStatus>().toEqualTypeOf<JobRow["status"]>();
  expectTypeOf<JobRow & Charged>().toExtend<Client.JobSummary>();
  expectTypeOf<Client.JobSummary>().toExtend<JobRow & Charged>();
  expectTypeOf<JobDetail & Charged>().toExtend<Client.Job>();
  expectTypeOf<Client.Job>().toExtend<JobDetail & Charged>();
  type Balance =
    & { account_id: string }
    & Omit<AccountRow, "id">
    & ExpiringGrants;
  expectTypeOf<Client.Balance>().toExtend<Balance>();
  expectTypeOf<Balance>().toExtend<Client.Balance>();
  expectTypeOf<Client.Entry>().toEqualTypeOf<EntryRow>();
  expectTypeOf<Client.StatementLine>().toEqualTypeOf<StatementLine>();
  expectTypeOf<Client.Product>().toEqualTypeOf<ProductRow>();
});
