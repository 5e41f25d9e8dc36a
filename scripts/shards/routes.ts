import type { Routine } from "./interface.ts";
import { MEMBERS, type Merge, MERGES, REFERENCES } from "./merges.ts";

/** @throws for a function that neither an account, a job nor the list of merges decides on */
export function routeOf(routine: Routine): Merge {
  const { schema, name, names } = routine;
  const merge = MERGES[`${schema}.${name}`];
  if (merge) return merge;
  const account = accountOf(routine);
  if (account) {
    return { by: "slot", slot: `credits_router.account_slot(${account})` };
  }
  if (names.includes("p_job_id")) {
    return { by: "slot", slot: "credits_router.job_slot(p_job_id)" };
  }
  throw new Error(
    `${schema}.${name} has no p_account_id and no p_job_id: say in merges.ts how the results of all shards merge`,
  );
}

/** The argument that names the account of a call. */
function accountOf({ names }: Routine): string | undefined {
  return names.find((name) =>
    ["p_account_id", "p_from_account_id", "p_to_account_id"].includes(name)
  );
}

/** Who acts in a call, or is acted on, beside the account; not by an app key or a batch. */
function personOf({ names, for_users }: Routine): string {
  if (for_users) return "auth.uid()";
  return names.find((name) =>
    ["p_member_id", "p_user_id", "p_owner_id"].includes(name)
  ) ?? "null";
}

/** What the router does before a call of one shard. */
export function notesSql(routine: Routine): string {
  const { schema, name, names } = routine;
  const account = accountOf(routine);
  const member = MEMBERS[`${schema}.${name}`];
  const [kind, reference] = REFERENCES[`${schema}.${name}`] ?? [];
  return [
    account &&
    `  perform credits_router.tell_first(${account}, ${personOf(routine)});\n`,
    names.includes("p_app_key_id") &&
    `  perform credits_router.tell_first(p_account_id, credits_router.member_of_key(p_account_id, p_app_key_id));\n`,
    names.includes("p_requests") &&
    `  perform credits_router.tell_first(p_account_id, m.id) from credits_router.members_of(p_requests) as m (id);\n`,
    member &&
    `  perform credits_router.membership_note(${member}, p_account_id);\n`,
    kind &&
    `  perform credits_router.reference_claim('${kind}', ${reference}, ${account});\n`,
  ].filter(Boolean).join("");
}
