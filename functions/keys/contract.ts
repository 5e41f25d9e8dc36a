import { z } from "zod";
import { keyRow, newKey } from "../_shared/app_keys_database.ts";
import { storableText, wholeNumber } from "../_shared/body.ts";
import type { Contract } from "../_shared/contract.ts";
import { moment } from "../_shared/moment.ts";
import { accountQuery } from "../_shared/page.ts";

const newKeySettings = {
  name: storableText().min(1, "must have a character").max(
    100,
    "must have at most 100 characters",
  ),
  models: z.array(storableText().min(1).max(63)).min(1).max(100).optional()
    .describe("the only ones that it may use; all if left out"),
  monthly_cap: wholeNumber(0, 1_000_000_000_000).optional().describe(
    "the most credits that it may spend in a month",
  ),
  expires_at: moment.optional(),
};

/** Body of `POST keys`. */
export const keyRequest = z.strictObject({
  account_id: accountQuery.account_id,
  ...newKeySettings,
});
/** Query of `GET keys` and `DELETE keys/:id`. */
export const keysQuery = z.strictObject(accountQuery);
/** Which key a request names. */
export const keyId = z.object({
  id: z.guid("must be the id of a key").describe("the key's id"),
});

const madeKey = z.object({
  id: z.guid(),
  ...newKey.omit({ key_id: true }).shape,
  ...newKeySettings,
}).meta({ id: "NewAppKey" });
/** A key that was just made. */
export type MadeKey = z.infer<typeof madeKey>;

const keyList = z.object({
  data: z.array(
    z.object({ id: z.guid(), ...keyRow.omit({ key_id: true }).shape })
      .meta({ id: "AppKey" }),
  ),
});
/** The keys of an account. */
export type KeyList = z.infer<typeof keyList>;

const revokedKey = z.object({
  id: z.guid(),
  revoked: z.literal(true),
  was_revoked_before: z.boolean(),
}).meta({ id: "RevokedAppKey" });
/** A key that is revoked. */
export type RevokedKey = z.infer<typeof revokedKey>;

/** `POST keys`. */
export const createContract: Contract = {
  summary: "Makes an app key",
  caller: "user_or_server",
  body: keyRequest,
  answers: { 201: { means: "It is made.", body: madeKey } },
  problems: ["not_allowed", "too_many_keys"],
};

/** `GET keys`. */
export const listContract: Contract = {
  summary: "Lists an account's app keys",
  caller: "user_or_server",
  query: keysQuery,
  answers: { 200: { means: "The keys.", body: keyList } },
  problems: ["not_allowed"],
};

/** `DELETE keys/:id`. */
export const revokeContract: Contract = {
  summary: "Revokes an app key at once",
  caller: "user_or_server",
  params: keyId,
  query: keysQuery,
  answers: { 200: { means: "It is revoked.", body: revokedKey } },
  problems: ["not_allowed", "not_found"],
};
