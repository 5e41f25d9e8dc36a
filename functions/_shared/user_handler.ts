import type { Authenticate, User } from "./auth.ts";
import { explainRefusedValue } from "./database.ts";
import type { Handler, RequestContext } from "./route.ts";
import type { UserRows } from "./user_rows.ts";

/** A request with its sender, and what the sender may read. */
export interface UserContext extends RequestContext {
  user: User;
  rows: UserRows;
}

/** What every handler for a user works with. */
export interface UserDependencies {
  authenticate: Authenticate;
  /** Opens the rows of the user who holds this verified token. */
  userRows: (token: string) => UserRows;
}

/** Runs a handler as the request's user; a value that the database refuses is the request's fault. */
export function asUser(
  { authenticate, userRows }: UserDependencies,
  handle: (context: UserContext) => Promise<Response>,
): Handler {
  return async (context) => {
    const user = await authenticate(context.request);
    const rows = userRows(user.token);
    return await handle({ ...context, user, rows })
      .catch(explainRefusedValue);
  };
}
