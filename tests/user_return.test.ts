import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import {
  app,
  auth,
  charge,
  deleteUsers,
  DONE,
  endConnections,
  MODEL,
  NOTHING,
  remains,
  signUp,
} from "./support/departure.ts";
import { processOf, waitsForLock } from "./support/lock_wait.ts";
import { addModel } from "./support/models.ts";

beforeAll(async () => {
  await addModel(sql, MODEL, { image: 500 });
});
afterAll(endConnections);

test("who comes back while their account is busy is let in by finish_erasures", async () => {
  const user = randomUUID();
  await signUp(user);
  await sql`select public.grant_credits(${user}, 500)`;
  await deleteUsers(user);
  await sql.begin(async (holder) => {
    await holder`select from public.credit_accounts where id = ${user} for update`;
    await auth`insert into auth.users (id, email) values (${user}, ${user} || '@example.com')`;
    expect(await remains(user)).toMatchObject({ isOpen: false });
  });
  await sql`select public.finish_erasures(1000)`;
  expect(await remains(user)).toEqual({
    ...NOTHING,
    isOpen: true,
    isTheirs: true,
  });
  await expect(charge(user, user)).resolves.toEqual(expect.any(String));
});

test("who comes back before their deletion was done keeps their account", async () => {
  const user = randomUUID();
  await signUp(user);
  await sql.begin(async (holder) => {
    await holder`select from public.credit_accounts where id = ${user} for update`;
    await auth`update auth.users set deleted_at = now() where id = ${user}`;
    expect(await remains(user)).toMatchObject({ isUnfinished: true });
    await auth`update auth.users set deleted_at = null where id = ${user}`;
  });
  await sql`select public.finish_erasures(1000)`;
  expect(await remains(user)).toEqual({
    ...NOTHING,
    isOpen: true,
    isTheirs: true,
  });
});

test("finish_erasures closes nobody's account who comes back while it waits for the note", async () => {
  const user = randomUUID();
  await signUp(user);
  await sql`insert into public.account_erasures (account_id, erases) values (${user}, false)`;
  const pid = await processOf(app);
  let finished: Promise<unknown>;
  await sql.begin(async (holder) => {
    // Everything up to its reading the list of what is due is let through, and held at the account's lock.
    await holder`lock table public.credit_accounts in share row exclusive mode`;
    finished = Promise.allSettled([
      app`select public.finish_erasures(1000)`,
    ]);
    await waitsForLock(pid);
    await holder`select credits.person_return(${user})`;
  });
  expect(await finished!).toMatchObject(DONE);
  expect(await remains(user)).toEqual({
    ...NOTHING,
    isOpen: true,
    isTheirs: true,
  });
});
