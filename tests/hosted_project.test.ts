import { expect, test } from "vitest";
import { checkHosted } from "../scripts/test/hosted/check.ts";

// Roles work differently from Postgres 16 on: .ci/run does the same, and more, on Debian's, with pg_cron.
test(
  "on Postgres 17 with a hosted project's roles and limits all of a deployment works, and nothing is left of it",
  async () => {
    const { passed, report } = await checkHosted(process.cwd(), "embedded");
    expect(report).toBe("");
    expect(passed).toBe(8);
  },
  240_000,
);
