import { Problem } from "./problem.ts";
import type { UserContext } from "./user_handler.ts";
import type { AccountRow } from "./user_rows.ts";

/**
 * The account that a request names, or the user's own.
 *
 * @throws {Problem} 404 `not_found` for one that the user may not see, whether it exists or not
 */
export async function visibleAccount(
  { user, rows }: UserContext,
  id = user.id,
): Promise<AccountRow> {
  const account = await rows.account(id);
  if (account) return account;
  if (id !== user.id) {
    throw new Problem("not_found", "You have no account with this id.");
  }
  // An account begins with its first use; until then there is nothing in it.
  return { id, balance: 0, credit_limit: 0, plan: "default" };
}

/** The id of {@link visibleAccount}, for whose sake the user's own is not read. */
export async function visibleAccountId(
  context: UserContext,
  id = context.user.id,
): Promise<string> {
  return id === context.user.id ? id : (await visibleAccount(context, id)).id;
}
