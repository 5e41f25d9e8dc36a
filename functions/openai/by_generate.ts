import {
  type GenerateDependencies,
  generateHandler,
} from "../generate/handler.ts";
import type { SucceededJob } from "../generate/contract.ts";
import type { User } from "../_shared/auth.ts";
import type { CreditsDatabase } from "../_shared/credits_database.ts";
import { Problem } from "../_shared/problem.ts";
import type { RequestContext } from "../_shared/route.ts";
import type { TextDatabase } from "../_shared/text_database.ts";
import type { KnownCaller } from "./caller.ts";

/** What the routes work with whose requests are charged and carried out as `generate` does it. */
export interface MediaDependencies
  extends Pick<GenerateDependencies, "database" | "findProvider" | "store"> {
  /** Charges by an app key. */
  chargeByKey: TextDatabase["chargeImage"];
}

/** Has `generate` carry out a request, with this body, for who asks here. */
export async function byGenerate(
  context: RequestContext,
  caller: KnownCaller,
  body: Record<string, unknown>,
  toResponse: GenerateDependencies["toResponse"],
  dependencies: MediaDependencies,
): Promise<Response> {
  const { findProvider, store } = dependencies;
  const generate = generateHandler({
    authenticate: () => Promise.resolve(userOf(caller)),
    database: databaseOf(caller, dependencies),
    findProvider,
    store,
    toResponse,
  });
  const { url, headers } = context.request;
  const key = headers.get("idempotency-key");
  const request = new Request(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(key !== null && { "idempotency-key": key }),
    },
    body: JSON.stringify({ account_id: caller.accountId, ...body }),
  });
  return await generate({ ...context, request });
}

/** Headers of an answer to a job that `generate` ended. */
export function endedJobHeaders(
  { job_id, cost, balance }: SucceededJob,
): Record<string, string> {
  return {
    "x-credits-job-id": job_id,
    "x-credits-reserved": String(cost),
    "x-credits-cost": String(cost),
    "x-credits-balance": String(balance),
  };
}

/** Why a job that was paid has nothing to show. */
export function deletedSince(what: string, { job_id }: SucceededJob): Problem {
  const detail = `The ${what} was made, and deleted since.`;
  return new Problem("not_found", detail, { members: { job_id } });
}

/** Who asks, as `generate` knows them: null is the app's own server, whose key has no person. */
function userOf({ memberId }: KnownCaller): User | null {
  return memberId === null ? null : { id: memberId, token: "" };
}

function databaseOf(
  { appKeyId }: KnownCaller,
  { database, chargeByKey }: MediaDependencies,
): CreditsDatabase {
  if (appKeyId === null) return database;
  return { ...database, charge: (request) => chargeByKey(appKeyId, request) };
}
