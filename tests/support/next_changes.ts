import type { ProjectCopy } from "./next_release.ts";

const PLANS = "supabase/schemas/02_accounts/10_plans.sql";
const JOURNAL = "supabase/schemas/12_books/10_journal.sql";
const RECONCILIATION =
  "supabase/schemas/14_reconciliation/60_reconciliation.sql";
const PRIVILEGES = "supabase/schemas/17_deployment/80_privileges.sql";

/** What only a person can write of these changes. */
export const HAND = `-- part 2: tables
alter table public.credit_plans add column motto text check (length(motto) <= 80);
alter type public.credit_entry_kind add value 'gift' after 'revocation';

-- part 3: everything is there
update public.credit_plans set motto = credits.greeting(name) where name = 'free';
`;

/** A topic of its own: a type, a table with RLS and all that hangs on one, functions, a view. */
const NEW_TOPIC = `-- Gives: cases.
-- Keeps: a case is about one account.
-- Needs: accounts.

create type public.operator_case_status as enum ('open', 'closed');
comment on type public.operator_case_status is 'How a case stands.';

create table public.operator_cases (
  account_id uuid not null references public.credit_accounts (id),
  id bigint generated always as identity,
  status public.operator_case_status not null default 'open',
  note text check (length(note) <= 1000),
  primary key (account_id, id)
);
-- select … where status = 'open'
create index operator_cases_open on public.operator_cases (status) where status = 'open';
comment on table public.operator_cases is 'One row per case.';
comment on column public.operator_cases.note is 'What happened; said once.';
alter table public.operator_cases enable row level security;
create policy operator_cases_read_own on public.operator_cases for select to authenticated
  using (account_id in (select credits.my_account_ids()));
create rule operator_cases_no_delete as on delete to public.operator_cases do instead nothing;

create function credits.operator_case_noted()
returns trigger
language plpgsql
set search_path = '', pg_temp
as $$
begin
  new.note := coalesce(new.note, 'it''s new; see above');
  return new;
end;
$$;
comment on function credits.operator_case_noted() is 'A case without a note gets one.';
create trigger operator_case_noted before insert on public.operator_cases
  for each row execute function credits.operator_case_noted();
alter table public.operator_cases enable always trigger operator_case_noted;

create function credits.greeting(p_name text)
returns text
language sql
immutable
set search_path = '', pg_temp
as $$
  select 'hello ' || p_name;
$$;
comment on function credits.greeting(text) is 'A greeting.';

create function public.open_case(p_account_id uuid)
returns public.operator_cases
language plpgsql
security definer
set search_path = '', pg_temp
as $$
declare
  opened public.operator_cases;
begin
  perform credits.caller_check('open_case');
  insert into public.operator_cases (account_id) values (p_account_id) returning * into opened;
  return opened;
end;
$$;
comment on function public.open_case(uuid) is 'Opens a case.';

create view public.operator_open_cases
with (security_invoker = true)
as
select c.account_id, c.id, c.note, p.motto
from public.operator_cases as c
join public.credit_accounts as a on a.id = c.account_id
join public.credit_plans as p on p.name = a.plan
where c.status = 'open';
comment on view public.operator_open_cases is 'Cases that are open.';
`;

/** A change of each kind that a book may have. */
export async function changeBook(copy: ProjectCopy): Promise<void> {
  await copy.write("supabase/schemas/16_later/10_cases.sql", NEW_TOPIC);
  // A column, and a value of an enumeration.
  await copy.edit(
    PLANS,
    "rate_limit_requests)) stored\n);",
    "rate_limit_requests)) stored,\n  motto text check (length(motto) <= 80)\n);\ncomment on column public.credit_plans.motto is 'Shown to users.';",
  );
  await copy.edit(
    "supabase/schemas/01_foundation/10_foundation.sql",
    "'transfer', 'revocation'\n);",
    "'transfer', 'revocation', 'gift'\n);",
  );
  // A signature that views and privileges go by; another that plpgsql alone calls.
  await copy.edit(JOURNAL, "p_kind", "p_entry_kind");
  await copy.edit(
    "supabase/schemas/01_foundation/10_foundation.sql",
    "credits.hours_ago(p_hours integer)",
    "credits.hours_ago(p_hours integer, p_least integer default 1)",
  );
  await copy.edit(
    "supabase/schemas/01_foundation/10_foundation.sql",
    "on function credits.hours_ago(integer)",
    "on function credits.hours_ago(integer, integer)",
  );
  // A function that is gone.
  const history = await copy.read("supabase/schemas/03_ledger/40_history.sql");
  await copy.write(
    "supabase/schemas/03_ledger/40_history.sql",
    history.replace(
      /create function public\.account_statement_json[^]*?\$\$;\ncomment on function public\.account_statement_json[^;]*;\n/,
      "",
    ),
  );
  await copy.edit(PRIVILEGES, " account_statement_json", "");
  // A view with other columns, and one with another comment.
  await copy.edit(
    RECONCILIATION,
    "deadline_at <= now() as overdue\n",
    "deadline_at <= now() as overdue, now() - created_at as age\n",
  );
  await copy.edit(
    RECONCILIATION,
    "'Jobs that are charged and have not ended.",
    "'Jobs that were charged and have not ended.",
  );
  // A row of a table that was there.
  await copy.edit(
    RECONCILIATION,
    "likely_cause, remedy) values\n",
    "likely_cause, remedy) values\n  ('later', 'Something later (a class; made up).', 'It is a test.', 'Nothing; it''s fine.'),\n",
  );
  // Privileges: more for one role, less for another.
  await copy.edit(
    PRIVILEGES,
    "'\n    abandon_text account",
    "'\n    open_case abandon_text account",
  );
  await copy.edit(
    PRIVILEGES,
    "credit_unsettled_jobs credit_sign_up_grants credit_products payment_customers payment_deferred_revenue",
    "operator_open_cases credit_products payment_customers payment_deferred_revenue",
  );
}
