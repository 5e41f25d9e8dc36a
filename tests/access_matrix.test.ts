import { beforeAll, expect, test } from "vitest";
import { describeMatrix } from "./support/access_report.ts";
import { arrangeParties, type Parties } from "./support/access_parties.ts";
import { emptyRelations, trySql } from "./support/access_sql.ts";
import { tryDataApi } from "./support/access_api.ts";

let parties: Parties;
beforeAll(async () => {
  parties = await arrangeParties();
});

test("every relation has rows that somebody could see who should not", async () => {
  expect(
    await emptyRelations(parties),
    "leave a row of a new table in tests/support/access_parties.ts",
  ).toEqual([]);
});

// After a change that is meant: npx vitest run tests/access_matrix.test.ts --update
// A thousand attempts an actor, on tables that other tests have filled.
const TIMEOUT = { timeout: 240_000 };

test("over SQL, nobody can do more than is written down", TIMEOUT, async () => {
  const tried = await trySql(parties);
  const columns = parties.actors.map(({ name }, position) => ({
    name,
    abilities: tried[position]!,
  }));
  await expect(describeMatrix("Access over SQL", columns))
    .toMatchFileSnapshot("expected/access_over_sql.md");
});

test(
  "over the Data API, nobody can do more than is written down",
  TIMEOUT,
  async () => {
    const callers = parties.actors.filter(({ headers }) => headers);
    const columns = await Promise.all(callers.map(async (actor) => ({
      name: actor.name,
      abilities: await tryDataApi(actor, parties),
    })));
    await expect(describeMatrix("Access over the Data API", columns))
      .toMatchFileSnapshot("expected/access_over_data_api.md");
  },
);
