import { z } from "zod";
import type { SucceededJob } from "../generate/answer.ts";
import { generateHandler } from "../generate/handler.ts";
import type { User } from "../_shared/auth.ts";
import { parseFields, wholeNumber } from "../_shared/body.ts";
import type { CreditsDatabase } from "../_shared/credits_database.ts";
import { type FileContent, jsonWithFiles } from "../_shared/json_with_files.ts";
import type { OutputStore } from "../_shared/outputs.ts";
import type { FindProvider } from "../_shared/providers/provider.ts";
import type { Handler } from "../_shared/route.ts";
import type { TextDatabase } from "../_shared/text_database.ts";
import { readHashedBody } from "./body.ts";
import type { Callers, KnownCaller } from "./caller.ts";
import { IMAGE_FIELDS, passedFields } from "./fields.ts";

/** What `images/generations` works with: pictures are charged and made as `generate` does it. */
export interface ImagesDependencies {
  database: CreditsDatabase;
  findProvider: FindProvider;
  store: OutputStore;
  /** Charges by an app key. */
  chargeByKey: TextDatabase["chargeImage"];
}

const imageRequest = z.looseObject({
  model: z.string("must be the name of a model").min(1).max(63).optional(),
  prompt: z.string("must be text"),
  n: wholeNumber(1, 100).nullish(),
  size: z.string().regex(/^(\d{1,5}x\d{1,5}|auto)$/, "must be such as 512x512")
    .nullish(),
  response_format: z.enum(["b64_json", "url"]).nullish(),
});

/** `POST images/generations`, by way of our own `generate`. */
export function imagesHandler(
  callers: Callers,
  dependencies: ImagesDependencies,
): Handler {
  return async (context) => {
    const { request } = context;
    const asking = await callers.read(request);
    const { value } = await readHashedBody(request);
    const body = parseFields(imageRequest, value);
    passedFields(body, IMAGE_FIELDS, []);
    const caller = await callers.terms(asking, null);
    const generate = generateHandler({
      authenticate: () => Promise.resolve(userOf(caller)),
      database: databaseOf(caller, dependencies),
      findProvider: dependencies.findProvider,
      store: dependencies.store,
      toResponse: toOpenAi,
    });
    return await generate({
      ...context,
      request: toGenerate(request, body, caller),
    });
  };
}

/** Who asks, as `generate` knows them: null is the app's own server, whose key has no person. */
function userOf({ memberId }: KnownCaller): User | null {
  return memberId === null ? null : { id: memberId, token: "" };
}

function databaseOf(
  { appKeyId }: KnownCaller,
  { database, chargeByKey }: ImagesDependencies,
): CreditsDatabase {
  if (appKeyId === null) return database;
  return { ...database, charge: (request) => chargeByKey(appKeyId, request) };
}

function toGenerate(
  { url, headers }: Request,
  body: z.infer<typeof imageRequest>,
  { accountId }: KnownCaller,
): Request {
  const [width, height] = (body.size ?? "auto").split("x").map(Number);
  const key = headers.get("idempotency-key");
  return new Request(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(key !== null && { "idempotency-key": key }),
    },
    body: JSON.stringify({
      account_id: accountId,
      model: body.model,
      prompt: body.prompt,
      n: body.n ?? 1,
      ...(height && { width, height }),
      response_format: body.response_format === "url" ? "url" : "base64",
    }),
  });
}

function toOpenAi(
  { job_id, cost, balance, created_at, outputs }: SucceededJob,
  headers: Record<string, string>,
): Response {
  const shown = outputs as { data?: FileContent | string; url?: string }[];
  return jsonWithFiles({
    created: Math.floor(Date.parse(created_at) / 1000),
    data: shown.map(({ data, url }) => url ? { url } : { b64_json: data }),
  }, {
    ...headers,
    "x-credits-job-id": job_id,
    "x-credits-reserved": String(cost),
    "x-credits-cost": String(cost),
    "x-credits-balance": String(balance),
  });
}
