import { beforeAll, describe, expect, test } from "vitest";
import type { Check } from "../scripts/verify/check.ts";
import { sql } from "./support/database.ts";
import { stack } from "./support/stack.ts";
import {
  interrupt,
  NONE,
  startOfTrials,
  traces,
  verify,
  verifyInterruptibly,
  withGateway,
} from "./support/verification.ts";

describe("npm run verify, also where a step fails,", () => {
  let begun: Date;
  beforeAll(async () => {
    begun = await startOfTrials();
  });

  test("leaves nothing behind where the user cannot sign in", async () => {
    const { code, output } = await withGateway(
      (path) => path.startsWith("/auth/v1/token") ? { status: 500 } : undefined,
      (url) => verify("--url", url),
    );
    expect(output).toContain("The throw-away user cannot sign in (500");
    expect(code).toBe(1);
    expect(await traces(begun)).toEqual(NONE);
  });

  test("says so when the key is not the project's", async () => {
    const { code, output } = await verify("--secret-key", "sb_secret_wrong");
    expect(code).toBe(1);
    expect(output).toContain("Pass the project's own --secret-key");
    expect(output).toMatch(
      /NOT OK +the functions can be checked +as the secret key is not accepted \(401 Invalid API key\), no user was made\n/,
    );
    expect(await traces(begun)).toEqual(NONE);
  });

  test("says so where the migrations are not applied", async () => {
    const { output } = await withGateway(
      (path) => path.startsWith("/rest/") ? { status: 404 } : undefined,
      (url) => verify("--url", url),
    );
    expect(output).toMatch(
      /NOT OK +the functions can be checked +as the migrations are not applied \(404 \), no user was made\n/,
    );
  });

  test("makes no user when the key is refused beside a connection", async () => {
    const { code, output } = await verify(
      "--secret-key",
      stack.publishableKey,
      "--db-url",
      stack.databaseUrl,
    );
    expect(code).toBe(1);
    expect(output).toContain("no user was made");
    expect(await traces(begun)).toEqual(NONE);
  });

  test("says what it found before the network failed, and removes what it added", async () => {
    let asked = 0;
    const { code, output } = await withGateway(
      (path) =>
        path.startsWith("/functions/v1/generate") && ++asked === 3
          ? "hang up"
          : undefined,
      (url) => verify("--url", url),
    );
    expect(code).toBe(1);
    expect(output).toMatch(/ok +generate: 400 for bad dimensions/);
    expect(output).toMatch(
      /NOT OK +the functions can be checked +http:\S+ does not answer/,
    );
    expect(output).toMatch(/ok +the trial is cleaned up/);
    expect(await traces(begun)).toEqual(NONE);
  });

  test("tries each step of the cleaning, and names what it could not remove", async () => {
    let asked = 0;
    const { code, output } = await withGateway(
      (path) => {
        if (path.startsWith("/functions/v1/generate")) asked += 1;
        return asked >= 3 ? "hang up" : undefined;
      },
      (url) => verify("--json", "--url", url),
    );
    expect(code).toBe(1);
    const checks: Check[] = JSON.parse(output);
    const cleaned = checks.find(({ check_name }) =>
      check_name === "the trial is cleaned up"
    );
    expect(cleaned).toMatchObject({
      ok: false,
      detail: expect.stringMatching(
        /^left: revenue, credits, account, plan, models, sign-up grant \(http:\S+ does not answer/,
      ),
    });
    const [, id, name] = cleaned!.remedy!.match(
      /erase_account\('(.+)'\).* (verify-\S+)\.$/,
    )!;
    // The connection goes another way: what it removes is gone.
    expect(await traces(begun)).toMatchObject({
      users: 0,
      plans: 1,
      models: 2,
    });

    await sql`select public.withdraw_credits(account_id, p_grant_id => id) from public.credit_grants where account_id = ${id!} and is_open`;
    await sql`select public.erase_account(${id!})`;
    await sql`delete from public.generation_models where name like ${
      name + "%"
    }`;
    await sql`update public.credit_accounts set plan = 'default' where id = ${id!}`;
    await sql`delete from public.credit_plans where name = ${name!}`;
    await sql`delete from public.credit_sign_up_grants where account_id = ${id!}`;
    await sql`delete from public.credit_events where account_id = ${id!}`;
    expect(await traces(begun)).toEqual(NONE);
  });

  test.each([
    ["while the user is made", "/auth/v1/admin/users"],
    ["before the first plan", "/rest/v1/credit_plans"],
    ["amid the checks", "/functions/v1/generate"],
  ])(
    "removes what it added when interrupted %s, and does not call that a success",
    async (_, path) => {
      let interrupted = false;
      const { code, output } = await withGateway(
        (asked) => {
          if (asked.startsWith(path) && !interrupted) {
            interrupted = interrupt();
          }
          return undefined;
        },
        (url) => verifyInterruptibly("--url", url),
      );
      expect(code).toBe(1);
      expect(output).toMatch(/NOT OK +every check was made +SIGINT came first/);
      expect(output).not.toContain("429 beyond the plan's limit");
      expect(output).toMatch(/ok +the trial is cleaned up/);
      expect(await traces(begun)).toEqual(NONE);
    },
  );

  test("removes a user whose creation was not answered", async () => {
    const { code, output } = await withGateway(
      (path) => path === "/auth/v1/admin/users" ? "lose the answer" : undefined,
      (url) => verify("--url", url),
    );
    expect(code).toBe(1);
    expect(output).toMatch(/ok +the trial is cleaned up +its closed account/);
    expect(await traces(begun)).toEqual(NONE);
  });
});
