import { z } from "zod";
import { run, serviceClient } from "./database.ts";
import { instant } from "./moment.ts";
import { credits } from "./results.ts";

const nullableTime = instant.nullable();

/** A key that was just made: the only time that it is told. */
export const newKey = z.object({
  key_id: z.guid(),
  key: z.string().describe("shown this once"),
  hint: z.string().describe("its last 4 digits"),
  created_at: instant,
});
/** A key that was just made. */
export type NewKey = z.infer<typeof newKey>;

export const keyRow = z.object({
  key_id: z.guid(),
  name: z.string(),
  hint: z.string(),
  member_id: z.guid().nullable(),
  models: z.array(z.string()).nullable(),
  monthly_cap: credits.nullable(),
  spent: credits.describe("credits of this month"),
  expires_at: nullableTime,
  revoked_at: nullableTime,
  last_used_at: nullableTime,
  created_at: instant,
});
/** A key as it is listed. */
export type KeyRow = z.infer<typeof keyRow>;

/** What a new key may do. */
export interface KeyWish {
  name: string;
  models?: string[];
  monthly_cap?: number;
  expires_at?: string;
}

/** The functions of SQL for app keys. `userId` null: the app's own server asks. Each throws DatabaseError. */
export interface AppKeysDatabase {
  create(
    accountId: string,
    userId: string | null,
    wish: KeyWish,
  ): Promise<NewKey>;
  list(accountId: string, userId: string | null): Promise<KeyRow[]>;
  /** Whether the key was revoked now, and not before. */
  revoke(
    accountId: string,
    userId: string | null,
    keyId: string,
  ): Promise<boolean>;
}

/** The app keys of this project's database. */
export const appKeysDatabase: AppKeysDatabase = {
  create: async (accountId, userId, wish) => {
    const rows = await run(
      serviceClient().rpc("create_app_key", {
        p_account_id: accountId,
        p_user_id: userId!,
        p_name: wish.name,
        p_models: wish.models,
        p_monthly_cap: wish.monthly_cap,
        p_expires_at: wish.expires_at,
      }),
      z.union([z.array(newKey).length(1), newKey]),
    );
    return [rows].flat()[0]!;
  },
  list: (accountId, userId) =>
    run(
      serviceClient().rpc("list_app_keys", {
        p_account_id: accountId,
        p_user_id: userId!,
      }),
      z.array(keyRow),
    ),
  revoke: (accountId, userId, keyId) =>
    run(
      serviceClient().rpc("revoke_app_key", {
        p_account_id: accountId,
        p_user_id: userId!,
        p_key_id: keyId,
      }),
      z.boolean(),
    ),
};
