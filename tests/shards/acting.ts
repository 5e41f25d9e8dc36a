import type postgres from "postgres";

/** Why an operator acts. */
export const REASON = "as the test asks for it";

/** Acts as an operator with a second factor; a refusal is the answer, too. */
export const asOperator = (
  router: postgres.Sql,
  sub: string,
  action: (tx: postgres.TransactionSql) => Promise<readonly postgres.Row[]>,
) =>
  router.begin(async (tx) => {
    await beOperator(tx, sub);
    return await action(tx);
    // deno-lint-ignore no-explicit-any
  }).catch((error) => error) as Promise<any>;

/** Has a transaction be an operator's, with a second factor. */
export async function beOperator(
  tx: postgres.TransactionSql,
  sub: string,
): Promise<void> {
  const claims = JSON.stringify({ role: "authenticated", sub, aal: "aal2" });
  await tx`select set_config('role', 'authenticated', true),
    set_config('request.jwt.claim.sub', ${sub}, true), set_config('request.jwt.claims', ${claims}, true)`;
}
