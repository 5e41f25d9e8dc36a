import { z } from "zod";
import { moment } from "../_shared/moment.ts";
import { parseQuery, readCursor, toPage } from "../_shared/page.ts";
import { json, type Route } from "../_shared/route.ts";
import {
  asUser,
  type UserContext,
  type UserDependencies,
} from "../_shared/user_handler.ts";
import { visibleAccountId } from "../_shared/visible_account.ts";
import {
  type PaymentPage,
  paymentsContract,
  paymentsQuery,
} from "./contract.ts";

/** `GET payments`: what an account has paid, newest first. */
export function paymentRoutes(dependencies: UserDependencies): Route[] {
  const handler = asUser(dependencies, listPayments);
  return [{ method: "GET", path: "", contract: paymentsContract, handler }];
}

const position = z.strictObject({
  created_at: moment,
  key: z.string().regex(/^[\w:.-]+$/),
});

async function listPayments(context: UserContext): Promise<Response> {
  const { account_id, limit, cursor } = parseQuery(
    paymentsQuery,
    context.url,
  );
  const after = readCursor(cursor, position);
  const accountId = await visibleAccountId(context, account_id);
  const found = await context.rows.payments(accountId, limit + 1, after);
  return json<PaymentPage>(
    toPage(found, limit, ({ created_at, key }) => ({ created_at, key })),
  );
}
