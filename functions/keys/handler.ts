import type { AuthenticateCaller } from "../_shared/auth.ts";
import type { AppKeysDatabase } from "../_shared/app_keys_database.ts";
import { parseFields, readBody } from "../_shared/body.ts";
import { DatabaseError, explainRefusedValue } from "../_shared/database.ts";
import { parseQuery } from "../_shared/page.ts";
import { invalidRequest, Problem } from "../_shared/problem.ts";
import {
  type Handler,
  json,
  type RequestContext,
  type Route,
} from "../_shared/route.ts";
import {
  createContract,
  keyId,
  type KeyList,
  keyRequest,
  keysQuery,
  listContract,
  type MadeKey,
  revokeContract,
  type RevokedKey,
} from "./contract.ts";

/** What `keys` works with. */
export interface KeysDependencies {
  authenticate: AuthenticateCaller;
  database: AppKeysDatabase;
}

/** The routes of `keys`: make a key, list them, revoke one. */
export function keyRoutes(dependencies: KeysDependencies): Route[] {
  const { database } = dependencies;
  return [
    {
      method: "POST",
      path: "",
      contract: createContract,
      handler: asHolder(dependencies, async ({ request }, userId) => {
        const { account_id, ...wish } = await readBody(request, keyRequest);
        const accountId = accountOf(account_id, userId);
        const { key_id, ...made } = await database.create(
          accountId,
          userId,
          wish,
        );
        return json<MadeKey>({ id: key_id, ...made, ...wish }, {}, 201);
      }),
    },
    {
      method: "GET",
      path: "",
      contract: listContract,
      handler: asHolder(dependencies, async ({ url }, userId) => {
        const { account_id } = parseQuery(keysQuery, url);
        const rows = await database.list(accountOf(account_id, userId), userId);
        const data = rows.map(({ key_id, ...row }) => ({ id: key_id, ...row }));
        return json<KeyList>({ data });
      }),
    },
    {
      method: "DELETE",
      path: "/:id",
      contract: revokeContract,
      handler: asHolder(dependencies, async ({ url, params }, userId) => {
        const { account_id } = parseQuery(keysQuery, url);
        const { id } = parseFields(keyId, params);
        const accountId = accountOf(account_id, userId);
        const isNew = await database.revoke(accountId, userId, id);
        return json<RevokedKey>({
          id,
          revoked: true,
          was_revoked_before: !isNew,
        });
      }),
    },
  ];
}

/** Handles a request of a user, or with null of the app's own server. */
function asHolder(
  { authenticate }: KeysDependencies,
  handle: (
    context: RequestContext,
    userId: string | null,
  ) => Promise<Response>,
): Handler {
  return async (context) => {
    const user = await authenticate(context.request);
    return await handle(context, user?.id ?? null).catch(explain);
  };
}

function accountOf(wanted: string | undefined, userId: string | null): string {
  const accountId = wanted?.toLowerCase() ?? userId;
  if (accountId) return accountId;
  const message = "must be given with the secret key";
  throw invalidRequest(`The account of the keys ${message}.`, [
    { field: "account_id", message },
  ]);
}

function explain(error: unknown): never {
  if (!(error instanceof DatabaseError)) throw error;
  switch (error.sqlState) {
    case "PT403":
      throw new Problem(
        "not_allowed",
        "Keys of an account are for its own user, or for the team's owner and admins.",
      );
    case "PT404":
      throw new Problem("not_found", "The account has no key with this id.");
    case "PT409":
      throw new Problem(
        "too_many_keys",
        "The account has 100 keys already: revoke one that is not used any more.",
      );
    default:
      return explainRefusedValue(error);
  }
}
