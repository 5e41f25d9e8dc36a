import type { Row } from "../data/pages.ts";
import {
  CLOSE,
  ERASE,
  GRANT,
  REOPEN,
  SET_OVERDRAFT,
  SET_PLAN,
  WITHDRAW,
} from "./actions.ts";
import { ActionButton } from "./button.tsx";

/** What can be done with an account, in its state. */
export function AccountActions({ account }: { account: Row }) {
  const { state } = account;
  const fixed = { p_account_id: account.account_id };
  if (state === "erased") return null;
  const closed = state === "closed";
  return (
    <>
      <ActionButton action={GRANT} fixed={fixed} />
      <ActionButton action={WITHDRAW} fixed={fixed} />
      <ActionButton
        action={SET_PLAN}
        fixed={fixed}
        initial={{ p_plan: String(account.plan) }}
      />
      <ActionButton
        action={SET_OVERDRAFT}
        fixed={fixed}
        initial={{ p_credit_limit: String(account.credit_limit) }}
      />
      <ActionButton action={closed ? REOPEN : CLOSE} fixed={fixed} />
      <ActionButton action={ERASE} fixed={fixed} danger />
    </>
  );
}
