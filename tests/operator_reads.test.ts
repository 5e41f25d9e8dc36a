import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { randomUUID } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import type { Database } from "../supabase/database.types.ts";
import { sql } from "./support/database.ts";
import { asOperator, createOperator } from "./support/operators.ts";
import { stack } from "./support/stack.ts";
import { createUser, type TestUser } from "./support/user.ts";

type Client = SupabaseClient<Database>;

let operator: Client;
let customer: TestUser;

/** A client as the console has it: the publishable key, and somebody's token. */
function clientOf({ token }: { readonly token: string }): Client {
  return createClient<Database>(stack.url, stack.publishableKey, {
    auth: { persistSession: false, autoRefreshToken: false },
    global: { headers: { authorization: `Bearer ${token}` } },
  });
}

beforeAll(async () => {
  const someone = await createOperator({ role: "support" });
  operator = clientOf(someone);
  customer = await createUser({ credits: 10_000 });
  for (let at = 0; at < 5; at++) {
    await sql`
      select public.atomic_charge_credits(${customer.id}, 'standard-image', '{"prompt": "a secret"}',
        ${`key-${at}`}, ${`request-${customer.id}-${at}`})`;
    await sql`
      select public.atomic_charge_credits(${customer.id}, 'no such model', '{}')`;
    await asOperator(sql, someone, (transaction) =>
      transaction`
        select public.operator_grant(${customer.id}, 5, null, 'for the trouble', ${randomUUID()})`);
  }
});

test("a timeline is read page by page, by the key as it came", async () => {
  const account = { p_account_id: customer.id };
  const whole = await operator.rpc("operator_timeline", account);
  const rows = whole.data!;
  expect(rows.map(({ kind }) => kind).sort()).toEqual([
    ...Array(5).fill("charge"),
    ...Array(5).fill("denial"),
    ...rows.filter(({ kind }) => kind === "grant").map(({ kind }) => kind),
  ]);
  const read = [];
  let before = {};
  for (;;) {
    const page = await operator.rpc("operator_timeline", {
      ...account,
      ...before,
      p_limit: 3,
    });
    if (page.data!.length === 0) break;
    read.push(...page.data!);
    const { at, key } = read.at(-1)!;
    before = { p_before_at: at, p_before_key: key };
  }
  expect(read).toEqual(rows);
});

test("views are filtered and paged by key over the Data API", async () => {
  const of = () =>
    operator.from("operator_log")
      .select("operator_id, seq, account_id, reason, created_at")
      .eq("account_id", customer.id)
      .order("created_at", { ascending: false })
      .order("seq", { ascending: false });
  const { data: all } = await of();
  const { data: first } = await of().limit(2);
  const { created_at: at, seq } = first!.at(-1)!;
  const { data: rest } = await of().lte("created_at", at!)
    .or(`created_at.lt.${at},and(created_at.eq.${at},seq.lt.${seq})`);
  expect(all).toHaveLength(5);
  expect([...first!, ...rest!]).toEqual(all);
});

test("jobs come by account, by id and by request, without their prompt", async () => {
  const { data: page } = await operator.rpc("operator_jobs_page", {
    p_account_id: customer.id,
    p_limit: 2,
  });
  const { created_at, job_id, request_id } = page!.at(-1)!;
  const { data: older } = await operator.rpc("operator_jobs_page", {
    p_account_id: customer.id,
    p_before_at: created_at!,
    p_before_id: job_id!,
  });
  expect([...page!, ...older!]).toHaveLength(5);
  const found = await operator.from("operator_jobs").select("*")
    .eq("request_id", request_id!);
  expect(found.data!.map((job) => job.job_id)).toEqual([job_id]);
  expect(JSON.stringify([page, older, found])).not.toContain("secret");
});

test("a customer is found by the mail of their user", async () => {
  const [user] = await sql<{ email: string }[]>`
    select email from auth.users where id = ${customer.id}`;
  const { data } = await operator.rpc("operator_search", {
    p_text: user!.email,
  });
  expect(data).toMatchObject([{ kind: "user", account_id: customer.id }]);
});

test("who is no operator sees nothing, and is told the same for any question", async () => {
  const own = customer.client;
  const { data } = await own.from("operator_accounts").select("*")
    .eq("account_id", customer.id);
  expect(data).toEqual([]);
  const answers = await Promise.all([
    own.rpc("operator_timeline", { p_account_id: customer.id }),
    own.rpc("operator_timeline", { p_account_id: randomUUID() }),
    own.rpc("operator_search", { p_text: customer.id }),
    own.rpc("operator_search", { p_text: "" }),
  ]);
  const told = answers.map(({ status, error }) =>
    `${status} ${error?.code} ${error?.message}`
  );
  expect(new Set(told)).toEqual(
    new Set(["403 42501 this user is not an operator"]),
  );
});
