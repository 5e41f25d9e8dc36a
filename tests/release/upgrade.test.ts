import postgres, { type Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  makeHistory,
  type Step,
  writeHistory,
} from "../../scripts/release/history.ts";
import { checkSquawk } from "../../scripts/test/squawk.ts";
import { readCatalog } from "../support/catalog.ts";
import {
  type DatabaseServer,
  type FreshDatabase,
  startDatabaseServer,
} from "../support/databases.ts";
import { HAND } from "../support/next_changes.ts";
import {
  NEXT,
  NEXT_HAND,
  prepareNext,
  type ProjectCopy,
} from "../support/next_release.ts";
import { findTroubles } from "../support/release_data.ts";
import { checkUpgrade } from "../support/upgrade.ts";

let server: DatabaseServer;
let base: FreshDatabase;
let book: FreshDatabase;
let next: ProjectCopy;
let step: Step;

const USER = "00000000-0000-4000-8000-0000000000c1";

beforeAll(async () => {
  server = await startDatabaseServer();
  ({ copy: next, base, book, step } = await prepareNext(server));
});
afterAll(async () => {
  await server.stop();
  await next.remove();
});

/** Upgrades with another hand-written part. */
async function upgradeWith(hand: string, filled = true): Promise<string[]> {
  await next.write(NEXT_HAND, hand);
  const { steps } = await makeHistory(next.folder);
  return await checkUpgrade({
    server,
    base,
    book,
    steps: steps.slice(-1),
    filled,
  });
}

describe("a release with data in it, upgraded to a book with a change of each kind", () => {
  test("equals a new installation, and its books are as they were", async () => {
    expect(await upgradeWith(HAND)).toEqual([]);
  });

  test.each([
    [
      "a column",
      /^alter table .*\n/m,
      /column "motto" of relation "public\.credit_plans"|column \S*motto\S* does not exist/,
    ],
    [
      "a value of a type",
      /^alter type .*\n/m,
      /^type public\.credit_entry_kind differs: /,
    ],
    [
      "a constraint",
      / check \(length\(motto\) <= 80\)/,
      /^constraint credit_plans_motto_check on public\.credit_plans is missing/,
    ],
  ])("is told to lack %s that nobody wrote", async (_, left, message) => {
    const report = await upgradeWith(HAND.replace(left, ""), false);
    expect(report).toEqual(
      expect.arrayContaining([expect.stringMatching(message)]),
    );
  });

  test("passes squawk, whose rules are those of tables in use", async () => {
    await next.write(NEXT_HAND, HAND);
    await writeHistory(next.folder);
    expect(await checkSquawk(next.folder))
      .toEqual({ passed: 2, failed: 0, report: "" });
    await next.write(NEXT_HAND, `${HAND}\ndrop table public.credit_events;\n`);
    await writeHistory(next.folder);
    expect((await checkSquawk(next.folder)).report).toMatch(/ban-drop-table/);
  });

  test("what has to be written by hand is listed", async () => {
    await next.write(NEXT_HAND, "");
    expect((await makeHistory(next.folder)).byHand).toEqual([
      "type public.credit_entry_kind is changed",
      "table public.credit_plans is changed",
    ]);
  });
});

test("the migrations from the first release on lead to the book as it is", async () => {
  const { files, steps } = await makeHistory(process.cwd());
  const first = await server.create();
  for (const { text } of files.slice(0, files.length - steps.length)) {
    await first.sql.begin((tx) => tx.unsafe(text));
  }
  // The release before the artificial one is the project as it is.
  const asItIs = await server.copy(base);
  expect(await checkUpgrade({ server, base: first, book: asItIs, steps }))
    .toEqual([]);
});

describe("the migration between two releases", () => {
  test("goes with traffic: no charge is lost", async () => {
    const { sql, url } = await server.copy(base);
    await sql`update public.credit_plans set rate_limit_requests = 100000, max_concurrent_jobs = 10000`;
    await sql`select from public.grant_credits(${USER}, 10000000)`;
    const traffic = postgres(url, { max: 4, onnotice: () => {} });
    let goesOn = true;
    const refused: string[] = [];
    const answered: string[] = [];
    const lanes = Array.from({ length: 4 }, async (_, lane) => {
      for (let n = 0; goesOn; n++) {
        await traffic`select code from public.atomic_charge_credits(${USER}, 'standard-image', '{"prompt": "a cat"}', ${`${lane}-${n}`})`
          .then(
            ([row]) => answered.push(row!.code),
            (error: Error) => refused.push(error.message),
          );
      }
    });
    while (answered.length < 8) await traffic`select`;
    const before = answered.length;
    await sql.begin((tx) => tx.unsafe(step.text));
    while (answered.length < before + 8) await traffic`select`;
    goesOn = false;
    await Promise.all(lanes);
    await traffic.end();
    expect(refused).toEqual([]);
    const [{ jobs }] = await sql<[{ jobs: number }]>`
      select count(*)::int as jobs from public.generation_jobs`;
    expect(answered.filter((code) => code === "charged")).toHaveLength(jobs);
    expect(await findTroubles(sql)).toEqual([]);
  });

  test("waits for who uses the tables, then says so and changes nothing", async () => {
    const { sql, url } = await server.copy(base);
    const other = postgres(url, { max: 1, onnotice: () => {} });
    const before = await readCatalog(other);
    await sql.begin(async (tx) => {
      await tx`select from public.credit_plans`;
      const hurried = step.text.replaceAll("attempt = 50", "attempt = 2");
      await expect(other.begin((mine) => mine.unsafe(hurried))).rejects
        .toMatchObject({
          code: "55P03",
          message: expect.stringContaining("are in use"),
          hint: expect.stringMatching(/Nothing was changed\. Run it again/),
        });
    });
    expect(await readCatalog(other)).toEqual(before);
    await other.end();
  });

  test("refuses another release than the one it begins at, and names of the app's own", async () => {
    const apply = (sql: Sql) => sql.begin((tx) => tx.unsafe(step.text));
    const own = await server.copy(base);
    await own.sql`create table public.operator_cases (id int)`;
    await expect(apply(own.sql)).rejects.toThrow(
      "names that Atomic Credits needs are in use: public.operator_cases",
    );
    await expect(apply((await server.copy(book)).sql)).rejects.toThrow(
      `to ${NEXT}, and ${NEXT} is installed`,
    );
  });
});
